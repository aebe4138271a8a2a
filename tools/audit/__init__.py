"""Audits: is a scenario sound, and does the judge still refuse what it has to refuse? Imports tools.score."""
