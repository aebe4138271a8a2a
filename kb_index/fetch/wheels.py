"""Python packages as sources: a wheel downloaded by pip, or an installed package's files; neither is imported."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from avo.kb_index.fetch.fetch import Fetched, Reach, Unreachable, call, replace, sha256
from avo.kb_index.fetch.selection import Skipped, below, limit, parser_of
from avo.kb_index.fetch.sources import Dist, Pypi
from avo.kb_index.fetch.zip_files import members
from avo.kb_index.index.place import UNFINISHED


def pypi(source: Pypi, reach: Reach) -> Fetched:
    """Return the wheel of the given version, from the cache if it is intact there. Raises Unreachable."""
    kept = reach.cache / "pypi" / f"{source.package.lower()}-{source.version}"
    wheel = _whole(kept) or _download(source, kept, reach)
    skipped = Skipped()

    def files() -> Iterator[tuple[str, bytes, str]]:
        for path, content in members(wheel, source, skipped):
            yield path, content, ""

    address = f"https://pypi.org/project/{source.package}/{source.version}/"
    return Fetched(source.version, files, address, sha256(wheel), skipped)


def _whole(kept: Path) -> Path | None:
    """Return the cached wheel, if it is unchanged since the download; else None."""
    wheel = next(iter(sorted(kept.glob("*.whl"))), None)
    noted = kept / "sha256"
    return wheel if wheel and noted.is_file() and noted.read_text().strip() == sha256(wheel) else None


def _download(source: Pypi, kept: Path, reach: Reach) -> Path:
    if reach.offline:
        raise Unreachable(f"{source.reference} is not in the cache, and nothing is fetched offline")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=UNFINISHED) as scratch:
        options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
        call([sys.executable, "-m", "pip", "download", *options, "-d", scratch, source.reference], reach)
        wheel = next(iter(sorted(Path(scratch).glob("*.whl"))), None)
        if wheel is None:
            raise Unreachable(f"{source.reference} came without a wheel")
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        placed = wheel.replace(kept / wheel.name)
    replace(kept / "sha256", sha256(placed).encode())
    return placed


def installed(source: Dist) -> Fetched:
    """Return the files in an installed package's own list. Raises Unreachable."""
    try:
        package = metadata.distribution(source.package)
    except metadata.PackageNotFoundError as error:
        raise Unreachable(f"{source.package} is not installed in {sys.prefix}") from error
    skipped = Skipped()

    def files() -> Iterator[tuple[str, bytes, str]]:
        for file in package.files or ():
            path = below(source, file.as_posix())
            place = Path(str(file.locate()))
            if path is None or not place.is_file():
                continue
            most = limit(parser_of(source, path))
            if place.stat().st_size > most:
                skipped.add(path, f"{place.stat().st_size >> 20} MB, more than {most >> 20}")
            else:
                yield path, place.read_bytes(), ""

    return Fetched(package.version, files, skipped=skipped)
