"""A run's tools for a coding agent over the Model Context Protocol; imports operators and the rooms below them."""
