"""Candidates measured beside the libraries that they have to beat: `avo bench`. Imports tools.score."""
