"""Problems to optimise: one folder each, with scenario.toml and reference.py; nothing to register."""
