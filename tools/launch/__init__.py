"""A built candidate in its own process: buffers, runner, and the clock outside. Imports tools.build, tools.devices."""
