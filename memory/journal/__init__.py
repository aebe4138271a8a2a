"""The journal: one SQLite file with every message, attempt and cost of a run. The only place for SQL of a run."""
