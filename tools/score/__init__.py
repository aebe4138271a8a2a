"""The score f: correctness first, then throughput, one number per case; any failed case makes every number 0."""
