"""Outline of source code: every function as a stretch, the code between functions as others; no line is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from avo.kb_index.chunkers.pieces import Stretch, one_line

LICENCE = re.compile(r"SPDX-License-Identifier|redistribution and use|licensed under|without warrant", re.IGNORECASE)
"""Phrases by which a comment is recognised as a licence."""


@dataclass(frozen=True)
class Named:
    """A function or a class as the parser found it (first and last line), without the comments above it."""

    start: int
    end: int
    symbol: str
    title: str
    is_class: bool = False


@dataclass(frozen=True)
class Language:
    """The lexical properties of a language that its grammar does not give."""

    filler: re.Pattern[str]
    """A whole line without content of its own: a bracket, an else, an endif."""
    names: re.Pattern[str]
    """A definition outside functions; the first matching group is the name."""


def stretches(
    lines: Sequence[str], named: Iterable[Named], comments: set[int], language: Language, file: str
) -> list[Stretch]:
    """Return all lines after the licence, in order; a class's header and code between its methods carry its name.

    comments: the lines that hold nothing else.
    """
    found: list[Stretch] = []
    at = after_licence(lines, comments)
    enclosing: list[Named] = []

    def fill(last: int) -> Iterator[Stretch]:
        """The lines from `at` up to `last`, parted where classes end."""
        nonlocal at
        while at <= last:
            while enclosing and enclosing[-1].end < at:
                enclosing.pop()
            end = min(last, enclosing[-1].end) if enclosing else last
            if any(line.strip() for line in lines[at - 1 : end]):
                yield between(lines, at, end, enclosing[-1] if enclosing else None, language, file)
            at = end + 1

    for item in sorted(named, key=lambda item: (item.start, -item.end)):
        if item.end < at:
            continue
        start = max(item.start, at)
        while start > at and start - 1 in comments:
            start -= 1
        found += fill(start - 1)
        if item.is_class:
            while enclosing and enclosing[-1].end < item.start:
                enclosing.pop()
            enclosing.append(replace(item, start=start))
            continue
        found.append(Stretch(start, item.end, item.title, "code", item.symbol, (start, item.end)))
        at = item.end + 1
    found += fill(len(lines))
    return absorbed(lines, found, language)


def between(lines: Sequence[str], start: int, end: int, owner: Named | None, language: Language, file: str) -> Stretch:
    """Return the stretch of a class's header or fields, or of module code outside functions."""
    if owner is not None:
        return Stretch(start, end, owner.title, "code", owner.symbol, (owner.start, owner.end))
    matches = filter(None, map(language.names.match, lines[start - 1 : end]))
    names = list(dict.fromkeys(match[match.lastindex or 0] for match in matches))[:8]
    return Stretch(start, end, one_line(f"{file}: {', '.join(names) or 'outside functions'}"), "code")


def absorbed(lines: Sequence[str], found: Sequence[Stretch], language: Language) -> list[Stretch]:
    """Merge stretches that hold only filler into the previous one."""
    kept: list[Stretch] = []
    for stretch in found:
        inside = (line.strip() for line in lines[stretch.start - 1 : stretch.end])
        if kept and all(not line or language.filler.fullmatch(line) for line in inside):
            kept[-1] = replace(kept[-1], end=stretch.end)
        else:
            kept.append(stretch)
    return kept


def after_licence(lines: Sequence[str], comments: set[int]) -> int:
    """Return the first line after the comments at the head of a file that hold a licence; 1 without one."""
    at = number = 1
    while number in comments or (number <= len(lines) and not lines[number - 1].strip()):
        number += 1
        if number not in comments and LICENCE.search("\n".join(lines[at - 1 : number - 1])):
            at = number
    return at
