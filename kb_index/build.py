"""Build of the index: updates a copy of it source by source, then replaces the index by the copy with one rename."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from avo.kb_index.fetch.fetch import Fetched, Reach, Unreachable, fetch, one_line
from avo.kb_index.fetch.selection import Skipped
from avo.kb_index.fetch.sources import Source, choose
from avo.kb_index.index.place import in_use, only_builder, sweep
from avo.kb_index.staging import Draft, before
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
    """Number of its chunks now in the index."""
    seconds: float
    """Seconds for reading and chunking, without the download."""
    put: int = 0
    """Number of documents indexed or indexed again."""
    removed: int = 0
    """Number of documents removed."""
    skipped: Skipped = field(default_factory=Skipped)
    missing: str = ""
    """The reason why it could not be fetched; its old contents stay in the index."""
    note: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Report:
    """The result of a build."""

    rows: tuple[Row, ...]
    changed: bool
    """True if the index was replaced."""
    seconds: float
    """Duration of the build."""
    waited: float
    """Seconds spent only waiting for downloads."""

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
    only: Iterable[str] | None = None,
    with_: Iterable[str] = (),
    offline: bool = False,
    report: Callable[[str], object] = print,
    fresh: bool = False,
    ask: bool = False,
    embedder: str | None = None,
    progress: Callable[[str], object] = lambda line: None,
) -> Report:
    """Update the index to what the sources contain, writing only differences. Raises AvoError, Missing.

    only: names of the sources to update; the others stay as they are. with_: sources of tier extra to add; those in the
    index already stay. offline: fetch nothing. fresh: start from an empty index. ask: fetch pages, tags and branches
    again. report: receives messages for the user. progress: receives the current activity.
    """
    started = time.monotonic()
    listed = tuple(sources)
    wanted = choose(listed, (*(only or ()), *with_))
    with only_builder(folder):
        sweep(folder)
        old = before(folder, embedder, fresh, report)
        if only is None or (old.facts and not old.store):
            core = only is None
            wanted = tuple(s for s in listed if (core and s.tier == "core") or s in wanted or s.name in old.facts)
        draft = Draft(folder, old, embedder or old.embedder)
        pool = ThreadPoolExecutor(DOWNLOADS)
        try:
            reach = Reach(folder / "cache", offline, ask)
            coming = [(source, pool.submit(_fetched, source, reach)) for source in wanted]
            rows, waited = [], 0.0
            for source, future in coming:
                since = time.monotonic()
                progress(f"fetching {source.name}")
                fetched = future.result()
                waited += time.monotonic() - since
                progress(f"reading {source.name}")
                rows.append(_bring(source, fetched, draft))
            for name in old.facts.keys() - {source.name for source in listed} if only is None else ():
                report(f"{name}: no source of that name is listed any more; removed")
                draft.forget(name)
            if draft.empty:
                raise Missing("nothing to build from: " + "; ".join(f"{row.name}: {row.missing}" for row in rows))
            progress("indexing")
            counted = {entry["name"]: entry for entry in draft.finish()}
        except (OSError, sqlite3.Error) as error:
            raise AvoError(_why(folder, error)) from error
        except AvoError as error:
            raise type(error)(_why(folder, error)) from error
        finally:
            draft.drop()
            pool.shutdown(wait=False, cancel_futures=True)
        sweep(folder)
    rows = [_counted(row, counted.get(row.name, {})) for row in rows]
    return Report(tuple(rows), draft.published, time.monotonic() - started, waited)


def _why(folder: Path, error: Exception) -> str:
    """Return the error and the state of the index in one line; a full disk is named, as its errors seldom say so."""
    said = str(error.args[0][0][2]) if isinstance(error, shutil.Error) else str(error)
    full = "the disk is full: " if shutil.disk_usage(folder).free < FULL else ""
    return f"{folder}: {full}{one_line(said)}; {KEPT if in_use(folder) else LOST}"


def _counted(row: Row, facts: Mapping[str, Any]) -> Row:
    """Return the row with version, documents and chunks as they are in the index now."""
    version = row.version or str(facts.get("version", ""))
    return replace(row, version=version, documents=facts.get("documents", 0), chunks=facts.get("chunks", 0))


def _fetched(source: Source, reach: Reach) -> Fetched | Unreachable:
    """Return the fetched source, or the error."""
    try:
        return fetch(source, reach)
    except Unreachable as error:
        return error


def _bring(source: Source, fetched: Fetched | Unreachable, draft: Draft) -> Row:
    """Index a source's new documents and remove its old ones. A source that cannot be fetched or read is left alone."""
    started = time.monotonic()
    try:
        if isinstance(fetched, Unreachable):
            raise fetched
        documents = fetched.documents(source)
    except Unreachable as error:
        draft.record(source, {**draft.facts(source.name), "missing": str(error)})
        return Row(source.name, "", 0, 0, 0.0, missing=str(error), optional=source.optional)
    old, skipped, put = draft.of(source.name), fetched.skipped, 0
    known = draft.facts(source.name)
    renamed = (known.get("version"), known.get("licence")) != (fetched.version, source.licence)
    for document in documents:
        if renamed or old.get(document.path) != document.digest:
            reason = draft.put(document)
            put += not reason
            if reason:
                skipped.add(document.path, reason)
    gone = sorted(draft.of(source.name).keys() - {document.path for document in documents})
    for path in gone:
        draft.remove(source.name, path)
    draft.record(source, {
        "version": fetched.version, "url": fetched.url, "sha256": fetched.sha256, "note": fetched.note,
        "skipped": skipped.count, "skipped_first": list(skipped.first), "missing": "",
    })  # fmt: skip
    seconds = time.monotonic() - started
    return Row(source.name, fetched.version, 0, 0, seconds, put, len(gone), skipped, "", fetched.note, source.optional)
