"""Plain text without known structure: its paragraphs, packed into chunks."""

from __future__ import annotations

from pathlib import PurePosixPath

from avo.kb_index.chunkers.pieces import Stretch, assemble, by_indentation, by_paragraph, cut, decoded, one_line
from avo.kb_index.index.chunk import LONGEST, Document, Parsed


def parse(document: Document) -> Parsed:
    """Return chunks of as many paragraphs as fit; the title is the first line."""
    return without_structure(document, decoded(document), "doc")


def without_structure(document: Document, text: str, kind: str) -> Parsed:
    """Return the chunks of a text without a parser; code is cut at the smallest indentation."""
    lines = text.split("\n")
    cost = by_indentation(lines) if kind == "code" else by_paragraph(lines)
    least = LONGEST // 2 if kind == "code" else 0
    name = PurePosixPath(document.path).name
    stretches = []
    for start, end in cut(lines, 1, len(lines), cost, least):
        first = next((line for line in lines[start - 1 : end] if line.strip()), "")
        stretches.append(Stretch(start, end, one_line(f"{name}: {first}"), kind))
    return Parsed(text, assemble(document, lines, stretches, cost, least))
