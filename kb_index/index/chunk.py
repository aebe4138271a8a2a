"""The nouns of the knowledge base: a document as it was read, and a chunk of it, which is what a search finds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

LONGEST = 1600
"""Characters of a chunk."""


@dataclass(frozen=True)
class Document:
    """One file or page of a source."""

    source: str
    version: str
    licence: str
    path: str
    """Inside its source, with forward slashes; unique there."""
    content: bytes
    parser: str
    """Which chunker reads it: python, cuda, ptx-header, ops, markdown, rst, html, pdf or text."""
    url: str = ""

    @property
    def digest(self) -> str:
        """16 hex digits of what it holds and how it is read."""
        return hashlib.sha256(self.parser.encode() + b"\0" + self.content).hexdigest()[:16]


@dataclass(frozen=True)
class Chunk:
    """A piece of a document that stands for itself."""

    start: int
    end: int
    """First and last line in the document's normalised text, from 1 on."""
    title: str
    """One line: what it is, with the headings above it or the signature."""
    text: str
    """At most LONGEST characters."""
    kind: str
    """code, doc, instruction, op or note."""
    symbol: str = ""
    """Qualified name of the function, class, instruction or op that it belongs to."""
    symbol_lines: tuple[int, int] = (0, 0)
    """The whole of that symbol; (0, 0) without one."""
    arch: tuple[str, ...] = ("any",)
    """sm_80, sm_90, sm_100, …; ("any",) when nothing in it belongs to one architecture."""
    url: str = ""
    """Of the page with its anchor, where there is one."""


@dataclass(frozen=True)
class Parsed:
    """What a chunker makes of a document."""

    text: str
    """Normalised: UTF-8, \\n line ends, for HTML and PDF the readable text; `kb read` serves it."""
    chunks: tuple[Chunk, ...]
