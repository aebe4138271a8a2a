"""Markdown and reStructuredText by headings; code blocks stay whole where they fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from avo.kb_index.chunkers.pieces import by_paragraph, decoded
from avo.kb_index.chunkers.sections import Heading, in_sections
from avo.kb_index.index.chunk import Document, Parsed

FENCES = ("```", "~~~")
IN_FENCE = 60
"""Cost of a cut inside a block of code, above that of any cut outside."""
IN_TABLE = 40
"""Cost of a cut inside a table."""
RULES = set("=-~^\"'`#*+.:_<>")
"""Characters by which reStructuredText underlines headings."""


def parse(document: Document) -> Parsed:
    """Return the chunks of Markdown. Front matter may give arch, and a title, which makes the document a note."""
    text = decoded(document)
    lines = text.split("\n")
    facts, start = front_matter(lines)
    fenced = inside_fences(lines)
    headings = [heading for heading in markdown_headings(lines, fenced) if heading.line >= start]
    given = facts.get("title", [""])[0]
    title = given or (headings[0].text if headings else PurePosixPath(document.path).name)
    costs = [cost(lines, fenced, number) for number in range(1, len(lines) + 1)]
    arch = tuple(facts.get("arch", []))
    kind = "note" if given else "doc"
    return Parsed(text, in_sections(document, lines, headings, costs, title, start, kind, arch))


def parse_rst(document: Document) -> Parsed:
    """Return the chunks of reStructuredText; indented text belongs to the directive above it."""
    text = decoded(document)
    lines = text.split("\n")
    headings = rst_headings(lines)
    title = headings[0].text if headings else PurePosixPath(document.path).name
    by_line = by_paragraph(lines)
    costs = [0, *(by_line(number) for number in range(2, len(lines) + 1))]
    return Parsed(text, in_sections(document, lines, headings, costs, title))


def front_matter(lines: Sequence[str]) -> tuple[dict[str, list[str]], int]:
    """Return the front matter between two `---` lines (key -> values), and the number of the first line after it.

    Reads `key: value`, `key: [a, b]`, and lists of `- value` lines under `key:`.
    """
    if not lines or lines[0].rstrip() != "---":
        return {}, 1
    facts: dict[str, list[str]] = {}
    key = ""
    for number, line in enumerate(lines[1:200], 2):
        bare = line.strip()
        if line.rstrip() == "---":
            return facts, number + 1
        if bare.startswith("- ") and key:
            facts[key].append(bare[2:].strip(" \"'"))
        elif ":" in bare and not line[0].isspace():
            key, _, value = (part.strip() for part in bare.partition(":"))
            values = value[1:-1].split(",") if value.startswith("[") and value.endswith("]") else [value]
            facts[key] = [item for item in (value.strip(" \"'") for value in values) if item]
    return {}, 1


def inside_fences(lines: Sequence[str]) -> list[bool]:
    """Return for every line True if a cut before it would be inside a block of code."""
    inside: list[bool] = []
    fence = ""
    for line in lines:
        inside.append(bool(fence))
        bare = line.strip()
        if not fence and bare.startswith(FENCES):
            fence = bare[: len(bare) - len(bare.lstrip(bare[0]))]
        elif fence and bare.startswith(fence) and not bare.strip(fence[0]):
            fence = ""
    return inside


def cost(lines: Sequence[str], fenced: Sequence[bool], number: int) -> int:
    """Return the cost of a cut before a line of Markdown."""
    if number == 1:
        return 0
    line = lines[number - 1]
    outside = by_paragraph(lines)(number)
    if fenced[number - 1]:
        return IN_FENCE + outside
    return max(outside, IN_TABLE) if line.startswith("|") and lines[number - 2].startswith("|") else outside


def markdown_headings(lines: Sequence[str], fenced: Sequence[bool]) -> list[Heading]:
    """Return the lines that begin with # signs, and those underlined with = or -."""
    found = []
    before = ""
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        following = lines[number].strip() if number < len(lines) else ""
        if fenced[number - 1] or line.startswith("    ") or bare.startswith(FENCES):
            before = line
            continue
        level = len(bare) - len(bare.lstrip("#"))
        if 1 <= level <= 6 and bare[level : level + 1].isspace():
            found.append(Heading(number, level, bare[level:].strip().rstrip("#").rstrip()))
        elif bare and not before.strip() and underline(following) in ("=", "-") and bare[0] not in "|->*+#=":
            found.append(Heading(number, 1 if following[0] == "=" else 2, bare))
        before = line
    return found


def rst_headings(lines: Sequence[str]) -> list[Heading]:
    """Return the lines underlined, and perhaps overlined, with one sign; levels follow the first use of each sign."""
    found: list[Heading] = []
    levels: dict[tuple[str, bool], int] = {}
    for number, (line, following) in enumerate(pairwise(lines), 1):
        sign = underline(following.rstrip())
        bare = line.strip()
        if not sign or not bare or underline(bare) or len(following.rstrip()) < min(len(bare), 3 + len(bare) // 2):
            continue
        above = lines[number - 2].rstrip() if number > 1 else ""
        over = underline(above) == sign
        if not over and (above or line[0].isspace()):
            continue
        level = levels.setdefault((sign, over), len(levels) + 1)
        found.append(Heading(number, level, bare))
    return found


def underline(line: str) -> str:
    """Return the sign of a line that only repeats it, three times or more; empty for another line."""
    return line[0] if len(line) >= 3 and line[0] in RULES and not line.strip(line[0]) else ""
