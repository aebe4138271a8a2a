"""Chunkers, which cut documents into chunks: one per form of text, chosen by `parse`."""

from __future__ import annotations

from collections.abc import Callable

from avo.kb_index.chunkers import cuda, html, markdown, ops, pdf, plain, ptx_header, python
from avo.kb_index.chunkers.pieces import Unreadable
from avo.kb_index.index.chunk import Document, Parsed

__all__ = ["CHUNKERS", "Unreadable", "parse"]

CHUNKERS: dict[str, Callable[[Document], Parsed]] = {
    "python": python.parse,
    "cuda": cuda.parse,
    "ptx-header": ptx_header.parse,
    "ops": ops.parse,
    "markdown": markdown.parse,
    "rst": markdown.parse_rst,
    "html": html.parse,
    "pdf": pdf.parse,
    "text": plain.parse,
}
"""Name of a chunker, as in Document.parser -> its function."""


def parse(document: Document) -> Parsed:
    """Return the document's normalised text and its chunks, in the order of their lines.

    Raises Unreadable for bytes that the parser cannot read.
    """
    try:
        return CHUNKERS[document.parser](document)
    except (RecursionError, MemoryError) as error:
        raise Unreadable(f"{document.path}: nested too deeply to be read as {document.parser}") from error
