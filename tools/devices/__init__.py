"""What the devices of this machine are and can do. Imports the sandbox and the ground."""
