"""A built candidate in its own process: buffers, runner, and the clock outside. Imports tools.build and tools.devices."""
