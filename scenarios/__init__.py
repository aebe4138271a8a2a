"""Scenarios, the problems to optimise: one folder each, with scenario.toml and reference.py; no registration needed."""
