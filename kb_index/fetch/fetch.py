"""Fetching of a source: selects the reader for its kind; all share one cache and one error."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from avo.kb_index.fetch.selection import LARGEST_SOURCE, MOST_FILES, Skipped, limit, looks_binary, parser_of
from avo.kb_index.fetch.sources import CudaToolkit, Dir, Dist, Git, Pypi, Source, Url
from avo.kb_index.index.chunk import Document
from avo.kb_index.index.place import UNFINISHED
from avo.settings import CHILD_ENVIRONMENT, without_secrets

NETWORK_ENVIRONMENT = re.compile(
    r"HOME|XDG_\w+|PIP_\w+|(https?|all|no)_proxy|SSL_CERT_\w+|\w+_CA_BUNDLE|GIT_SSL_\w+", re.I
)
"""Variables about this machine's access to the internet, passed to pip and git beside the usual ones."""


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


@dataclass
class Fetched:
    """A source as it is now on this machine."""

    version: str
    files: Callable[[], Iterator[tuple[str, bytes, str]]]
    """Yields path, content and address of each file; reads lazily, raises Unreachable."""
    url: str = ""
    sha256: str = ""
    """Digest of the downloaded archive or page."""
    skipped: Skipped = field(default_factory=Skipped)
    """Files left out; filled while the files are read."""
    note: str = ""
    """A remark for the user, for instance that the cached copy was used."""

    def documents(self, source: Source) -> list[Document]:
        """Return every readable file, in the order in which they are read. Raises Unreachable."""
        found: dict[str, Document] = {}
        total = 0
        for path, content, url in self.files():
            parser = parser_of(source, path)
            if len(content) > limit(parser):
                self.skipped.add(path, f"more than {limit(parser) >> 20} MB")
                continue
            if looks_binary(content, parser):
                self.skipped.add(path, "binary")
                continue
            total += len(content)
            if total > LARGEST_SOURCE or len(found) >= MOST_FILES:
                raise Unreachable(f"more than {MOST_FILES} files or {LARGEST_SOURCE >> 20} MB match; narrow `include`")
            found[path] = Document(source.name, self.version, source.licence, path, content, parser, url)
        if not found:
            reason = f": {self.skipped.first[0]}" if self.skipped.count else ""
            raise Unreachable(f"no file of it can be read{reason or ' or `include` matches none'}")
        return list(found.values())


def fetch(source: Source, reach: Reach) -> Fetched:
    """Return the source, downloaded where needed. Raises Unreachable."""
    from avo.kb_index.fetch import folders, git_commits, web_pages, wheels

    try:
        match source:
            case Pypi():
                return wheels.pypi(source, reach)
            case Dist():
                return wheels.installed(source)
            case Git():
                return git_commits.commit(source, reach)
            case Url():
                return web_pages.pages(source, reach)
            case Dir():
                return folders.folder(source)
            case CudaToolkit():
                return folders.toolkit(source)
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


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def replace(file: Path, content: bytes) -> None:
    """Write a cache file atomically: after a crash it is the old or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=UNFINISHED, delete=False) as new:
        try:
            new.write(content)
            new.flush()
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise
    Path(new.name).replace(file)
