"""avo: evolutionary search for fast kernels, with a coding agent as the variation operator."""

__version__ = "0.1.0"
