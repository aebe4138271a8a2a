"""Prose with headings: each section becomes a stretch, titled with the path of headings above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from avo.kb_index.chunkers.pieces import LONGEST_TITLE, Stretch, assemble, by_paragraph, one_line
from avo.kb_index.index.chunk import Chunk, Document

JOINT = " > "
"""Separator of headings in a title."""
IN_CODE = 60
"""Cost of a cut inside a block of code, above that of any cut outside."""


@dataclass(frozen=True)
class Heading:
    """The beginning of a section; level 1 is the highest."""

    line: int
    level: int
    text: str
    anchor: str = ""


def in_sections(
    document: Document,
    lines: Sequence[str],
    headings: Sequence[Heading],
    code: set[int],
    title: str = "",
    start: int = 1,
    kind: str = "doc",
    arch: tuple[str, ...] = (),
) -> tuple[Chunk, ...]:
    """Return the chunks of a text from line `start` on.

    code: lines before which a cut would part a block of code. title: the document's, else its first heading or its
    name. A section without text of its own has no chunk: its heading is in the titles of the sections inside it.
    """
    title = title or (headings[0].text if headings else PurePosixPath(document.path).name)
    found: list[Stretch] = []
    first = headings[0].line if headings else len(lines) + 1
    if says_something(lines, start - 1, first):
        found.append(Stretch(start, first - 1, title, kind, arch=arch))
    above: list[Heading] = []
    for place, heading in enumerate(headings):
        while above and above[-1].level >= heading.level:
            above.pop()
        above.append(heading)
        later = (headings[at] for at in range(place + 1, len(headings)))
        following = headings[place + 1].line if place + 1 < len(headings) else len(lines) + 1
        if not says_something(lines, heading.line, following):
            continue
        end = next((other.line - 1 for other in later if other.level <= heading.level), len(lines))
        path = breadcrumb([title, *(each.text for each in above[-6:])])
        url = f"{document.url.partition('#')[0]}#{heading.anchor}" if document.url and heading.anchor else ""
        found.append(Stretch(heading.line, following - 1, path, kind, path, (heading.line, end), url, arch=arch))
    by_line = by_paragraph(lines)
    return assemble(document, lines, found, lambda number: by_line(number) + (IN_CODE if number in code else 0))


def says_something(lines: Sequence[str], above: int, below: int) -> bool:
    """Return True if there is a letter or a digit between two lines: underlines and fences do not count."""
    return any(any(map(str.isalnum, lines[number - 1])) for number in range(above + 1, below))


def breadcrumb(parts: Sequence[str]) -> str:
    """Join headings from the outermost in, without repetitions; outer ones are dropped when the result is too long."""
    kept: list[str] = []
    for part in parts:
        part = one_line(part, 80)
        if part and part not in kept[-1:]:
            kept.append(part)
    while len(kept) > 2 and len(JOINT.join(kept)) > LONGEST_TITLE:
        del kept[1]
    return one_line(JOINT.join(kept))
