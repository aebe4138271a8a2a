"""The draft of the next index: a copy of the current one, made at the first difference and published at the end."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avo.kb_index.fetch.fetch import one_line
from avo.kb_index.fetch.sources import Source
from avo.kb_index.index.chunk import Document
from avo.kb_index.index.embedders import DEFAULT
from avo.kb_index.index.place import in_use, new_store, publish
from avo.types import AvoError

if TYPE_CHECKING:
    from avo.kb_index.index.store import Store

MADE = "build.json"
"""File in a store that records how it was built."""
COUNTED = ("name", "documents", "chunks")
"""Keys of a source that the store computes itself."""


@dataclass(frozen=True)
class Before:
    """The current index: its folder (None when building from scratch) and its contents."""

    store: Path | None = None
    embedder: str = DEFAULT
    digests: Mapping[tuple[str, str], str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By source; empty values when building from scratch, where the same sources are kept."""


def before(folder: Path, embedder: str | None, fresh: bool, report: Callable[[str], object]) -> Before:
    """Return the current index, without its contents when it has to be built from scratch.

    report: receives the reason why it has to be.
    """
    from avo.kb_index.index.store import Store

    place = in_use(folder)
    if place is None:
        return Before()
    try:
        made = json.loads((place / MADE).read_text())
        anew = Before(None, str(made["embedder"]), {}, {str(name): {} for name in made["sources"]})
    except (OSError, ValueError, KeyError, TypeError) as error:
        report(f"{place / MADE} cannot be read ({one_line(str(error))}): building it from nothing")
        return Before()
    if fresh:
        return Before(embedder=anew.embedder)
    try:
        if embedder and anew.embedder != embedder:
            raise AvoError(f"made with the embedder {anew.embedder}, not {embedder}")
        if made["chunkers"] != chunkers():
            raise AvoError("made with other chunkers")
        with Store.open(place) as store:
            facts = {str(entry["name"]): entry for entry in store.sources()}
            return Before(place, anew.embedder, store.documents(), facts)
    except (AvoError, OSError, sqlite3.Error, ValueError, KeyError) as error:
        report(f"{one_line(str(error))}: building it from nothing")
        return anew


def chunkers() -> str:
    """Return 16 hex digits over the code of the chunkers: other chunkers need a new index."""
    here = Path(__file__).resolve().parent
    files = sorted([*(here / "chunkers").glob("*.py"), here / "index" / "arch.py", here / "index" / "chunk.py"])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:16]


class Draft:
    """The next index: a copy of the current one, made at the first difference."""

    def __init__(self, folder: Path, before: Before, embedder: str) -> None:
        self.folder = folder
        self.before = before
        self.embedder = embedder
        self.published = False
        self._digests = dict(before.digests)
        self._place: Path | None = None
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The store, open for writing; created at first use."""
        from avo.kb_index.index.store import Store

        if self._store is None:
            self._place = new_store(self.folder)
            if self.before.store:
                shutil.copytree(self.before.store, self._place)
                self._store = Store.open(self._place, writing=True)
            else:
                self._store = Store.create(self._place, self.embedder)
        return self._store

    @property
    def empty(self) -> bool:
        """True if the draft holds no document."""
        return not self._digests

    def of(self, source: str) -> dict[str, str]:
        """Return path -> digest of a source's documents in the draft."""
        return {path: digest for (name, path), digest in self._digests.items() if name == source}

    def facts(self, source: str) -> dict[str, Any]:
        """Return the facts about a source in the current index."""
        return {key: value for key, value in self.before.facts.get(source, {}).items() if key not in COUNTED}

    def put(self, document: Document) -> str:
        """Index a document. Return the reason if it cannot be read; its old version is then removed."""
        from avo.kb_index.chunkers import Unreadable, parse

        try:
            parsed = parse(document)
        except Unreadable as error:
            if (document.source, document.path) in self._digests:
                self.remove(document.source, document.path)
            return one_line(str(error)).removeprefix(f"{document.path}: ")
        self.store.put(document, parsed)
        self._digests[document.source, document.path] = document.digest
        return ""

    def remove(self, source: str, path: str) -> None:
        """Remove a document."""
        self.store.remove(source, path)
        del self._digests[source, path]

    def record(self, source: Source, facts: Mapping[str, Any]) -> None:
        """Store the facts about a source, if they differ from the current ones."""
        stated = {"type": source.type, "reference": source.reference, "tier": source.tier, "licence": source.licence}
        told = dict(facts) | stated | {"about": source.about, "optional": source.optional}
        if told != self.facts(source.name):
            self.store.record(source.name, told)

    def forget(self, source: str) -> None:
        """Remove a source with its documents and facts."""
        for path in sorted(self.of(source)):
            self.remove(source, path)
        self.store.db.execute("DELETE FROM sources WHERE name=?", (source,))

    def finish(self) -> list[dict[str, Any]]:
        """Publish the new index if anything differs. Return the facts of the index then in use, by source."""
        if self._store is None or self._place is None:
            return [dict(facts) for facts in self.before.facts.values()]
        self._store.finish()
        counted = self._store.sources()
        self._store.close()
        self._store = None
        made = {
            "chunkers": chunkers(),
            "embedder": self.embedder,
            "sources": [entry["name"] for entry in counted],
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (self._place / MADE).write_text(json.dumps(made) + "\n")
        publish(self.folder, self._place)
        self.published = True
        return counted

    def drop(self) -> None:
        """Delete a draft that was not published."""
        if self._store:
            self._store.close()
            self._store = None
        if self._place and not self.published:
            shutil.rmtree(self._place, ignore_errors=True)
