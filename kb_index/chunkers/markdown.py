"""Markdown and reStructuredText by headings; code blocks stay whole where they fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from markdown_it import MarkdownIt

from avo.kb_index.chunkers.pieces import decoded
from avo.kb_index.chunkers.sections import Heading, in_sections
from avo.kb_index.index.chunk import Document, Parsed

FRONT = re.compile(r"---\n((?:.+\n)+?)---\n")
"""Front matter at the head of a file."""
FACT = re.compile(r"^(\w+): *\[?(.*?)\]?$", re.MULTILINE)
"""A line of it: `key: value`, or `key: [a, b]`."""
UNDERLINE = re.compile(r"([-=~^\"'`#*+.:_<>])\1{2,}")
"""A line by which reStructuredText underlines headings; the group is its sign."""


def parse(document: Document) -> Parsed:
    """Return the chunks of Markdown. Front matter may give arch, and a title, which makes the document a note."""
    text = decoded(document)
    facts, above = front_matter(text)
    tokens = MarkdownIt("commonmark").disable("inline").parse(text)
    headings = [
        Heading(token.map[0] + 1, int(token.tag[1]), content.content)
        for token, content in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map and token.map[0] >= above
    ]
    blocks = [token.map for token in tokens if token.type in ("fence", "code_block") and token.map]
    code = {number for first, end in blocks for number in range(first + 2, end + 1)}
    arch = tuple(name.strip() for name in facts["arch"].split(",")) if "arch" in facts else ()
    kind, title = "note" if "title" in facts else "doc", facts.get("title", "")
    return Parsed(text, in_sections(document, text.split("\n"), headings, code, title, above + 1, kind, arch))


def parse_rst(document: Document) -> Parsed:
    """Return the chunks of reStructuredText; indented text belongs to the directive above it."""
    text = decoded(document)
    lines = text.split("\n")
    return Parsed(text, in_sections(document, lines, rst_headings(lines), set()))


def front_matter(text: str) -> tuple[dict[str, str], int]:
    """Return the front matter between two `---` lines (key -> value), and its number of lines."""
    found = FRONT.match(text)
    return (dict(FACT.findall(found[1])), found[0].count("\n")) if found else ({}, 0)


def rst_headings(lines: Sequence[str]) -> list[Heading]:
    """Return the underlined lines; levels follow the first use of each sign, with and without a line above."""
    found: list[Heading] = []
    levels: dict[tuple[str, bool], int] = {}
    for number, (line, following) in enumerate(pairwise(lines), 1):
        sign, bare = UNDERLINE.fullmatch(following.rstrip()), line.strip()
        if sign and bare and not UNDERLINE.fullmatch(bare) and len(sign[0]) >= len(bare):
            over = lines[number - 2].rstrip() == sign[0] if number > 1 else False
            found.append(Heading(number, levels.setdefault((sign[1], over), len(levels) + 1), bare))
    return found
