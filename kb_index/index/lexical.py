"""The lexical index: BM25 over the terms of title, symbol, path and text, in SQLite's FTS5."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from avo.kb_index.index.tokens import terms

WEIGHTS = (4.0, 2.0, 2.0, 1.0)
"""BM25 weights of title, symbol, path and text."""
SCHEMA = """
CREATE VIRTUAL TABLE terms USING fts5(title, symbol, path, body, tokenize="ascii tokenchars '_'");
"""
"""SQL of the full-text table."""
NAMES, NAMES_AND_TEXT = "title symbol path", "title symbol path body"
"""Columns to search: where names are defined, and all."""
MOST_TERMS = 64
"""Largest number of terms per question."""


def add(db: sqlite3.Connection, number: int, title: str, symbol: str, path: str, text: str) -> None:
    """Index chunk `number`."""
    columns = [" ".join(terms(column)) for column in (title, symbol, path, text)]
    db.execute("INSERT INTO terms (rowid, title, symbol, path, body) VALUES (?, ?, ?, ?, ?)", (number, *columns))


def terms_of(db: sqlite3.Connection, numbers: Sequence[int]) -> list[str]:
    """Return the indexed terms of each chunk, separated by spaces."""
    query = "SELECT title || ' ' || symbol || ' ' || path || ' ' || body FROM terms WHERE rowid=?"
    return [str(db.execute(query, (number,)).fetchone()[0]) for number in numbers]


def nearest(
    db: sqlite3.Connection, wanted: Sequence[str], among: Sequence[int] | None, limit: int,
    columns: str = NAMES_AND_TEXT,
) -> list[int]:  # fmt: skip
    """Return the numbers of the chunks with any of the terms, the best first.

    among: the chunks to look at; None for all. columns: those to search.
    """
    if not wanted:
        return []
    match = f"{{{columns}}} : (" + " OR ".join(f'"{term}"' for term in wanted[:MOST_TERMS]) + ")"
    query = (
        "SELECT rowid FROM terms WHERE terms MATCH ? AND (? OR rowid IN (SELECT value FROM json_each(?)))"
        f" ORDER BY bm25(terms, {', '.join(map(str, WEIGHTS))}), rowid LIMIT ?"
    )
    return [row[0] for row in db.execute(query, (match, among is None, json.dumps(among or []), limit))]
