"""The next index: a copy of the one in use, made when the first difference shows, and put in its place at the end."""

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
"""In a store: what it was made with."""
COUNTED = ("name", "documents", "chunks")
"""What a store knows of a source without being told."""


@dataclass(frozen=True)
class Before:
    """The index in use: its folder, None when it is to be made from nothing, and what it holds."""

    store: Path | None = None
    embedder: str = DEFAULT
    digests: Mapping[tuple[str, str], str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By source; empty ones when it is to be made from nothing, which is to hold the same sources."""


def before(folder: Path, embedder: str | None, fresh: bool, report: Callable[[str], object]) -> Before:
    """The index in use, without its contents when it is to be made from nothing."""
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
    """16 hex digits of the code that cuts documents up."""
    here = Path(__file__).resolve().parent
    files = sorted([*(here / "chunkers").glob("*.py"), here / "index" / "arch.py", here / "index" / "chunk.py"])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:16]


class Draft:
    """The next index: a copy of the one in use, made when the first difference shows."""

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
        """Open to write."""
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
        return not self._digests

    def of(self, source: str) -> dict[str, str]:
        """Path -> digest of what the draft holds of a source."""
        return {path: digest for (name, path), digest in self._digests.items() if name == source}

    def facts(self, source: str) -> dict[str, Any]:
        """What the index in use records of a source."""
        return {key: value for key, value in self.before.facts.get(source, {}).items() if key not in COUNTED}

    def put(self, document: Document) -> str:
        """Take a document; returns why it cannot be read, and then forgets what was there of it."""
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
        self.store.remove(source, path)
        del self._digests[source, path]

    def record(self, source: Source, facts: Mapping[str, Any]) -> None:
        """Keep what is known of a source, if that differs from what was."""
        stated = {"type": source.type, "reference": source.reference, "tier": source.tier, "licence": source.licence}
        told = dict(facts) | stated | {"about": source.about, "optional": source.optional}
        if told != self.facts(source.name):
            self.store.record(source.name, told)

    def forget(self, source: str) -> None:
        """Remove a source with all that is recorded of it."""
        for path in sorted(self.of(source)):
            self.remove(source, path)
        self.store.db.execute("DELETE FROM sources WHERE name=?", (source,))

    def finish(self) -> list[dict[str, Any]]:
        """Put the new index in use if anything differs; what is in use then, by source."""
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
        """Leave nothing behind of a draft that did not get into use."""
        if self._store:
            self._store.close()
            self._store = None
        if self._place and not self.published:
            shutil.rmtree(self._place, ignore_errors=True)
