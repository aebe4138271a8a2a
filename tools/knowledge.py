"""The tools on the knowledge base: search and read. Passages shown are journalled with the next evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from avo.sandbox.process import elide
from avo.settings import kb_folder
from avo.tools.workspace import Workspace
from avo.types import AvoError, ToolError

if TYPE_CHECKING:
    from avo.kb_index.index.store import Store

LONGEST_ANSWER = 5800
"""Maximum length in characters of an answer."""
MOST_QUERIES = 6
"""Maximum number of queries of one search."""
HITS = 6
"""Maximum number of hits of one search."""
SNIPPET = 400
"""Maximum length in characters of a hit's text."""
EVERY_ARCH = "all"
"""Value of `arch` for any architecture."""
CONTENTS = "contents"
"""Value of `lines` for the outline of a document."""
_open: dict[Path, Store] = {}
"""Folder -> the open store; one at most."""


async def kb_search(workspace: Workspace, queries: list[str], arch: str = "", source: str = "") -> str:
    """Find passages in the knowledge base: PTX instructions, CUDA and CuTe documentation, sources of attention kernels.

    queries: one question in two or three forms, in words and by names, e.g. ["wait on a barrier until a copy has
    landed", "mbarrier.try_wait.parity"]; they are fused. arch: sm_90a, sm_100a …; by default the run's target; "all"
    for any. source: the name of one source, as hits show it before the colon.
    """
    if not 0 < len(queries) <= MOST_QUERIES or not any(query.strip() for query in queries):
        raise ToolError(f"give 1 to {MOST_QUERIES} queries")
    asked = [query[:1000] for query in queries]
    arch = "" if arch == EVERY_ARCH else arch or workspace.target

    from avo.kb_index.search import advice, search

    with _current() as store:
        hits = search(store, asked, HITS, source, arch, tags=workspace.scenario.tags)
        wider = f' (arch "{EVERY_ARCH}" drops that filter)' if arch else ""
        text = "" if hits else advice(store, asked, source, arch) + wider
    shown = []
    for hit in hits:
        whole = "{}-{}".format(*hit.symbol_lines) if hit.symbol_lines[0] else ""
        facts = [hit.version, *hit.arch, f"{hit.symbol} is lines {whole}" if whole and hit.symbol else "", hit.url]
        shown.append(f"{hit.id}\n{hit.title} ({', '.join(filter(None, facts))})\n{hit.snippet[:SNIPPET]}")
    workspace.journal.add_consulted(workspace.step, [hit.id for hit in hits], " | ".join(asked))
    return elide(text or "\n\n".join([*shown, "read on: kb_read(id), or kb_read(id, lines)"]), LONGEST_ANSWER)


async def kb_read(workspace: Workspace, id_or_path: str, lines: str = "") -> str:
    """Read the knowledge base with line numbers: the id of a hit, or source:path with lines, e.g. "120-180".

    lines: "contents" lists the functions, classes or sections of the document, with their lines.
    Mind the licence in its header: learn from the text, do not paste it.
    """

    from avo.kb_index.reading import read, symbols

    with _current() as store:
        if lines == CONTENTS:
            outline = symbols(store, id_or_path)
            return elide("\n".join("{}-{} {}".format(*e["lines"], e["symbol"]) for e in outline), LONGEST_ANSWER)
        passage = read(store, id_or_path, lines)
    place = f"{passage.source}:{passage.path}#L{passage.first}-{passage.last}"
    workspace.journal.add_consulted(workspace.step, [place], "")
    return passage.text(LONGEST_ANSWER)


@contextlib.contextmanager
def _current() -> Iterator[Store]:
    """Yield the current store, even if it has been rebuilt. Raises ToolError, also for an AvoError in the block."""
    current = kb_folder() / "current"
    if not current.exists():
        raise ToolError("there is no knowledge base on this machine (avo kb build makes it): go on without it")
    try:
        yield _opened(current.resolve())
    except AvoError as error:
        raise ToolError(str(error)) from error


def _opened(folder: Path) -> Store:
    """Return the store in a folder, kept open between calls: loading Chroma takes half a second. Others are closed."""
    from avo.kb_index.index.store import Store

    if folder not in _open:
        for other in [*_open]:
            _open.pop(other).close()
        _open[folder] = Store.open(folder)
    return _open[folder]
