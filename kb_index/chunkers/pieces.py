"""What the chunkers share: bytes into lines, and stretches of lines into chunks that are short enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from avo.kb_index.index import arch
from avo.kb_index.index.chunk import LONGEST, Chunk, Document

LARGEST = 64 << 20
"""Bytes of a document; no manual is larger, and everything is held in memory."""
LONGEST_TITLE = 200
CONTROL = {code: None for code in [*range(9), 11, 12, *range(14, 32), 127]} | dict.fromkeys((0x85, 0x2028, 0x2029), " ")
"""Taken out of every text: no reader of its lines then sees an end of line other than \\n."""
BINARY = 0.05
"""Share of control characters above which bytes are no text."""


class Unreadable(Exception):
    """A document that cannot be read; one line that names it and says why."""


@dataclass(frozen=True)
class Stretch:
    """Lines that belong together: a function, a section, or what lies between two of them."""

    start: int
    end: int
    title: str
    kind: str
    symbol: str = ""
    symbol_lines: tuple[int, int] = (0, 0)
    url: str = ""
    head: str = ""
    """A line that stands above every piece of it, though not in the text."""
    arch: tuple[str, ...] = ()
    """Empty: found in path, title and text."""


def decoded(document: Document) -> str:
    """The text with \\n line ends: UTF-8, else cp1252 with replacement. Raises Unreadable for binary files."""
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
    """The cost of cutting code before a line: cheap after a blank one and far to the left."""

    def cost(number: int) -> int:
        line = lines[number - 1]
        bare = line.lstrip()
        if not bare:
            return 99
        return len(line) - len(bare) + (0 if not lines[number - 2].strip() else 8) + (6 if bare[0] in ")]}" else 0)

    return cost


def by_paragraph(lines: Sequence[str]) -> Callable[[int], int]:
    """The cost of cutting prose before a line: nothing after a blank one, unless what follows is indented."""

    def cost(number: int) -> int:
        line = lines[number - 1]
        return 30 if lines[number - 2].strip() else min(20, len(line) - len(line.lstrip()))

    return cost


def cut(
    lines: Sequence[str], start: int, end: int, cost: Callable[[int], int], least: int, longest: int = LONGEST
) -> Iterator[tuple[int, int]]:
    """First and last lines of pieces of at most `longest` characters, in order and without a gap.

    The cut is where it costs least once a piece has `least` characters, and the last piece is no crumb. A line that is
    too long stands alone. Takes time in proportion to the lines.
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
    """First line, last line and text of the pieces of a stretch; blank edges are left off."""
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
    numbers: Sequence[int] = (),
) -> tuple[Chunk, ...]:
    """The chunks of the stretches; one that says the same of the same symbol as an earlier one is left out.

    `numbers` are the line numbers of `lines` in the document's text, where these are a part of it.
    """
    chunks: list[Chunk] = []
    seen: set[tuple[str, str]] = set()
    for stretch in stretches:
        pieces = list(texts(lines, stretch, cost, least))
        for place, (start, end, text) in enumerate(pieces, 1):
            if (stretch.symbol, text) in seen:
                continue
            seen.add((stretch.symbol, text))
            title = stretch.title if len(pieces) == 1 else f"{stretch.title} ({place}/{len(pieces)})"
            if numbers:
                start, end = numbers[start - 1], numbers[end - 1]
            tags = stretch.arch or arch.tags(document.path, stretch.title, text)
            url = stretch.url or document.url
            chunks.append(Chunk(start, end, title, text, stretch.kind, stretch.symbol, stretch.symbol_lines, tags, url))
    return tuple(chunks)


def one_line(text: str, longest: int = LONGEST_TITLE) -> str:
    """The text with single spaces, cut off with an ellipsis."""
    flat = " ".join(text[: 4 * longest].split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"
