"""What outlives a step: the lineage (git) and the journal (SQLite)."""
