"""Which files of a source are read: globs over paths, the chunker by the ending, and what is too big or binary."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from avo.kb_index.fetch.sources import Parser, Source

PARSERS: dict[str, Parser] = {
    **dict.fromkeys((".py", ".pyi"), "python"),
    **dict.fromkeys((".cu", ".cuh", ".h", ".hh", ".hpp", ".hxx", ".c", ".cc", ".cpp", ".cxx", ".inl", ".inc"), "cuda"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    ".rst": "rst",
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    ".pdf": "pdf",
}  # fmt: skip
"""Ending -> chunker; everything else is text."""

LARGEST_FILE = 16 << 20
LARGEST_PAGE = 64 << 20
"""Bytes of one document: of a file, and of a page or a PDF."""
LARGEST_SOURCE = 512 << 20
"""Bytes of all its documents."""
MOST_FILES = 20_000


@dataclass
class Skipped:
    """Files that were asked for and left out: how many, and the first few with the reason."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, path: str, why: str) -> None:
        self.count += 1
        if len(self.first) < 5:
            self.first.append(f"{path}: {why}")


def parser_of(source: Source, path: str) -> Parser:
    return source.parser or PARSERS.get(PurePosixPath(path).suffix.lower(), "text")


def limit(parser: Parser) -> int:
    """Most bytes that a document for that chunker may have."""
    return LARGEST_PAGE if parser in ("html", "pdf") else LARGEST_FILE


def below(source: Source, path: str) -> str | None:
    """The path as the source names it, or None for one that it does not ask for or that no folder could hold."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or any(part in ("", ".", "..") for part in parts):
        return None
    root = source.root.strip("/")
    if root:
        if not path.startswith(root + "/"):
            return None
        path = path[len(root) + 1 :]
    return path if wanted(source, path) else None


def wanted(source: Source, path: str) -> bool:
    """Whether the globs ask for a path below the source's root."""
    return _any(source.include).fullmatch(path) is not None and (
        not source.exclude or _any(source.exclude).fullmatch(path) is None
    )


def looks_binary(content: bytes, parser: Parser) -> bool:
    return parser != "pdf" and b"\0" in content[:8192]


@lru_cache
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_regex(pattern) for pattern in patterns))


def _regex(pattern: str) -> str:
    """* and ? stay within a folder, **/ is any number of folders, ** at the end anything below."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(piece, re.escape(piece)) for piece in pieces)
