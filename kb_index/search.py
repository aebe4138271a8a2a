"""Search: several forms of a question, each against the lexical and the dense index, fused by reciprocal rank.

The lexical index is queried twice: on everything, and on title, symbol and path alone, where names are defined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Row

from avo.kb_index.index import lexical
from avo.kb_index.index.store import Store
from avo.kb_index.index.tokens import query_terms, terms
from avo.types import AvoError

CANDIDATES = 50
"""Number of candidates per ranked list."""
DAMPING = 60
"""k of reciprocal rank fusion (Cormack et al., SIGIR 2009): rank r of a list adds 1 / (k + r)."""
NAMES_WEIGHT = 0.5
"""Weight of a list by title, symbol and path alone; lists by everything have weight 1."""
BONUS = 0.25
"""Weight of the list of passages that share a word with the scenario's tags; a question's lists have weight 1."""
PER_FILE = 2
"""Number of hits from one file, as long as others are left."""
SNIPPET = 400
"""Longest snippet, in characters."""
ARCHITECTURE = re.compile(r"(?:sm_?)?(\d{2,3})[af]?", re.IGNORECASE)
"""An architecture as a user writes it; the group is the number."""
TABLE_OF = {"source": "documents", "kind": "chunks"}
"""Filter -> the table that has it as a column."""


@dataclass(frozen=True)
class Hit:
    """A passage that was found."""

    id: str
    source: str
    version: str
    path: str
    lines: tuple[int, int]
    title: str
    symbol: str
    symbol_lines: tuple[int, int]
    """Lines of the whole function or class; (0, 0) without one."""
    kind: str
    arch: tuple[str, ...]
    url: str
    snippet: str
    """The lines that share most words with the questions, at most SNIPPET characters."""


def search(
    store: Store, queries: str | Sequence[str], k: int = 8, source: str = "", arch: str = "", kind: str = "",
    tags: Sequence[str] = (),
) -> list[Hit]:  # fmt: skip
    """Return the k best passages for one question in one or several forms.

    tags: of a scenario; passages that share a word with them are preferred among similarly ranked ones.
    Raises AvoError for an unknown source, architecture or kind.
    """
    asked = [queries] if isinstance(queries, str) else list(queries)
    asked = [text for text in asked if text.strip()]
    scores = _ranked(store, asked, _among(store, source, arch, kind))
    _add(scores, lexical.nearest(store.db, query_terms(" ".join(tags)), [*scores], len(scores)), BONUS)
    query = (
        "SELECT chunks.*, source, path, documents.url AS page FROM chunks"
        " JOIN documents ON documents.id = chunks.document WHERE chunks.id=?"
    )
    order = sorted(scores, key=lambda number: (-scores[number], number))
    chunks = [row for number in order for row in store.rows(query, number)]
    facts = store.sources()
    words = {term for text in asked for term in query_terms(text)}
    return [_hit(chunk, facts.get(chunk["source"], {}).get("version", ""), words) for chunk in _spread(chunks, k)]


def advice(store: Store, queries: Sequence[str], source: str = "", arch: str = "", kind: str = "") -> str:
    """Return one line for an empty result: which filters to drop, or how to ask."""
    given = [f"{name} {value}" for name, value in (("source", source), ("arch", arch), ("kind", kind)) if value]
    if given and search(store, queries, 1):
        return f"nothing found; drop a filter: {', '.join(given)}"
    return "nothing found: no passage shares a word with the question; name an instruction, a function or a concept"


def _among(store: Store, source: str, arch: str, kind: str) -> list[int] | None:
    """Return the numbers of the chunks that pass the filters; None for all. Raises AvoError for an unknown filter.

    source: names, separated by commas. arch: sm_90a equals sm_90; what is tagged with no architecture always passes.
    """
    parts, values = ["SELECT chunks.id FROM chunks JOIN documents ON documents.id = chunks.document WHERE 1"], []
    for what, given in (("source", source.split(",")), ("kind", [kind])):
        asked = [name.strip() for name in given if name.strip()]
        known = [name for (name,) in store.rows(f"SELECT DISTINCT {what} FROM {TABLE_OF[what]} ORDER BY 1")]
        if unknown := [name for name in asked if name not in known]:
            raise AvoError(f"no {what} '{unknown[0]}'; there are: {', '.join(known) or 'none'}")
        if asked:
            parts.append(f"{what} IN ({', '.join('?' * len(asked))})")
            values += asked
    if arch:
        found = ARCHITECTURE.fullmatch(arch)
        if not found and arch not in ("cpu", "any"):
            raise AvoError(f"no architecture '{arch}'; give sm_90, sm_100 and the like, or cpu")
        parts.append("(instr(arch, ?) OR instr(arch, ' any '))")
        values.append(f" sm_{found[1]} " if found else f" {arch} ")
    return [number for (number,) in store.rows(" AND ".join(parts), *values)] if values else None


def _ranked(store: Store, asked: Sequence[str], among: Sequence[int] | None) -> dict[int, float]:
    """Return the fused scores of chunks: every question is asked of both indexes."""
    scores: dict[int, float] = {}
    wordings = [query_terms(text) for text in asked]
    for words in wordings:
        _add(scores, lexical.nearest(store.db, words, among, CANDIDATES))
        _add(scores, lexical.nearest(store.db, words, among, CANDIDATES, lexical.NAMES), NAMES_WEIGHT)
    if asked:
        vectors = store.embedder.embed(asked, [" ".join(words) for words in wordings])
        for numbers in store.vectors.nearest(vectors[vectors.any(axis=1)], among, CANDIDATES):
            _add(scores, numbers)
    return scores


def _add(scores: dict[int, float], numbers: Sequence[int], weight: float = 1.0) -> None:
    """Add a ranked list to the scores."""
    for place, number in enumerate(numbers, 1):
        scores[number] = scores.get(number, 0.0) + weight / (DAMPING + place)


def _spread(chunks: Sequence[Row], k: int) -> list[Row]:
    """Return the first k, one per symbol and PER_FILE per file; more of a file only where nothing else is left."""
    chosen: list[Row] = []
    crowded: list[Row] = []
    symbols: set[tuple[int, str]] = set()
    files: Counter[int] = Counter()
    for chunk in chunks:
        key = (chunk["document"], chunk["symbol"] or str(chunk["id"]))
        if key not in symbols:
            symbols.add(key)
            files[chunk["document"]] += 1
            (chosen if files[chunk["document"]] <= PER_FILE else crowded).append(chunk)
    return (chosen + crowded)[:k]


def _hit(chunk: Row, version: str, words: set[str]) -> Hit:
    return Hit(
        chunk["name"], chunk["source"], version, chunk["path"], (chunk["first"], chunk["last"]), chunk["title"],
        chunk["symbol"], (chunk["symbol_first"], chunk["symbol_last"]), chunk["kind"], tuple(chunk["arch"].split()),
        chunk["url"] or chunk["page"], snippet(chunk["text"], words),
    )  # fmt: skip


def snippet(text: str, words: set[str]) -> str:
    """Return the consecutive lines, at most SNIPPET characters, with the most different words of the question."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    shared = [words & set(terms(line)) for line in lines]
    best, most = "", -1
    for start in range(len(lines)):
        rest = "\n".join(lines[start:])
        window = rest if len(rest) <= SNIPPET else rest[:SNIPPET].rpartition("\n")[0] or rest[:SNIPPET]
        count = len(set[str]().union(*shared[start : start + window.count("\n") + 1]))
        if count > most:
            best, most = window, count
    return best
