"""Reader of untrusted zip archives: a wheel, or a commit packed by git."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from avo.kb_index.fetch.fetch import Unreachable
from avo.kb_index.fetch.selection import Skipped, below, limit, parser_of
from avo.kb_index.fetch.sources import Source

BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)
"""Exceptions of zipfile for a damaged archive."""


def members(file: Path, source: Source, skipped: Skipped) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file that the source requests, without links, up to the size limit.

    Raises Unreachable for a damaged archive.
    """
    try:
        with zipfile.ZipFile(file) as opened:
            for entry in opened.infolist():
                path = None if entry.is_dir() else below(source, entry.filename)
                if path is None:
                    continue
                most = limit(parser_of(source, path))
                if stat.S_ISLNK(entry.external_attr >> 16):
                    skipped.add(path, "a link")
                elif entry.file_size > most:
                    skipped.add(path, f"{entry.file_size >> 20} MB, more than {most >> 20}")
                else:
                    with opened.open(entry) as content:
                        yield path, content.read(most + 1)
    except BROKEN as error:
        raise Unreachable(f"{file.name} is damaged ({error})") from error
