"""`avo kb build`, `update` and `sources`: build the index of the knowledge base, and list its sources."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from avo.cli.options import AsJson, Source, print_json, printable
from avo.kb_index.build import Report, Row
from avo.kb_index.build import build as make
from avo.kb_index.fetch.sources import load
from avo.kb_index.index.place import in_use
from avo.kb_index.index.store import Store
from avo.settings import kb_folder
from avo.types import Missing

With = Annotated[
    list[str] | None,
    typer.Option("--with", envvar="AVO_KB_WITH", help="Add this source of tier extra, or 'all'; again for more."),
]
Offline = Annotated[
    bool, typer.Option("--offline", envvar="AVO_OFFLINE", help="Fetch nothing: use what was fetched before.")
]
List = Annotated[
    Path | None,
    typer.Option("--list", envvar="AVO_KB_SOURCES", help="A file of your own sources, beside the shipped ones."),
]
Embedder = Annotated[
    str | None,
    typer.Option("--embedder", envvar="AVO_KB_EMBEDDER", help="lsa-256, or another one [default: as it was]."),
]


def build(
    source: Source = None,
    with_: With = None,
    offline: Offline = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the index from nothing.")] = False,
    list_: List = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Make the index, or bring it up to date with the sources' list and your folders.

    Exit code 3 when a source that it is not whole without cannot be had; the index then holds the rest.
    """
    _build(source, with_, offline, fresh, False, list_, embedder, as_json)


def update(
    source: Source = None,
    with_: With = None,
    offline: Offline = False,
    list_: List = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Build, and ask again for what may have changed since it was fetched: web pages, tags and branches."""
    _build(source, with_, offline, False, True, list_, embedder, as_json)


def sources(list_: List = None, as_json: AsJson = False) -> None:
    """Show the sources: what each is, its licence, and what the index holds of it."""
    listed = load(list_)
    held: dict[str, dict[str, Any]] = {}
    if place := in_use(kb_folder()):
        with Store.open(place) as store:
            held = {entry["name"]: entry for entry in store.sources()}
    rows = []
    for source in listed:
        facts = held.get(source.name, {})
        rows.append({
            "name": source.name, "type": source.type, "tier": source.tier, "optional": source.optional,
            "reference": source.reference, "licence": source.licence, "about": source.about,
            "version": facts.get("version", ""), "documents": facts.get("documents", 0),
            "chunks": facts.get("chunks", 0), "missing": facts.get("missing", ""), "url": facts.get("url", ""),
            "sha256": facts.get("sha256", ""), "skipped": facts.get("skipped", 0),
        })  # fmt: skip
    if as_json:
        print_json({"folder": str(kb_folder()), "sources": rows})
        return
    for row in rows:
        held_now = f"{row['chunks']} chunks of {row['version']}" if row["chunks"] else "not built"
        missing = f"; missing: {row['missing']}" if row["missing"] else ""
        print(printable(f"{row['name']:16} {row['tier']:5} {held_now}{missing}"))
        print(printable(f"{'':22} {row['about'] or row['reference']}; {row['licence']}"))


def _build(
    only: list[str] | None, with_: list[str] | None, offline: bool, fresh: bool, ask: bool,
    file: Path | None, embedder: str | None, as_json: bool,
) -> None:  # fmt: skip

    listed = load(file)
    added = [source.name for source in listed if source.tier == "extra"] if "all" in (with_ or ()) else with_ or ()
    told: list[str] = []
    done = make(
        kb_folder(), listed, only, added, offline,
        told.append if as_json else lambda line: print(printable(line), flush=True),
        fresh, ask, embedder, _progress,
    )  # fmt: skip
    _progress("")
    if as_json:
        print_json(_as_dict(done, told))
    else:
        print(printable(_text(done)))
    if done.lacking:
        raise Missing(f"{kb_folder()}: built without {', '.join(done.lacking)}; avo kb build once they can be had")


def _progress(line: str) -> None:
    """Print a line that the next one replaces, if standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{printable(line)}", end="", file=sys.stderr, flush=True)


def _text(done: Report) -> str:
    lines = [_line(row) for row in done.rows]
    state = "built" if done.changed else "nothing has changed"
    return "\n".join([*lines, f"{done.chunks} chunks in {len(done.rows)} sources, {state} in {done.seconds:.1f} s"])


def _line(row: Row) -> str:
    if row.missing:
        kept = f"; {row.chunks} chunks of {row.version} stay" if row.documents else ""
        return f"{row.name:16} missing: {row.missing}{kept}"
    notes = [f"skipped {row.skipped.count} ({row.skipped.first[0]})"] if row.skipped.count else []
    notes += [row.note] if row.note else []
    counts = f"{row.version:14} {row.documents:5} documents {row.chunks:6} chunks {row.seconds:6.1f} s"
    changes = f"  {row.put} new, {row.removed} gone" if row.put or row.removed else ""
    return "; ".join([f"{row.name:16} {counts}{changes}", *notes])


def _as_dict(done: Report, told: list[str]) -> dict[str, Any]:
    return {
        "changed": done.changed, "chunks": done.chunks, "seconds": round(done.seconds, 3),
        "waited_for_downloads": round(done.waited, 3), "notes": told, "lacking": list(done.lacking),
        "sources": [asdict(row) for row in done.rows],
    }  # fmt: skip
