"""Folders of this machine as sources: the user's own, and the installed CUDA toolkit."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from avo.kb_index.fetch.fetch import Fetched, Unreachable
from avo.kb_index.fetch.selection import Skipped, below, limit, parser_of
from avo.kb_index.fetch.sources import CudaToolkit, Dir, Source


def folder(source: Dir) -> Fetched:
    """Return the files of the folder as they are now. Raises Unreachable."""
    root = source.path
    if not root.is_dir():
        raise Unreachable(f"no folder {root}")
    skipped = Skipped()
    return Fetched("local", lambda: _files(source, root.resolve(), skipped), root.resolve().as_uri(), skipped=skipped)


def toolkit(source: CudaToolkit) -> Fetched:
    """Return files of the CUDA toolkit, searched for where its own tools search. Raises Unreachable."""
    nvcc = shutil.which("nvcc")
    beside = Path(nvcc).resolve().parents[1] if nvcc else None
    places = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), beside, "/usr/local/cuda"]
    root = next((Path(place) for place in places if place and (Path(place) / "include/cuda.h").is_file()), None)
    if root is None:
        raise Unreachable("no CUDA toolkit with include/cuda.h at $CUDA_HOME, beside nvcc or in /usr/local/cuda")
    found = re.search(r"#define CUDA_VERSION (\d+)", (root / "include/cuda.h").read_text("utf-8", "replace"))
    version = f"{int(found[1]) // 1000}.{int(found[1]) % 1000 // 10}" if found else "unknown"
    skipped = Skipped()
    return Fetched(version, lambda: _files(source, root.resolve(), skipped), root.resolve().as_uri(), skipped=skipped)


def _files(source: Source, root: Path, skipped: Skipped) -> Iterator[tuple[str, bytes, str]]:
    """Yield the files that the globs match, sorted, without hidden ones and links that lead out of the folder."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            file = Path(place, name)
            path = below(source, file.relative_to(root).as_posix())
            if path is None:
                continue
            real = file.resolve()
            if not real.is_relative_to(root):
                skipped.add(path, "a link out of the folder")
                continue
            try:
                what = real.stat()
                most = limit(parser_of(source, path))
                if not stat.S_ISREG(what.st_mode):
                    skipped.add(path, "no regular file")
                elif what.st_size > most:
                    skipped.add(path, f"{what.st_size >> 20} MB, more than {most >> 20}")
                else:
                    yield path, real.read_bytes(), ""
            except OSError as error:
                skipped.add(path, error.strerror or str(error))
