"""Text of which nothing is known: its paragraphs, packed into chunks."""

from __future__ import annotations

from pathlib import PurePosixPath

from avo.kb_index.chunkers.pieces import Stretch, assemble, by_indentation, by_paragraph, cut, decoded, one_line
from avo.kb_index.index.chunk import LONGEST, Document, Parsed


def parse(document: Document) -> Parsed:
    """Paragraphs, as many as fit into a chunk; its title is the first line."""
    return without_structure(document, decoded(document), "doc")


def without_structure(document: Document, text: str, kind: str) -> Parsed:
    """What is left for a text that its own chunker cannot read; code is cut where it is indented least."""
    lines = text.split("\n")
    cost = by_indentation(lines) if kind == "code" else by_paragraph(lines)
    least = LONGEST // 2 if kind == "code" else 0
    name = PurePosixPath(document.path).name
    stretches = []
    for start, end in cut(lines, 1, len(lines), cost, least):
        first = next((line for line in lines[start - 1 : end] if line.strip()), "")
        stretches.append(Stretch(start, end, one_line(f"{name}: {first}"), kind))
    return Parsed(text, assemble(document, lines, stretches, cost, least))
