"""The store: documents, chunks and both indexes of a knowledge base, in one folder."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import Any

from avo.kb_index.index import lexical
from avo.kb_index.index.chunk import Document, Parsed
from avo.kb_index.index.embedders import DEFAULT, ChromaEmbedder, embedder_of
from avo.kb_index.index.lsa import Lsa
from avo.kb_index.index.tokens import rules
from avo.kb_index.index.vectors import Vectors
from avo.types import AvoError, Missing

DATABASE, CHROMA = "kb.sqlite3", "chroma"
"""SQLite file and Chroma's folder in a store."""
REFIT = 0.2
"""Fraction of new chunks above which LSA is fitted again."""
TABLES = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sources (name TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, path TEXT NOT NULL, url TEXT NOT NULL,
    digest TEXT NOT NULL, text BLOB NOT NULL, UNIQUE (source, path)
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, document INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, kind TEXT NOT NULL,
    symbol TEXT NOT NULL, symbol_first INTEGER NOT NULL, symbol_last INTEGER NOT NULL, arch TEXT NOT NULL,
    url TEXT NOT NULL
);
CREATE INDEX chunks_of_document ON chunks (document, first);
"""


def connected(folder: Path, mode: str = "ro") -> sqlite3.Connection:
    """Open the database of a store."""
    address = f"{(folder / DATABASE).resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, check_same_thread=False)


def recorded(folder: Path) -> tuple[dict[str, str], set[str]]:
    """Return the facts about a store and the names of its sources, whichever avo built it. Raises AvoError."""
    try:
        with closing(connected(folder)) as db:
            return dict(db.execute("SELECT * FROM facts")), {name for (name,) in db.execute("SELECT name FROM sources")}
    except sqlite3.Error as error:
        raise AvoError(f"{folder} is damaged ({error}): remove it, then avo kb build") from error


class Store(AbstractContextManager["Store"]):
    """An open knowledge base. A writer has the folder to itself; nothing is kept before `finish`."""

    def __init__(self, folder: Path, db: sqlite3.Connection, embedder: Lsa | ChromaEmbedder) -> None:
        """Use `create` or `open` instead."""
        self.folder = folder
        self.db = db
        self.db.row_factory = sqlite3.Row
        self.embedder = embedder
        self._vectors: Vectors | None = None

    @classmethod
    def create(cls, folder: Path, embedder: str = DEFAULT, chunkers: str = "") -> Store:
        """Return an empty store in `folder`, open for writing. Raises AvoError for an unknown embedder.

        chunkers: digest of the chunkers' code, for who builds on it.
        """
        chosen = embedder_of(embedder, folder)
        folder.mkdir(parents=True)
        db = sqlite3.connect(folder / DATABASE)
        db.executescript(TABLES + lexical.SCHEMA)
        facts = {"embedder": embedder, "rules": rules(TABLES), "chunkers": chunkers, "fitted": "0"}
        db.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        store = cls(folder, db, chosen)
        store._vectors = Vectors(folder / CHROMA, create=True)
        return store

    @classmethod
    def open(cls, folder: Path, writing: bool = False) -> Store:
        """Return the store in `folder`. Raises Missing without one, AvoError for one damaged or made by another avo."""
        if not (folder / DATABASE).is_file():
            raise Missing("no knowledge base yet: avo kb build")
        facts, _ = recorded(folder)
        if facts["rules"] != rules(TABLES):
            raise AvoError(f"{folder} was built by another avo: avo kb build")
        return cls(folder, connected(folder, "rw" if writing else "ro"), embedder_of(facts["embedder"], folder))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store; unfinished changes are lost."""
        self.db.close()
        if self._vectors:
            self._vectors.close()

    @property
    def vectors(self) -> Vectors:
        """The dense index; opened at first use, as plain reading does not need Chroma."""
        self._vectors = self._vectors or Vectors(self.folder / CHROMA)
        return self._vectors

    # ---- what is there -------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of an SQL query, whose columns have names."""
        return self.db.execute(query, values).fetchall()

    def documents(self) -> dict[tuple[str, str], str]:
        """Return (source, path) -> digest."""
        query = "SELECT source, path, digest FROM documents"
        return {(row["source"], row["path"]): row["digest"] for row in self.rows(query)}

    def sources(self) -> dict[str, dict[str, Any]]:
        """Return name -> recorded facts of each source: version, licence, missing, skipped."""
        return {row["name"]: json.loads(row["facts"]) for row in self.rows("SELECT * FROM sources ORDER BY name")}

    def counts(self, source: str) -> tuple[int, int]:
        """Return a source's numbers of documents and chunks."""
        [row] = self.rows(
            "SELECT COUNT(DISTINCT documents.id) AS documents, COUNT(chunks.id) AS chunks FROM documents"
            " LEFT JOIN chunks ON chunks.document = documents.id WHERE source=?", source,
        )  # fmt: skip
        return row["documents"], row["chunks"]

    def fact(self, key: str) -> str:
        """Return a fact about the store: embedder, rules (of tables and terms), chunkers, or fitted.

        fitted: number of the last chunk that LSA was fitted to.
        """
        return str(self.db.execute("SELECT value FROM facts WHERE key=?", (key,)).fetchone()[0])

    # ---- writing -------------------------------------------------------------------------------

    def record(self, source: str, facts: Mapping[str, Any]) -> None:
        """Store the facts about a source; the same ones again are no change."""
        self.db.execute(
            "INSERT INTO sources VALUES (?, ?) ON CONFLICT DO UPDATE SET facts = excluded.facts"
            " WHERE facts != excluded.facts", (source, json.dumps(dict(facts))),
        )  # fmt: skip

    def put(self, document: Document, parsed: Parsed) -> None:
        """Store a document, in place of its old state."""
        self.remove(document.source, document.path)
        number = self.db.execute(
            "INSERT INTO documents (source, path, url, digest, text) VALUES (?, ?, ?, ?, ?)",
            (
                document.source, document.path, document.url, document.digest,
                zlib.compress(parsed.text.encode("utf-8", "replace")),
            ),
        ).lastrowid  # fmt: skip
        names: dict[str, int] = {}
        for chunk in parsed.chunks:
            name = f"{document.source}:{document.path}#L{chunk.start}-{chunk.end}"
            names[name] = names.get(name, 0) + 1
            name += f"~{names[name]}" if names[name] > 1 else ""
            row = self.db.execute(
                "INSERT INTO chunks (name, document, first, last, title, text, kind, symbol, symbol_first, symbol_last,"
                f" arch, url) VALUES ({', '.join('?' * 12)})",
                (
                    name, number, chunk.start, chunk.end, chunk.title, chunk.text, chunk.kind, chunk.symbol,
                    *chunk.symbol_lines, f" {' '.join(chunk.arch)} ", chunk.url,
                ),
            ).lastrowid  # fmt: skip
            assert row
            lexical.add(self.db, row, chunk.title, chunk.symbol, document.path, chunk.text)

    def remove(self, source: str, path: str) -> None:
        """Remove a document, if it is there."""
        for row in self.rows("SELECT id FROM documents WHERE source=? AND path=?", source, path):
            one = (row["id"],)
            self.db.execute("DELETE FROM terms WHERE rowid IN (SELECT id FROM chunks WHERE document=?)", one)
            self.db.execute("DELETE FROM chunks WHERE document=?", one)
            self.db.execute("DELETE FROM documents WHERE id=?", one)

    def finish(self) -> None:
        """Embed the new chunks, fitting LSA again if they are many, and commit everything. Raises AvoError."""
        numbers = [number for (number,) in self.db.execute("SELECT id FROM chunks ORDER BY id")]
        held = self.vectors.numbers()
        self.vectors.remove(held - {*numbers})
        late = sum(number > int(self.fact("fitted")) for number in numbers)
        if isinstance(self.embedder, Lsa) and late > REFIT * len(numbers):
            self.embedder.fit(lexical.terms_of(self.db, numbers))
            self.vectors.clear()
            held = set()
            self.db.execute("UPDATE facts SET value=? WHERE key='fitted'", (str(numbers[-1]),))
        self._embed([number for number in numbers if number not in held])
        self.db.commit()

    def _embed(self, numbers: Sequence[int]) -> None:
        if numbers:
            query = "SELECT title || char(10) || text FROM chunks WHERE id=?"
            texts = [str(self.rows(query, number)[0][0]) for number in numbers]
            self.vectors.add(numbers, self.embedder.embed(texts, lexical.terms_of(self.db, numbers)))
