"""A candidate's sources: read from a folder as one value, with the digest that its score belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from avo.types import ToolError

Sources = Mapping[str, bytes]
"""Relative path -> content, sorted by path."""

SUFFIXES = (".cpp", ".cc", ".c", ".cu", ".h", ".hpp", ".cuh", ".inc", ".md", ".txt")
GENERATED = ("avo_abi.h", "score.json")
"""Written by the harness: never part of a candidate."""
LARGEST_BYTES = 1 << 20
MOST_FILES = 64


def read_sources(folder: Path) -> Sources:
    """Every source file below `folder`. Raises ToolError for what cannot be a candidate."""
    files: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        first = name.split("/")[0]
        if first.startswith(".") or first in GENERATED or path.suffix not in SUFFIXES:
            continue
        if path.is_symlink() or not path.is_file():
            if path.is_symlink():
                raise ToolError(f"{name} is a link; a candidate holds plain files only")
            continue
        if path.stat().st_size > LARGEST_BYTES:
            raise ToolError(f"{name} is larger than {LARGEST_BYTES} bytes")
        files[name] = path.read_bytes()
    if not files:
        raise ToolError(f"no source files ({' '.join(SUFFIXES)}) in {folder}")
    if len(files) > MOST_FILES:
        raise ToolError(f"more than {MOST_FILES} source files")
    return files


def write_sources(files: Sources, folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def digest(files: Sources) -> str:
    """16 hex digits of SHA-256 over paths, lengths and contents: the name of a tree."""
    state = hashlib.sha256()
    for name in sorted(files):
        state.update(f"{name}\0{len(files[name])}\0".encode())
        state.update(files[name])
    return state.hexdigest()[:16]
