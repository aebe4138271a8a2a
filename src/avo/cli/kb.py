"""`avo kb`: search and read the knowledge base."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from avo.cli.options import AsJson, Source, print_json, printable
from avo.kb_index.evaluation import evaluate as measure
from avo.kb_index.evaluation import questions as asked
from avo.kb_index.index.store import Store
from avo.kb_index.reading import read as passage
from avo.kb_index.reading import symbols as outline
from avo.kb_index.search import advice
from avo.kb_index.search import search as find
from avo.settings import kb_folder

Arch = Annotated[str, typer.Option(envvar="AVO_ARCH", help="sm_90, sm_100a, …; what belongs to none always passes.")]
Kind = Annotated[str, typer.Option(envvar="AVO_KIND", help="code, doc, instruction, op or note.")]


def _store() -> Store:
    """Return the store in use. Raises Missing without one."""
    return Store.open((kb_folder() / "current").resolve())


def search(
    queries: Annotated[list[str], typer.Argument(help="The question; several forms of it are fused.", metavar="QUERY")],
    source: Source = None,
    arch: Arch = "",
    kind: Kind = "",
    k: Annotated[int, typer.Option("-k", envvar="AVO_K", min=1, max=50, help="How many hits.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Find passages: QUERY in words, by the names of instructions or functions, or both.

    Each quoted QUERY is a form of the same question; bare words together are one.
    """
    if not any(" " in query.strip() for query in queries):
        queries = [" ".join(queries)]
    sources = ",".join(source or ())
    with _store() as store:
        hits = find(store, queries, k, sources, arch, kind)
        if as_json:
            print_json({"hits": [asdict(hit) for hit in hits]})
        if not hits:
            print(printable(advice(store, queries, sources, arch, kind)), file=sys.stderr if as_json else sys.stdout)
        if as_json or not hits:
            return
    for number, hit in enumerate(hits, 1):
        tagged = " ".join(tag for tag in hit.arch if tag != "any")
        print(printable(f"{number}. {hit.id}  [{', '.join(filter(None, (hit.version, tagged)))}]"))
        print(printable(f"   {hit.title}" + (f"\n   {hit.url}" if hit.url else "")))
        print(printable("\n".join(f"   | {line}" for line in hit.snippet.splitlines())))
    print(f"read on: avo kb read '{hits[0].id}'")


def read(
    id_or_path: Annotated[str, typer.Argument(help="A hit's id, source:path, or a path.", metavar="ID_OR_PATH")],
    lines: Annotated[str, typer.Option(envvar="AVO_LINES", help="A-B instead of what the id says.")] = "",
    context: Annotated[int, typer.Option(envvar="AVO_CONTEXT", min=0, max=400, help="Lines more on both sides.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print stored text with line numbers, at most 400 lines; its version and licence stand above it."""
    with _store() as store:
        found = passage(store, id_or_path, lines, context)
    print_json(asdict(found)) if as_json else print(printable(found.text()))


def symbols(
    path: Annotated[str, typer.Argument(metavar="PATH", help="source:path, or a path.")],
    as_json: AsJson = False,
) -> None:
    """List the functions, classes or sections of a document with their lines."""
    with _store() as store:
        found = outline(store, path)
    if as_json:
        print_json(found)
        return
    for entry in found:
        print(printable("{:>6}-{:<6} {}".format(*entry["lines"], entry["symbol"])))


def evaluate(
    questions: Annotated[Path, typer.Argument(metavar="FILE", help="JSON: queries with id, kind, query and expect.")],
    as_json: AsJson = False,
) -> None:
    """Measure how often the right passage is found: hit@1, hit@5 and MRR of the questions that can be answered."""
    entries = asked(questions)
    with _store() as store:
        figures = measure(store, entries)
    if as_json:
        print_json(figures)
        return
    print(f"{'':12} {'questions':>9} {'hit@1':>6} {'hit@5':>6} {'MRR':>6}")
    for name, row in {"all": figures, **figures["by_kind"]}.items():
        print(f"{name:12} {row['questions']:>9} {row['hit@1']:>6.2f} {row['hit@5']:>6.2f} {row['mrr']:>6.3f}")
    print(f"not among the first five: {', '.join(figures['missed']) or 'none'}")
    print(f"not answerable from what is stored: {', '.join(figures['unanswerable']) or 'none'}")
