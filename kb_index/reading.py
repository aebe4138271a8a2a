"""Reading of stored documents: text by line numbers, and the table of contents."""

from __future__ import annotations

import difflib
import re
import sqlite3
import zlib
from dataclasses import dataclass
from typing import Any

from avo.kb_index.index.store import Store
from avo.types import AvoError

MOST_LINES = 400
"""Largest number of lines that one call returns."""
CHUNK_NAME = re.compile(r"(?P<document>.+)#L(?P<first>\d+)-(?P<last>\d+)(?:~\d+)?")
"""A chunk's id: document, first and last line."""
LINES = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


@dataclass(frozen=True)
class Passage:
    """A range of lines of a document, with its source and licence."""

    source: str
    path: str
    version: str
    licence: str
    url: str
    first: int
    last: int
    total: int
    """Number of lines of the whole document."""
    lines: tuple[str, ...]
    previous: str
    next: str
    """Ids of the chunks before and after; empty at the ends."""

    def text(self, most: int = 0) -> str:
        """Return header, numbered lines, and where the text continues, in at most `most` characters (0: no limit)."""
        facts = [f"{self.source} {self.version}".rstrip(), f"licence {self.licence}", self.url]
        neighbours = [f"{name}: {other}" for name, other in (("previous", self.previous), ("next", self.next)) if other]
        width = len(str(self.last))
        shown = [f"{number:>{width}}  {line}" for number, line in enumerate(self.lines, self.first)]
        room = most - sum(map(len, (*facts, *neighbours, self.path))) - 120
        while most and len(shown) > 1 and sum(len(line) + 1 for line in shown) > room:
            shown.pop()
        last = self.first + len(shown) - 1
        if most and len(shown) == 1:
            shown = [shown[0][:room]]
        rest = [f"go on: lines {last + 1}-{min(self.total, last + MOST_LINES)}"] if last < self.last else []
        head = f"{self.source}:{self.path} lines {self.first}-{last} of {self.total}"
        return "\n".join([head, ", ".join(filter(None, facts)), *shown, *rest, *neighbours])


def read(store: Store, id_or_path: str, lines: str = "", context: int = 0) -> Passage:
    """Return the lines of a chunk id, or the first ones of a document (`source:path` or a path), at most MOST_LINES.

    lines: A-B or A, instead of the id's. context: extra lines on both sides. Raises AvoError.
    """
    named = CHUNK_NAME.fullmatch(id_or_path)
    document = _find(store, named["document"] if named else id_or_path)
    text = zlib.decompress(document["text"]).decode().split("\n")
    if text[-1] == "" and len(text) > 1:
        text.pop()
    asked = LINES.fullmatch(lines.strip())
    if lines.strip() and not asked:
        raise AvoError(f"'{lines}' are no lines: give A-B, for instance 120-180")
    if asked:
        first, last = int(asked[1]), int(asked[2] or asked[1])
    elif named:
        first, last = int(named["first"]), int(named["last"])
    else:
        first, last = 1, MOST_LINES
    first, last = max(1, first - context), min(len(text), last + context, max(1, first - context) + MOST_LINES - 1)
    if first > last:
        raise AvoError(f"{document['source']}:{document['path']} has lines 1-{len(text)}")
    facts = store.sources().get(document["source"], {})
    before = "SELECT name FROM chunks WHERE document=? AND last < ? ORDER BY last DESC, id DESC LIMIT 1"
    after = "SELECT name FROM chunks WHERE document=? AND first > ? ORDER BY first, id LIMIT 1"
    return Passage(
        document["source"], document["path"], facts.get("version", ""), facts.get("licence", "unknown"),
        document["url"], first, last, len(text),
        tuple(text[first - 1 : last]), _name(store, before, document["id"], first),
        _name(store, after, document["id"], last),
    )  # fmt: skip


def symbols(store: Store, path: str) -> list[dict[str, Any]]:
    """Return a document's table of contents: symbol (or title) and lines, in order. Raises AvoError."""
    document = _find(store, path)
    outline: dict[tuple[str, int], dict[str, Any]] = {}
    rows = store.rows("SELECT * FROM chunks WHERE document=? ORDER BY first, id", document["id"])
    for row in rows:
        whole = (row["symbol_first"], row["symbol_last"]) if row["symbol_first"] else (row["first"], row["last"])
        name = row["symbol"] or row["title"]
        outline.setdefault((name, whole[0]), {"symbol": name, "lines": list(whole), "kind": row["kind"]})
    return sorted(outline.values(), key=lambda entry: (entry["lines"][0], -entry["lines"][1]))


def _name(store: Store, query: str, *values: object) -> str:
    found = store.rows(query, *values)
    return str(found[0]["name"]) if found else ""


def _find(store: Store, name: str) -> sqlite3.Row:
    """Return the document named `source:path`, or with a path that ends so. Raises AvoError that names similar ones."""
    every = "SELECT id, source, path FROM documents ORDER BY id"
    known = [(row["id"], f"{row['source']}:{row['path']}") for row in store.rows(every)]
    wanted = name.strip()
    exact = [row for row in known if row[1] == wanted or row[1].partition(":")[2] == wanted]
    found = exact or [row for row in known if wanted and row[1].endswith("/" + wanted)]
    if len(found) > 1:
        raise AvoError(f"'{wanted}' is in several places: {', '.join(full for _, full in found[:8])}")
    if not found:
        near = difflib.get_close_matches(wanted, [full for _, full in known], 3, 0.3)
        hint = f"; near it: {', '.join(near)}" if near else "; avo kb search finds ids"
        raise AvoError(f"the knowledge base has no document '{wanted[:200]}'{hint}")
    return store.rows("SELECT * FROM documents WHERE id=?", found[0][0])[0]
