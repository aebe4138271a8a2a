"""Build of the index: updates a copy of it source by source, then replaces the index by the copy with one rename."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from avo.kb_index.chunkers import Unreadable, parse
from avo.kb_index.fetch.fetch import Fetched, Reach, Unreachable, fetch, one_line
from avo.kb_index.fetch.sources import Source, choose
from avo.kb_index.index.embedders import DEFAULT
from avo.kb_index.index.place import in_use, new_store, only_builder, publish, sweep
from avo.kb_index.index.store import TABLES, Store, recorded
from avo.kb_index.index.tokens import rules
from avo.types import AvoError, Missing

KEPT, LOST = "the index as it was stays in use", "no index was made"
FULL = 16 << 20
"""Free bytes below which a failed build is blamed on a full disk."""
DOWNLOADS = 4
"""Number of sources fetched at the same time."""


@dataclass(frozen=True)
class Row:
    """The result of a build for one source."""

    name: str
    version: str
    documents: int
    chunks: int
    """Numbers of its documents and chunks now in the index."""
    optional: bool
    put: int = 0
    """Number of documents indexed or indexed again."""
    removed: int = 0
    """Number of documents removed."""
    skipped: tuple[str, ...] = ()
    """Files left out, with the reason."""
    missing: str = ""
    """The reason why it could not be fetched; its old contents stay in the index."""
    note: str = ""


@dataclass(frozen=True)
class Report:
    """The result of a build."""

    rows: tuple[Row, ...]
    changed: bool
    """True if the index was replaced."""
    seconds: float
    """Duration of the build."""

    @property
    def chunks(self) -> int:
        """Number of chunks in the index."""
        return sum(row.chunks for row in self.rows)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Required sources of which the index has no document."""
        return tuple(row.name for row in self.rows if row.missing and not row.optional and not row.documents)


def build(
    folder: Path,
    sources: Iterable[Source],
    only: Iterable[str] = (),
    with_: Iterable[str] = (),
    offline: bool = False,
    report: Callable[[str], object] = print,
    fresh: bool = False,
    ask: bool = False,
    embedder: str = "",
    done: Callable[[Row], object] = lambda row: None,
) -> Report:
    """Update the index to what the sources contain, writing only differences. Raises AvoError, Missing.

    only: names of the sources to update; the others stay as they are. with_: sources of tier extra to add; those in the
    index already stay. offline: fetch nothing. fresh: start from an empty index. ask: fetch pages, tags and branches
    again. embedder: another one than before. report: receives messages for the user. done: receives each source's
    result as soon as there is one.
    """
    started = time.monotonic()
    listed = tuple(sources)
    wanted = choose(listed, (*only, *with_))
    with only_builder(folder):
        place, pool = new_store(folder), ThreadPoolExecutor(DOWNLOADS)
        try:
            store, held = _begun(folder, place, embedder, fresh, report)
            with store:
                if not only or not store.documents():
                    wanted = tuple(
                        source for source in listed
                        if (source.tier == "core" and not only) or source in wanted or source.name in held
                    )  # fmt: skip
                reach = Reach(folder / "cache", offline, ask)
                coming = [(source, pool.submit(fetch, source, reach)) for source in wanted]
                rows = []
                for source, fetched in coming:
                    rows.append(_bring(source, fetched, store))
                    done(rows[-1])
                for name in () if only else store.sources().keys() - {source.name for source in listed}:
                    report(f"{name}: no source of that name is listed any more; removed")
                    _forget(store, name)
                if not store.rows("SELECT 1 FROM chunks LIMIT 1"):
                    raise Missing("nothing to build from: " + "; ".join(f"{row.name}: {row.missing}" for row in rows))
                changed = store.db.total_changes > 0
                if changed:
                    store.finish()
            if changed:
                publish(folder, place)
        except (OSError, sqlite3.Error) as error:
            raise AvoError(_why(folder, error)) from error
        except AvoError as error:
            raise type(error)(_why(folder, error)) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            sweep(folder)
    return Report(tuple(rows), changed, time.monotonic() - started)


def chunkers() -> str:
    """Return 16 hex digits over the code of the chunkers: other chunkers need a new index."""
    here = Path(__file__).resolve().parent
    files = sorted([*(here / "chunkers").glob("*.py"), here / "index" / "arch.py", here / "index" / "chunk.py"])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _begun(
    folder: Path, place: Path, embedder: str, fresh: bool, report: Callable[[str], object]
) -> tuple[Store, set[str]]:
    """Return the next store, a copy of the one in use or an empty one, and the names of the sources it has to hold.

    report: receives the reason why an empty one is needed.
    """
    old, facts, held = in_use(folder), dict[str, str](), set[str]()
    if old:
        try:
            facts, held = recorded(old)
        except AvoError as error:
            report(f"{error}: building it from nothing")
    code = {"embedder": embedder or facts.get("embedder", DEFAULT), "rules": rules(TABLES), "chunkers": chunkers()}
    other = [name for name in code if facts.get(name) != code[name]]
    if old and not other and not fresh:
        shutil.copytree(old, place)
        return Store.open(place, writing=True), held
    if facts and not fresh:
        report(f"made with other {' and '.join(other)}: building it from nothing")
    return Store.create(place, code["embedder"], code["chunkers"]), set() if fresh else held


def _why(folder: Path, error: Exception) -> str:
    """Return the error and the state of the index in one line; a full disk is named, as its errors seldom say so."""
    said = str(error.args[0][0][2]) if isinstance(error, shutil.Error) else str(error)
    full = "the disk is full: " if shutil.disk_usage(folder).free < FULL else ""
    return f"{folder}: {full}{one_line(said)}; {KEPT if in_use(folder) else LOST}"


def _bring(source: Source, coming: Future[Fetched], store: Store) -> Row:
    """Index a source's new documents and remove its old ones. A source that cannot be fetched or read is left alone."""
    facts = store.sources().get(source.name, {})
    old = {path: digest for (name, path), digest in store.documents().items() if name == source.name}
    try:
        fetched = coming.result()
        documents = fetched.documents(source)
    except Unreachable as error:
        store.record(source.name, facts | {"missing": str(error)})
        version = facts.get("version", "")
        return Row(source.name, version, *store.counts(source.name), source.optional, missing=str(error))
    put, skipped = 0, fetched.skipped
    gone = old.keys() - {document.path for document in documents}
    for document in documents:
        if old.get(document.path) == document.digest:
            continue
        try:
            store.put(document, parse(document))
            put += 1
        except Unreadable as error:
            skipped.append(str(error))
            gone |= old.keys() & {document.path}
    for path in gone:
        store.remove(source.name, path)
    store.record(source.name, {
        "version": fetched.version, "licence": source.licence, "missing": "", "skipped": len(skipped),
    })  # fmt: skip
    counts = store.counts(source.name)
    return Row(source.name, fetched.version, *counts, source.optional, put, len(gone), tuple(skipped), "", fetched.note)


def _forget(store: Store, name: str) -> None:
    """Remove a source with its documents and facts."""
    for source, path in store.documents():
        if source == name:
            store.remove(source, path)
    store.db.execute("DELETE FROM sources WHERE name=?", (name,))
