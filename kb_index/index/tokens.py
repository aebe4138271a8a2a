"""The terms of a text, code or prose: the basis of both the lexical and the LSA index."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import snowballstemmer  # type: ignore[import-untyped]

from avo.kb_index.index.abbreviations import WORDS

NAME = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::)\w+)*|\d+\w*", re.ASCII)
"""A word, an identifier or a dotted name: `mbarrier.try_wait.parity`, `cute::copy`, `128x64`."""
PART = re.compile(r"\.|::")
PIECE = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")
"""Parts of a name: Softmax, Sm100 of `SoftmaxSm100`; TMA, Store of `TMAStore`."""
ARCHITECTURE = re.compile(r"sm_?(\d{2,3})[af]?", re.IGNORECASE)
LONGEST = 64
"""Longest term, in characters; longer ones are hashes, tables and mangled names."""
SHORTEST = 4
"""Shortest word that is stemmed, in characters."""
DEEPEST = 4
"""Number of parts in the longest prefix of a dotted name that is a term of its own."""
OWNERS = ("", "self", "cls", "this")
"""Parts of a dotted name without meaning."""
STOP_WORDS = (
    "a an and are as at be been but by can do does for from had has have how i if in into is it its me my no not of on"
    " or our she so such than that the their them then there these they this those to up us was we were what when"
    " where which while who why will with would you your"
)
"""Words that are no terms."""
STOP = frozenset(STOP_WORDS.split())
_PORTER, _ONE_AT_A_TIME = snowballstemmer.stemmer("porter"), Lock()
"""Stemmer by M. F. Porter's rules (1980), and its lock: it stores the current word, so threads take turns."""


def terms(text: str) -> list[str]:
    """Return the terms in order, with repetitions, lower-cased and stemmed; no stop words, no single characters.

    A dotted name gives itself and its prefixes (joined by _), its parts, their camel-case and snake-case pieces, and
    the words that those abbreviate: so `tcgen05.mma` is found in `tcgen05.mma.cta_group::1`, `try wait` in
    `mbarrier_try_wait`, and `shared memory` in `smem_ptr`.
    """
    return [term for match in NAME.finditer(text) for term in _terms_of(match[0])]


def query_terms(text: str) -> list[str]:
    """Return the distinct terms of a question, in order."""
    return list(dict.fromkeys(terms(text)))


def rules(tables: str) -> str:
    """Return 16 hex digits over the code that makes terms, and the tables: only what built an index can query it."""
    files = (Path(__file__).with_name(name).read_bytes() for name in ("abbreviations.py", "tokens.py"))
    return hashlib.sha256(b"\0".join([*files, f"{version('snowballstemmer')} {tables}".encode()])).hexdigest()[:16]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the stem of a lower-case word (`rescaling`, `rescaled`, `rescales` share one); else the word."""
    if len(word) < SHORTEST or not (word.isascii() and word.isalpha()):
        return word
    with _ONE_AT_A_TIME:
        return str(_PORTER.stemWord(word))


@lru_cache(maxsize=1 << 17)
def _terms_of(name: str) -> tuple[str, ...]:
    parts = [part for part in PART.split(name) if part not in OWNERS]
    lengths = sorted({*range(2, min(DEEPEST, len(parts)) + 1), len(parts)} - {0, 1})
    found = ["_".join(parts[:length]) for length in lengths]
    for part in parts:
        pieces = PIECE.findall(part)
        if len(pieces) > 1:
            found.append(part.strip("_"))
        for piece in pieces:
            word = piece.lower()
            if word not in STOP and piece not in OWNERS:
                root = stem(word)
                found += [root, *map(stem, WORDS.get(word, WORDS.get(root, ())))]
        if architecture := ARCHITECTURE.fullmatch(part):
            found.append("sm" + architecture[1])
    return tuple(term.lower() for term in found if 1 < len(term) <= LONGEST)
