"""A built candidate in a process of its own: its buffers, its runner, and the clock outside. Imports tools.build and tools.devices."""
