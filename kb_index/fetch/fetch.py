"""Fetching of a source: selects the reader for its kind; all share one cache and one error."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from avo.kb_index.fetch.selection import LARGEST_SOURCE, MOST_FILES, below, limit, parser_of
from avo.kb_index.fetch.sources import Dir, Git, Pypi, Source, Url
from avo.kb_index.index.chunk import Document
from avo.kb_index.index.place import UNFINISHED
from avo.settings import CHILD_ENVIRONMENT, without_secrets

NETWORK_ENVIRONMENT = re.compile(
    r"HOME|XDG_\w+|PIP_\w+|(https?|all|no)_proxy|SSL_CERT_\w+|\w+_CA_BUNDLE|GIT_SSL_\w+", re.I
)
"""Variables about this machine's access to the internet, passed to pip and git beside the usual ones."""
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)
"""Exceptions of zipfile for a damaged archive."""

File = tuple[str, Callable[[], IO[bytes]], str]
"""A file of a source: its path, what opens it, and its address, if any."""


class Unreachable(Exception):
    """A source that cannot be fetched now; its text is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(reason))


@dataclass(frozen=True)
class Reach:
    """The cache folder, and the limits on fetching."""

    cache: Path
    offline: bool = False
    """Use only the cache."""
    ask: bool = False
    """Fetch again what may have changed: pages, tags and branches."""
    seconds: float = 600.0
    """Limit of one download."""

    def kept(self, place: Path, what: str, load: Callable[[Path], Path], moves: bool = False) -> tuple[Path, str]:
        """Return the file in folder `place` of the cache, and a remark if an older copy had to do. Raises Unreachable.

        what: its name in messages. load: downloads it into a scratch folder. moves: whether it may change.
        """
        kept = next(place.glob("*.*"), None)
        if kept and (self.offline or not (moves and self.ask)):
            return kept, ""
        if self.offline:
            raise Unreachable(f"{what} is not in the cache, and nothing is fetched offline")
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=UNFINISHED) as scratch:
                loaded = load(Path(scratch))
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                return loaded.replace(place / loaded.name), ""
        except Unreachable as error:
            if not kept:
                raise
            return kept, f"the copy in the cache had to do: {error}"


@dataclass
class Fetched:
    """A source as it is now on this machine."""

    version: str
    files: Callable[[], Iterable[File]]
    archive: Path | None = None
    """The zip file in the cache that holds its files; deleted when it turns out to be damaged."""
    note: str = ""
    """A remark for the user, for instance that the cached copy was used."""
    skipped: list[str] = field(default_factory=list)
    """Files left out, with the reason; filled while the files are read."""

    def documents(self, source: Source) -> list[Document]:
        """Return every readable file that the source asks for. Raises Unreachable."""
        found: list[Document] = []
        total = 0
        try:
            for whole, opened, url in self.files():
                path = below(source, whole)
                if path is None:
                    continue
                parser = parser_of(source, path)
                most = limit(parser)
                try:
                    with opened() as stream:
                        content = stream.read(most + 1)
                except OSError as error:
                    self.skipped.append(f"{path}: {error.strerror}")
                    continue
                if len(content) > most:
                    self.skipped.append(f"{path}: more than {most >> 20} MB")
                elif parser != "pdf" and b"\0" in content[:8192]:
                    self.skipped.append(f"{path}: binary")
                else:
                    total += len(content)
                    found.append(Document(source.name, path, content, parser, url))
                if total > LARGEST_SOURCE or len(found) > MOST_FILES:
                    most_mb = LARGEST_SOURCE >> 20
                    raise Unreachable(f"more than {MOST_FILES} files or {most_mb} MB match; narrow `include`")
        except BROKEN as error:
            if not self.archive:
                raise
            self.archive.unlink()
            raise Unreachable(f"{self.archive.name} is damaged ({error}); another build fetches it again") from error
        if not found:
            reason = f": {self.skipped[0]}" if self.skipped else " or `include` matches none"
            raise Unreachable(f"no file of it can be read{reason}")
        return found


def fetch(source: Source, reach: Reach) -> Fetched:
    """Return the source, downloaded where needed. Raises Unreachable."""
    from avo.kb_index.fetch import archives, folders, page

    try:
        match source:
            case Pypi():
                return archives.wheel(source, reach)
            case Git():
                return archives.commit(source, reach)
            case Url():
                return page.page(source, reach)
            case Dir():
                return folders.folder(source)
    except OSError as error:
        raise Unreachable(str(error)) from error


def call(command: list[str], reach: Reach) -> str:
    """Run pip or git and return its output. Network access is allowed, but no key is passed on.

    Raises Unreachable with the command's last error message.
    """
    environment = {
        name: value for name, value in os.environ.items()
        if name in CHILD_ENVIRONMENT or NETWORK_ENVIRONMENT.fullmatch(name)
    }  # fmt: skip
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "PIP_NO_INPUT": "1"}
    with tempfile.TemporaryFile() as output:
        try:
            code = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                timeout=reach.seconds, check=False,
            ).returncode  # fmt: skip
        except FileNotFoundError as error:
            raise Unreachable(f"{command[0]} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"no answer within {reach.seconds:.0f} s") from error
        output.seek(0)
        said = output.read(1 << 20).decode("utf-8", "replace")
    if code:
        complaints = [line for line in said.splitlines() if re.match(r"(?i)\W*(error|fatal)\b|.*No module named", line)]
        raise Unreachable((complaints or said.splitlines() or ["it failed"])[-1])
    return said


def one_line(text: str) -> str:
    """Return the text on one line of at most 300 characters, without keys and passwords in addresses."""
    bare = re.sub(r"(?<=://)[^/@\s]+@", "", without_secrets(" ".join(text.split())))
    return bare if len(bare) <= 300 else bare[:299] + "…"
