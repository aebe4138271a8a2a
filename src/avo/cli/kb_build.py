"""`avo kb build`, `update` and `sources`: build the index of the knowledge base, and list its sources."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from avo.cli.options import AsJson, Source, print_json, printable
from avo.kb_index.build import Row
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
    str,
    typer.Option("--embedder", envvar="AVO_KB_EMBEDDER", help="lsa-256, or another one [default: as it was]."),
]


def build(
    source: Source = None,
    with_: With = None,
    offline: Offline = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the index from nothing.")] = False,
    list_: List = None,
    embedder: Embedder = "",
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
    embedder: Embedder = "",
    as_json: AsJson = False,
) -> None:
    """Build, and ask again for what may have changed since it was fetched: web pages, tags and branches."""
    _build(source, with_, offline, False, True, list_, embedder, as_json)


def sources(list_: List = None, as_json: AsJson = False) -> None:
    """Show the sources: what each is, its licence, and what the index holds of it."""
    rows = []
    nothing = {"version": "", "missing": "", "skipped": 0, "documents": 0, "chunks": 0}
    place = in_use(kb_folder())
    with Store.open(place) if place else nullcontext() as store:
        held = store.sources() if store else {}
        for source in load(list_):
            row = source.model_dump(include={"name", "type", "tier", "optional", "licence", "about"})
            row |= {"reference": source.reference} | nothing | held.get(source.name, {})
            if store:
                row["documents"], row["chunks"] = store.counts(source.name)
            rows.append(row | {"licence": source.licence})
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
    file: Path | None, embedder: str, as_json: bool,
) -> None:  # fmt: skip

    def tell(line: str) -> None:
        print(printable(line), flush=True, file=sys.stderr if as_json else sys.stdout)

    listed = load(file)
    added = [source.name for source in listed if source.tier == "extra"] if "all" in (with_ or ()) else with_ or ()
    done = make(
        kb_folder(), listed, only or (), added, offline, tell, fresh, ask, embedder, lambda row: tell(_line(row))
    )
    if as_json:
        print_json({
            "changed": done.changed, "chunks": done.chunks, "seconds": round(done.seconds, 3), "lacking": done.lacking,
            "sources": [asdict(row) for row in done.rows],
        })  # fmt: skip
    else:
        state = "built" if done.changed else "nothing has changed"
        tell(f"{done.chunks} chunks in {len(done.rows)} sources, {state} in {done.seconds:.1f} s")
    if done.lacking:
        raise Missing(f"{kb_folder()}: built without {', '.join(done.lacking)}; avo kb build once they can be had")


def _line(row: Row) -> str:
    if row.missing:
        kept = f"; {row.chunks} chunks of {row.version} stay" if row.documents else ""
        return f"{row.name:16} missing: {row.missing}{kept}"
    changes = f"  {row.put} new, {row.removed} gone" if row.put or row.removed else ""
    notes = [f"skipped {len(row.skipped)} ({row.skipped[0]})"] if row.skipped else []
    counts = f"{row.name:16} {row.version:14} {row.documents:5} documents {row.chunks:6} chunks{changes}"
    return "; ".join(filter(None, [counts, *notes, row.note]))
