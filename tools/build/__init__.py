"""From sources to a library that may be loaded: compilers, their cache, and checks of the result."""
