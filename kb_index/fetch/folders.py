"""A folder of this machine as a source."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from avo.kb_index.fetch.fetch import Fetched, File, Unreachable
from avo.kb_index.fetch.sources import Dir


def folder(source: Dir) -> Fetched:
    """Return the files of the folder as they are now. Raises Unreachable."""
    root = source.path.resolve()
    if not root.is_dir():
        raise Unreachable(f"no folder {root}")
    return Fetched("local", partial(files, root))


def files(root: Path) -> Iterator[File]:
    """Yield the folder's files, sorted; no hidden ones, no pipes and devices, no links that lead out of the folder."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            file = Path(place, name)
            if file.is_file() and file.resolve().is_relative_to(root):
                yield file.relative_to(root).as_posix(), partial(opened, file), ""


def opened(file: Path) -> IO[bytes]:
    """Return the file, open to be read."""
    return file.open("rb")
