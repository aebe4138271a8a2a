"""Functions shared by the chunkers: decoding, and cutting stretches of lines into chunks of limited length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from avo.kb_index.index import arch
from avo.kb_index.index.chunk import LONGEST, Chunk, Document

LONGEST_TITLE = 200
"""Longest title, in characters."""
CONTROL = {code: None for code in [*range(9), 11, 12, *range(14, 32), 127]} | dict.fromkeys((0x85, 0x2028, 0x2029), " ")
r"""Translation table that removes control characters, so that \n is the only line end."""
BINARY = 0.05
"""Fraction of control characters above which bytes are no text."""


class Unreadable(Exception):
    """A document cannot be read; one line that names it and gives the reason."""


@dataclass(frozen=True)
class Stretch:
    """Lines that belong together: a function, a section, or the text between two of them."""

    start: int
    end: int
    title: str
    kind: str
    symbol: str = ""
    symbol_lines: tuple[int, int] = (0, 0)
    url: str = ""
    head: str = ""
    """A line put above each of its chunks, though it is not in the text."""
    arch: tuple[str, ...] = ()
    """Architecture tags; empty: derived from path, title and text."""


def decoded(document: Document) -> str:
    r"""Return the text with \n line ends: UTF-8, else cp1252 with replacement. Raises Unreadable for binary files."""
    content = document.content
    if b"\0" in content:
        raise Unreadable(f"{document.path}: holds NUL bytes, so it is no text")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = text.translate(CONTROL)
    if len(text) - len(clean) > BINARY * len(text):
        raise Unreadable(f"{document.path}: holds mostly control characters, so it is no text")
    return clean


def by_indentation(lines: Sequence[str]) -> Callable[[int], int]:
    """Return the cost of a cut in code before each line: low after a blank line and at small indentation."""

    def cost(number: int) -> int:
        line = lines[number - 1]
        bare = line.lstrip()
        if not bare:
            return 99
        return len(line) - len(bare) + (0 if not lines[number - 2].strip() else 8) + (6 if bare[0] in ")]}" else 0)

    return cost


def by_paragraph(lines: Sequence[str]) -> Callable[[int], int]:
    """Return the cost of a cut in prose before each line: 0 after a blank line, unless the text is indented."""

    def cost(number: int) -> int:
        line = lines[number - 1]
        return 30 if lines[number - 2].strip() else min(20, len(line) - len(line.lstrip()))

    return cost


def cut(
    lines: Sequence[str], start: int, end: int, cost: Callable[[int], int], least: int, longest: int = LONGEST
) -> Iterator[tuple[int, int]]:
    """Yield first and last line of pieces of at most `longest` characters, in order and without gaps.

    Each cut is at the lowest cost once a piece has `least` characters, and the last piece is not tiny. A line that is
    too long becomes a piece of its own. Takes linear time.
    """
    left = sum(len(lines[number - 1]) + 1 for number in range(start, end + 1))
    at = start
    while at <= end:
        if left - 1 <= longest:
            yield at, end
            return
        room = min(longest, left - longest // 4)
        size, number = 0, at
        best, where, taken = 1 << 30, 0, 0
        while number <= end and size + len(lines[number - 1]) <= room:
            size += len(lines[number - 1]) + 1
            number += 1
            if number <= end and size >= least and (price := cost(number)) <= best:
                best, where, taken = price, number, size
        if number == at:
            where, taken = at + 1, len(lines[at - 1]) + 1
        elif not where:
            where, taken = number, size
        yield at, where - 1
        left -= taken
        at = where


def texts(
    lines: Sequence[str], stretch: Stretch, cost: Callable[[int], int], least: int
) -> Iterator[tuple[int, int, str]]:
    """Yield first line, last line and text of the pieces of a stretch, without blank lines at the edges."""
    head = stretch.head[: LONGEST // 2] + "\n" if stretch.head else ""
    room = LONGEST - len(head)
    for start, end in cut(lines, stretch.start, stretch.end, cost, least, room):
        while start <= end and not lines[start - 1].strip():
            start += 1
        while end >= start and not lines[end - 1].strip():
            end -= 1
        body = "\n".join(lines[start - 1 : end])
        for at in range(0, len(body), room):
            if part := body[at : at + room].rstrip():
                yield start, end, head + part


def assemble(
    document: Document,
    lines: Sequence[str],
    stretches: Iterable[Stretch],
    cost: Callable[[int], int],
    least: int = 0,
) -> tuple[Chunk, ...]:
    """Return the chunks of the stretches, without duplicates of symbol and text."""
    chunks: list[Chunk] = []
    seen: set[tuple[str, str]] = set()
    for stretch in stretches:
        pieces = list(texts(lines, stretch, cost, least))
        for place, (start, end, text) in enumerate(pieces, 1):
            if (stretch.symbol, text) in seen:
                continue
            seen.add((stretch.symbol, text))
            title = stretch.title if len(pieces) == 1 else f"{stretch.title} ({place}/{len(pieces)})"
            tags = stretch.arch or arch.tags(document.path, stretch.title, text)
            url = stretch.url or document.url
            chunks.append(Chunk(start, end, title, text, stretch.kind, stretch.symbol, stretch.symbol_lines, tags, url))
    return tuple(chunks)


def one_line(text: str, longest: int = LONGEST_TITLE) -> str:
    """Return the text with single spaces, cut off with an ellipsis."""
    flat = " ".join(text[: 4 * longest].split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"
