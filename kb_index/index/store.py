"""The store: documents, chunks and both indexes of a knowledge base, in one folder."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from avo.kb_index.index import lexical
from avo.kb_index.index.chunk import Chunk, Document, Parsed
from avo.kb_index.index.embedders import DEFAULT, Embedder, embedder_of
from avo.kb_index.index.tokens import rules
from avo.kb_index.index.vectors import Vectors
from avo.types import AvoError, Missing

SCHEMA = 1
"""Version of the tables."""
DATABASE, CHROMA = "kb.sqlite3", "chroma"
"""SQLite file and Chroma's folder in a store."""
REFIT = 0.2
"""Fraction of changed chunks above which an embedder is fitted again."""
TABLES = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sources (name TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, path TEXT NOT NULL, version TEXT NOT NULL,
    licence TEXT NOT NULL, url TEXT NOT NULL, digest TEXT NOT NULL, text BLOB NOT NULL, UNIQUE (source, path)
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, document INTEGER NOT NULL, digest TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, kind TEXT NOT NULL,
    symbol TEXT NOT NULL, symbol_first INTEGER NOT NULL, symbol_last INTEGER NOT NULL, arch TEXT NOT NULL,
    url TEXT NOT NULL, embedded INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX chunks_of_document ON chunks (document, first);
CREATE INDEX chunks_by_name ON chunks (name);
"""
PLACE = "name, first, last, symbol_first, symbol_last, url"
"""Columns that change when a chunk only moves."""


class Store:
    """An open knowledge base. A writer has the folder to itself; nothing is kept before `finish`."""

    def __init__(self, folder: Path, db: sqlite3.Connection, with_: Embedder) -> None:
        """Use `create` or `open` instead."""
        self.folder = folder
        self.db = db
        self.embedder = with_
        self._vectors: Vectors | None = None
        self._gone: list[int] = []

    @classmethod
    def create(cls, folder: Path, embedder: str = DEFAULT) -> Store:
        """Return an empty store in `folder`, open for writing.

        Raises AvoError if there is one already or the embedder is unknown.
        """
        chosen = embedder_of(embedder, folder)
        if (folder / DATABASE).exists():
            raise AvoError(f"{folder} holds a knowledge base already")
        folder.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(folder / DATABASE, isolation_level=None)
        db.execute("BEGIN")
        for statement in (TABLES + lexical.SCHEMA).split(";"):
            db.execute(statement)
        facts = {"embedder": chosen.name, "rules": rules(), "dimension": "0", "changed": "0"}
        db.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        db.execute(f"PRAGMA user_version={SCHEMA}")
        db.execute("COMMIT")
        store = cls(folder, db, chosen)
        store._vectors = Vectors(folder / CHROMA, create=True)
        store._begin()
        return store

    @classmethod
    def open(cls, folder: Path, writing: bool = False, embedder: str = "") -> Store:
        """Return the store in `folder`.

        embedder: the expected embedder; empty: any.
        Raises Missing without a store, AvoError for one that is damaged or has another embedder, schema or term rules.
        """
        path = folder / DATABASE
        if not path.is_file():
            raise Missing("no knowledge base yet: avo kb build")
        mode = "rw" if writing else "ro"
        try:
            db = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=1,
                check_same_thread=False,
            )
            schema = db.execute("PRAGMA user_version").fetchone()[0]
            if schema != SCHEMA:
                raise AvoError(
                    f"{folder} was built by another avo (schema {schema}, this one reads {SCHEMA}): avo kb build"
                )
            facts = dict(db.execute("SELECT key, value FROM facts").fetchall())
            recorded = str(facts["embedder"])
            if facts["rules"] != rules():
                raise AvoError(f"{folder} was built by an avo that makes other terms of a text: avo kb build")
        except (sqlite3.Error, KeyError) as error:
            raise AvoError(f"{folder} is damaged ({error}): remove it, then avo kb build") from error
        if embedder and embedder != recorded:
            raise AvoError(f"{folder} was built with the embedder {recorded}, not {embedder}: build it anew")
        store = cls(folder, db, embedder_of(recorded, folder))
        if writing:
            store._begin()
        return store

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        with self._told():
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.execute("BEGIN IMMEDIATE")

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

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of an SQL query as dictionaries."""
        cursor = self.db.execute(query, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def documents(self) -> dict[tuple[str, str], str]:
        """Return (source, path) -> digest."""
        query = "SELECT source, path, digest FROM documents"
        return {(row["source"], row["path"]): row["digest"] for row in self.rows(query)}

    def sources(self) -> list[dict[str, Any]]:
        """Return the recorded facts of each source, with its name and its numbers of documents and chunks."""
        counted = self.rows(
            "SELECT source, COUNT(DISTINCT documents.id) AS documents, COUNT(chunks.id) AS chunks FROM documents"
            " LEFT JOIN chunks ON chunks.document = documents.id GROUP BY source"
        )
        counts = {row["source"]: {"documents": row["documents"], "chunks": row["chunks"]} for row in counted}
        nothing = {"documents": 0, "chunks": 0}
        facts = {row["name"]: json.loads(row["facts"]) for row in self.rows("SELECT * FROM sources")}
        return [
            {"name": name, **facts.get(name, {}), **counts.get(name, nothing)} for name in sorted({*facts, *counts})
        ]

    def fact(self, key: str) -> str:
        """Return a fact about the store: embedder, rules (of the terms), dimension (0: no vectors yet), or changed.

        changed: number of chunks changed since the embedder was fitted.
        """
        return str(self.db.execute("SELECT value FROM facts WHERE key=?", (key,)).fetchone()[0])

    # ---- writing -------------------------------------------------------------------------------

    def record(self, source: str, facts: Mapping[str, Any]) -> None:
        """Store the facts about a source: version, licence, url, tier, why it is missing."""
        self.db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?)", (source, json.dumps(dict(facts))))

    def put(self, document: Document, parsed: Parsed) -> None:
        """Store a document or its new state; chunks that only moved keep their vectors. Raises AvoError."""
        with self._told():
            number, old = self._document(document.source, document.path)
            values = (
                document.source, document.path, document.version, document.licence, document.url, document.digest,
                zlib.compress(parsed.text.encode("utf-8", "replace")),
            )  # fmt: skip
            number = self.db.execute(
                "INSERT OR REPLACE INTO documents (id, source, path, version, licence, url, digest, text)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (number, *values),
            ).lastrowid  # fmt: skip
            names: dict[str, int] = {}
            for chunk in parsed.chunks:
                name = f"{document.source}:{document.path}#L{chunk.start}-{chunk.end}"
                names[name] = names.get(name, 0) + 1
                name += f"~{names[name]}" if names[name] > 1 else ""
                digest = chunk_digest(document.source, document.path, chunk)
                place = (name, chunk.start, chunk.end, *chunk.symbol_lines, chunk.url)
                if same := old.get(digest):
                    columns = ", ".join(f"{column}=?" for column in PLACE.split(", "))
                    self.db.execute(f"UPDATE chunks SET {columns} WHERE id=?", (*place, same.pop(0)))
                else:
                    self._insert(document.path, number, digest, place, chunk)
            self._drop([row for left in old.values() for row in left])

    def _insert(self, path: str, document: int | None, digest: str, place: tuple[object, ...], chunk: Chunk) -> None:
        row = self.db.execute(
            f"INSERT INTO chunks (document, digest, title, text, kind, symbol, arch, {PLACE})"
            f" VALUES ({', '.join('?' * 13)})",
            (document, digest, chunk.title, chunk.text, chunk.kind, chunk.symbol, f" {' '.join(chunk.arch)} ", *place),
        ).lastrowid
        assert row
        lexical.add(self.db, row, chunk.title, chunk.symbol, path, chunk.text)

    def remove(self, source: str, path: str) -> None:
        """Remove a document. Raises AvoError."""
        with self._told():
            number, old = self._document(source, path)
            self._drop([row for left in old.values() for row in left])
            self.db.execute("DELETE FROM documents WHERE id=?", (number,))

    def _document(self, source: str, path: str) -> tuple[int | None, dict[str, list[int]]]:
        """Return a document's number (None for a new one) and its chunks by digest."""
        found = self.rows("SELECT id FROM documents WHERE source=? AND path=?", source, path)
        number = found[0]["id"] if found else None
        chunks: dict[str, list[int]] = {}
        for row in self.rows("SELECT id, digest FROM chunks WHERE document=? ORDER BY first, id", number):
            chunks.setdefault(row["digest"], []).append(row["id"])
        return number, chunks

    def _drop(self, numbers: list[int]) -> None:
        for number in numbers:
            lexical.remove(self.db, number)
            self.db.execute("DELETE FROM chunks WHERE id=?", (number,))
        self._gone += numbers

    def finish(self) -> None:
        """Embed the new chunks, refitting the embedder if much changed, and commit everything. Raises AvoError."""
        with self._told():
            new = [row["id"] for row in self.rows("SELECT id FROM chunks WHERE NOT embedded")]
            everything = [row["id"] for row in self.rows("SELECT id FROM chunks")]
            changed = int(self.fact("changed")) + len(new) + len(self._gone)
            if new and self.embedder.learns and (not self.embedder.fitted() or changed > REFIT * len(everything)):
                self.embedder.fit(lexical.terms_of(self.db, everything))
                self.vectors.clear()
                new, changed = everything, 0
            elif self._gone:
                self.vectors.remove(self._gone)
            self._embed(new)
            self.db.execute("UPDATE facts SET value=? WHERE key='changed'", (str(changed),))
            self.db.execute("COMMIT")
            self._gone = []
            self.db.execute("BEGIN IMMEDIATE")

    def _embed(self, numbers: list[int]) -> None:
        if not numbers:
            return
        query = (
            "SELECT chunks.id, source, path, title, chunks.text AS text, kind, symbol, arch FROM chunks"
            " JOIN documents ON documents.id = chunks.document WHERE chunks.id=?"
        )
        rows = [self.rows(query, number)[0] for number in numbers]
        vectors = self.embedder.embed(
            [f"{row['title']}\n{row['text']}" for row in rows], lexical.terms_of(self.db, numbers)
        )
        self.check_dimension(vectors.shape[1])
        self.db.execute("UPDATE facts SET value=? WHERE key='dimension'", (str(vectors.shape[1]),))
        facts = [
            {key: row[key] for key in ("source", "path", "title", "kind", "symbol")} | {"arch": row["arch"].split()}
            for row in rows
        ]
        self.vectors.add(numbers, vectors, [row["text"] for row in rows], facts)
        self.db.executemany("UPDATE chunks SET embedded=1 WHERE id=?", [(number,) for number in numbers])

    def check_dimension(self, dimension: int) -> None:
        """Raise AvoError if the stored vectors have another dimension."""
        kept = int(self.fact("dimension"))
        if kept not in (0, dimension):
            raise AvoError(
                f"{self.folder}: {self.embedder.name} gives vectors of {dimension} values now and gave {kept} when"
                " this was built: build it anew"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise SQLite's and the system's errors as AvoError with one line."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise AvoError(f"{self.folder}: {error}") from error


def chunk_digest(source: str, path: str, chunk: Chunk) -> str:
    """Return 16 hex digits of a chunk's text, title, symbol and filters, but not of its position."""
    parts = (source, path, chunk.title, chunk.symbol, chunk.kind, " ".join(chunk.arch), chunk.text)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
