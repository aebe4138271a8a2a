"""Operators, which vary a run: avo's own agents in a session, or external people and programs. Never imports cli."""
