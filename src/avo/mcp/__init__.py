"""A run's tools for a coding agent over the Model Context Protocol; imports operators and what lies below them."""
