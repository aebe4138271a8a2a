"""Persistent state of a run: the lineage (git) and the journal (SQLite)."""
