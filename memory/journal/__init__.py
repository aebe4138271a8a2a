"""The journal: one SQLite file with all that was said, tried and spent in a run. The only place for SQL of a run."""
