"""Selection of a source's files: globs over paths, the chunker by file ending, limits of size."""

from __future__ import annotations

import re
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
"""File ending -> chunker; everything else is text."""

LARGEST_FILE = 16 << 20
LARGEST_PAGE = 64 << 20
"""Largest document in bytes: a file (LARGEST_FILE), and a page or a PDF (LARGEST_PAGE)."""
LARGEST_SOURCE = 512 << 20
"""Largest total of a source's files, in bytes."""
MOST_FILES = 20_000
"""Largest number of a source's documents."""


def parser_of(source: Source, path: str) -> Parser:
    """Return the source's chunker, else the one for the file's ending."""
    return source.parser or PARSERS.get(PurePosixPath(path).suffix.lower(), "text")


def limit(parser: Parser) -> int:
    """Return the largest document for a chunker, in bytes."""
    return LARGEST_PAGE if parser in ("html", "pdf") else LARGEST_FILE


def below(source: Source, path: str) -> str | None:
    """Return the path relative to the source's root; None if the globs do not match it or it is not a valid path."""
    if not path.isprintable() or "\\" in path or {"", ".", ".."} & {*path.split("/")}:
        return None
    root = f"{source.root.strip('/')}/".lstrip("/")
    inside = path.removeprefix(root)
    wanted = _any(source.include).fullmatch(inside) and not _any(source.exclude).fullmatch(inside)
    return inside if wanted and path.startswith(root) else None


@lru_cache
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_regex(pattern) for pattern in patterns))


def _regex(pattern: str) -> str:
    """Translate a glob: * and ? stay within a folder, **/ is any number of folders, a final ** is anything below."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(piece, re.escape(piece)) for piece in pieces)
