"""A commit of a git repository as a source: fetched alone, and cached as an archive of the requested folders."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from avo.kb_index.fetch.fetch import Fetched, Reach, Unreachable, call, replace, sha256
from avo.kb_index.fetch.selection import Skipped
from avo.kb_index.fetch.sources import Git
from avo.kb_index.fetch.zip_files import members
from avo.kb_index.index.place import UNFINISHED

SETTINGS = (
    *("core.hooksPath=/dev/null", "protocol.ext.allow=never"),
    *("http.lowSpeedLimit=1000", "http.lowSpeedTime=60"),
)
"""Settings of git: a repository cannot run programs; a minute below 1 kB/s ends the fetch."""
COMMIT = re.compile(r"[0-9a-f]{40}")


def commit(source: Git, reach: Reach) -> Fetched:
    """Return the files of `ref`, from the cache unless a tag or branch has to be fetched again. Raises Unreachable."""
    what = "\n".join((source.url, source.ref, *_folders(source)))
    kept = reach.cache / "git" / f"{source.name}-{hashlib.sha256(what.encode()).hexdigest()[:12]}.zip"
    version, note, skipped = _version(kept), "", Skipped()
    moves = reach.ask and not reach.offline and not COMMIT.fullmatch(source.ref)
    if not version or moves:
        try:
            version = _download(source, kept, reach)
        except Unreachable as error:
            if not version:
                raise
            note = f"the copy in the cache had to do: {error}"

    def files() -> Iterator[tuple[str, bytes, str]]:
        page = re.sub(r"\.git$", "", source.url) if source.url.startswith("https://github.com/") else ""
        for path, content in members(kept, source, skipped):
            full = "/".join(part for part in (source.root.strip("/"), path) if part)
            yield path, content, f"{page}/blob/{version}/{full}" if page else ""

    return Fetched(version[:12], files, f"{source.url}@{version}", sha256(kept), skipped, note)


def _version(kept: Path) -> str:
    """Return the commit of a cached archive; empty if it is missing or damaged."""
    try:
        version, digest = kept.with_suffix(".commit").read_text().split()
        return version if digest == sha256(kept) else ""
    except (OSError, ValueError):
        return ""


def _download(source: Git, kept: Path, reach: Reach) -> str:
    """Download the archive into the cache; return its commit. Raises Unreachable."""
    if reach.offline:
        raise Unreachable(f"{source.reference} is not in the cache, and nothing is fetched offline")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=UNFINISHED) as scratch:
        git = ["git", *(part for setting in SETTINGS for part in ("-c", setting)), "-C", scratch]
        call([*git, "init", "--quiet", "--bare"], reach)
        call([*git, "fetch", "--quiet", "--depth", "1", "--no-tags", "--", source.url, source.ref], reach)
        packed = Path(scratch) / "files.zip"
        pick = ["archive", "--format=zip", "-o", str(packed), "FETCH_HEAD^{commit}", "--", *_folders(source)]
        call([*git, *pick], reach)
        version = call([*git, "rev-parse", "FETCH_HEAD^{commit}"], reach).strip()
        packed.replace(kept)
    replace(kept.with_suffix(".commit"), f"{version} {sha256(kept)}\n".encode())
    return version


def _folders(source: Git) -> list[str]:
    """Return the folders that the globs begin with; empty for the whole repository."""
    found = set()
    for pattern in source.include:
        plain = re.split(r"[*?]", "/".join(part for part in (source.root.strip("/"), pattern) if part))[0]
        found.add(plain.rpartition("/")[0] if plain != pattern else plain)
    return [] if "" in found else sorted(found)
