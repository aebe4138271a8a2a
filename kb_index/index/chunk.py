"""Data types of the knowledge base: a document as it was read, and a chunk of it, the unit of search."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

LONGEST = 1600
"""Longest chunk, in characters."""


@dataclass(frozen=True)
class Document:
    """One file or page of a source."""

    source: str
    path: str
    """Path inside its source, with forward slashes; unique there."""
    content: bytes
    parser: str
    """Name of its chunker: python, cuda, ptx-header, ops, markdown, rst, html, pdf or text."""
    url: str = ""

    @property
    def digest(self) -> str:
        """16 hex digits over its content and parser."""
        return hashlib.sha256(self.parser.encode() + b"\0" + self.content).hexdigest()[:16]


@dataclass(frozen=True)
class Chunk:
    """A part of a document that is understandable on its own."""

    start: int
    end: int
    """First and last line in the document's normalised text, starting at 1."""
    title: str
    """One line of description, with the headings above it or the signature."""
    text: str
    """At most LONGEST characters."""
    kind: str
    """code, doc, instruction, op or note."""
    symbol: str = ""
    """Qualified name of its function, class, instruction or op."""
    symbol_lines: tuple[int, int] = (0, 0)
    """Lines of that whole symbol; (0, 0) without one."""
    arch: tuple[str, ...] = ("any",)
    """sm_80, sm_90, sm_100, …; ("any",) for a text about no particular architecture."""
    url: str = ""
    """Address of the page with its anchor, if any."""


@dataclass(frozen=True)
class Parsed:
    """A document's text and chunks."""

    text: str
    r"""Normalised text: UTF-8, \n line ends, the readable text of HTML and PDF; `kb read` shows it."""
    chunks: tuple[Chunk, ...]
