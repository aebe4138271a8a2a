"""Chunkers, which cut documents into chunks: one per form of text, chosen by `parse`."""

from __future__ import annotations

from collections.abc import Callable

from avo.kb_index.chunkers import cuda, html, markdown, ops, pdf, plain, ptx_header, python
from avo.kb_index.chunkers.pieces import LARGEST, Unreadable
from avo.kb_index.index.chunk import Document, Parsed
from avo.types import AvoError

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

    Raises Unreadable for bytes that the parser cannot read, AvoError for an unknown parser.
    """
    if document.parser not in CHUNKERS:
        raise AvoError(f"no parser '{document.parser}'; there are: {', '.join(CHUNKERS)}")
    if len(document.content) > LARGEST:
        raise Unreadable(
            f"{document.path}: {len(document.content) >> 20} MB, more than {LARGEST >> 20} MB are not read"
        )
    try:
        return CHUNKERS[document.parser](document)
    except (RecursionError, MemoryError) as error:
        raise Unreadable(f"{document.path}: nested too deeply to be read as {document.parser}") from error
