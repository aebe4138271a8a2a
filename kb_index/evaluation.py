"""Evaluation of the search: how often it finds the expected passages of a set of questions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avo.kb_index.index.store import Store
from avo.kb_index.search import Hit, search
from avo.types import AvoError

DEPTH = 10
"""Number of hits examined per question."""


def questions(path: Path) -> list[dict[str, Any]]:
    """Return the entries of `queries` in a JSON file: id, kind, query, expect (path and match).

    Raises AvoError that names the entry.
    """
    try:
        entries = json.loads(path.read_text("utf-8"))["queries"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it has no queries ({error})"
        raise AvoError(f"{path} cannot be read: {reason}") from error
    if not isinstance(entries, list):
        raise AvoError(f"{path}: queries has to be a list")
    for number, entry in enumerate(entries, 1):
        try:
            for expected in entry["expect"]:
                re.compile(expected["match"])
                str.strip(expected["path"])
            for key in ("id", "kind", "query"):
                str.strip(entry[key])
        except (KeyError, TypeError, re.error) as error:
            raise AvoError(f"{path}: question {number}: {error!r}") from error
    return entries


def evaluate(store: Store, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return hit@1, hit@5 and MRR (mean reciprocal rank) over the first DEPTH hits, overall and by kind.

    Questions whose expected document is not stored are listed as unanswerable and do not count.
    """
    stored = list(store.documents())
    ranks: dict[str, list[int]] = {}
    missed, skipped = [], []
    for entry in entries:
        expected = [one for one in entry["expect"] if any(_at(one["path"], *document) for document in stored)]
        if not expected:
            skipped.append(entry["id"])
            continue
        hits = search(store, entry["query"], DEPTH)
        rank = next((place for place, hit in enumerate(hits, 1) if _right(hit, expected)), 0)
        ranks.setdefault(entry["kind"], []).append(rank)
        if not 1 <= rank <= 5:
            missed.append(entry["id"])
    together = [rank for kind in ranks.values() for rank in kind]
    return {
        **_figures(together), "by_kind": {kind: _figures(ranks[kind]) for kind in sorted(ranks)},
        "missed": missed, "unanswerable": skipped,
    }  # fmt: skip


def _at(wanted: str, source: str, path: str) -> bool:
    return wanted in path or wanted == source


def _right(hit: Hit, expected: Sequence[Mapping[str, str]]) -> bool:
    said = f"{hit.title} {hit.symbol}"
    return any(_at(one["path"], hit.source, hit.path) and re.search(one["match"], said) for one in expected)


def _figures(ranks: Sequence[int]) -> dict[str, float]:
    """Return the metrics of a list of ranks, which start at 1; 0 means not found."""
    count = max(1, len(ranks))
    return {
        "questions": len(ranks),
        "hit@1": round(sum(rank == 1 for rank in ranks) / count, 4),
        "hit@5": round(sum(1 <= rank <= 5 for rank in ranks) / count, 4),
        "mrr": round(sum(1 / rank for rank in ranks if rank) / count, 4),
    }
