"""The score f: correctness first, then throughput, one number per case; any failed case makes every number 0."""

import os

# Before torch is imported: else its threads spin on their cores for some milliseconds, while a candidate is timed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
