"""From sources to a library that may be loaded: compilers, their cache, and what is refused by reading the result."""
