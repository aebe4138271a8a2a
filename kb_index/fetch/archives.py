"""Zip archives as sources: a wheel downloaded by pip, and a commit packed by git; no file of theirs is run."""

from __future__ import annotations

import hashlib
import re
import stat
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from avo.kb_index.fetch.fetch import Fetched, File, Reach, call
from avo.kb_index.fetch.sources import Git, Pypi

SETTINGS = (
    *("core.hooksPath=/dev/null", "protocol.ext.allow=never"),
    *("http.lowSpeedLimit=1000", "http.lowSpeedTime=60"),
)
"""Settings of git: a repository cannot run programs; a minute below 1 kB/s ends the fetch."""
COMMIT = re.compile(r"[0-9a-f]{40}")


def wheel(source: Pypi, reach: Reach) -> Fetched:
    """Return the files of the wheel of the given version. Raises Unreachable."""

    def load(scratch: Path) -> Path:
        options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
        call([sys.executable, "-m", "pip", "download", *options, "-d", str(scratch), source.reference], reach)
        return next(scratch.glob("*.whl"))

    place = reach.cache / "pypi" / f"{source.package.lower()}-{source.version}"
    kept, _ = reach.kept(place, source.reference, load)
    return Fetched(source.version, partial(members, kept), kept)


def commit(source: Git, reach: Reach) -> Fetched:
    """Return the files of `ref`, from the cache unless a tag or branch has to be fetched again. Raises Unreachable."""

    def load(scratch: Path) -> Path:
        git = ["git", *(part for setting in SETTINGS for part in ("-c", setting)), "-C", str(scratch)]
        call([*git, "init", "--quiet", "--bare"], reach)
        call([*git, "fetch", "--quiet", "--depth", "1", "--no-tags", "--", source.url, source.ref], reach)
        packed = scratch / f"{call([*git, 'rev-parse', 'FETCH_HEAD^{commit}'], reach).strip()}.zip"
        call([*git, "archive", "--format=zip", "-o", str(packed), packed.stem], reach)
        return packed

    key = hashlib.sha256(f"{source.url}\n{source.ref}".encode()).hexdigest()[:12]
    moves = not COMMIT.fullmatch(source.ref)
    kept, note = reach.kept(reach.cache / "git" / f"{source.name}-{key}", source.reference, load, moves)
    github = source.url.startswith("https://github.com/")
    pages = f"{source.url.removesuffix('.git')}/blob/{kept.stem}/" if github else ""
    return Fetched(kept.stem[:12], partial(members, kept, pages), kept, note)


def members(archive: Path, pages: str = "") -> Iterator[File]:
    """Yield the files of an archive that nobody trusts, without links.

    pages: address of the folder on the web that shows the same files.
    """
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16):
                yield entry.filename, partial(opened.open, entry), pages and pages + entry.filename
