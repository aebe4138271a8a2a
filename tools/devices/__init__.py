"""The devices of this machine: CPUs and GPUs, their peak rates, and leases. Imports the sandbox and the ground."""
