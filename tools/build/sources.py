"""A candidate's sources: read from a folder as one value, with the digest that identifies them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from avo.types import ToolError

Sources = Mapping[str, bytes]
"""Relative path -> content, sorted by path."""

SUFFIXES = (".cpp", ".cc", ".c", ".cu", ".h", ".hpp", ".cuh", ".inc", ".md", ".txt")
"""Suffixes of source files."""
GENERATED = ("avo_abi.h", "score.json")
"""Files that the harness writes: never part of a candidate."""
NAME = re.compile(r"^(?:[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}/){0,4}[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$")
"""Valid path of a source: nothing that reads as an option, a path elsewhere or a hidden file."""
LARGEST_BYTES = 1 << 20
"""Maximum size in bytes of one source."""
MOST_FILES = 64
"""Maximum number of sources of a candidate."""


def read_sources(folder: Path) -> Sources:
    """Return every source file below `folder`. Raises ToolError for what cannot be a candidate."""
    files: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        parts = name.split("/")
        if path.suffix not in SUFFIXES or set(GENERATED) & set(parts) or any(part.startswith(".") for part in parts):
            continue
        if path.is_symlink():
            raise ToolError(f"{name} is a link; a candidate holds plain files only")
        if not path.is_file():
            continue
        if not NAME.match(name):
            raise ToolError(f"{name!a} is no name for a source: use letters, digits and _ . + -")
        if path.stat().st_size > LARGEST_BYTES:
            raise ToolError(f"{name} is larger than {LARGEST_BYTES} bytes")
        files[name] = path.read_bytes()
    if not files:
        raise ToolError(f"no source files ({' '.join(SUFFIXES)}) in {folder}")
    if len(files) > MOST_FILES:
        raise ToolError(f"more than {MOST_FILES} source files")
    return files


def write_sources(files: Sources, folder: Path) -> None:
    """Write the sources into `folder`, making folders as needed."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def digest(files: Sources) -> str:
    """Return the digest of a tree: 16 hex digits of SHA-256 over paths, lengths and contents."""
    state = hashlib.sha256()
    for name in sorted(files):
        state.update(f"{name}\0{len(files[name])}\0".encode())
        state.update(files[name])
    return state.hexdigest()[:16]
