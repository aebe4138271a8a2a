"""Files below a folder that untrusted code may write to.

They are opened component by component, so that no link is followed and no open blocks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avo.types import ToolError

DEEPEST = 16
"""Maximum number of levels of nested folders that are searched."""
MOST_ENTRIES = 20_000
"""Maximum number of files and folders that are listed."""
STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags of open(2) for a folder on the way to a file."""
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Flags of open(2) to read: opening a FIFO or a device returns at once."""
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags of open(2) for a new file."""


@dataclass(frozen=True)
class Entry:
    """An entry of a folder other than a folder."""

    name: str
    """Path relative to the folder that is walked."""
    kind: str
    """The result of `kind`."""
    size: int
    """Bytes."""


@contextlib.contextmanager
def folder_of(root: Path, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Yield a handle of the folder that holds `name`, and the last component. Raises ToolError for a link before it."""
    *parents, last = name.split("/")
    handle = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parents:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            below = os.open(part, STEP, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle, last
    except NotADirectoryError as error:
        raise ToolError(f"{name}: a file or a link stands where a folder should") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ToolError(f"{name} is a link") from error
        raise ToolError(f"{name}: {error.strerror}") from error
    finally:
        os.close(handle)


def kind(root: Path, name: str) -> str:
    """Return "file" for a plain file, "" for nothing, else a word for what is there instead, such as "link"."""
    try:
        with folder_of(root, name) as (folder, last):
            return _kind(os.stat(last, dir_fd=folder, follow_symlinks=False))
    except ToolError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ""
        raise


def _kind(found: os.stat_result) -> str:
    if stat.S_ISREG(found.st_mode):
        return "file" if found.st_nlink == 1 else "hard link"
    names = {stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
    return names.get(stat.S_IFMT(found.st_mode), "device")


def read(root: Path, name: str, largest: int) -> bytes:
    """Return a plain file's content. Raises ToolError for anything else, a hard link, or more than `largest` bytes."""
    with folder_of(root, name) as (folder, last):
        handle = os.open(last, READ, dir_fd=folder)
        with os.fdopen(handle, "rb") as file:
            if (found := _kind(os.fstat(handle))) != "file":
                raise ToolError(f"{name} is a {found}, not a plain file")
            content = file.read(largest + 1)
    if len(content) > largest:
        raise ToolError(f"{name} is larger than {largest} bytes")
    return content


def write(root: Path, name: str, content: bytes) -> None:
    """Replace or create a plain file atomically. Raises ToolError."""
    with folder_of(root, name, make=True) as (folder, last):
        scratch = f".{last}.new"[-255:]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch, dir_fd=folder)
        try:
            with os.fdopen(os.open(scratch, CREATE, 0o644, dir_fd=folder), "wb") as file:
                file.write(content)
            os.replace(scratch, last, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(scratch, dir_fd=folder)
            if isinstance(error, IsADirectoryError):
                raise ToolError(f"{name}: a folder stands where the file should") from error
            raise


def delete(root: Path, name: str) -> None:
    """Delete a file or a link. Raises ToolError."""
    with folder_of(root, name) as (folder, last):
        os.unlink(last, dir_fd=folder)


def walk(root: Path, below: str = "") -> Iterator[Entry]:
    """Yield all entries but folders of the folder `below` of `root`, folder by folder; those too deep are skipped.

    Names are relative to `below`, which is empty or ends in a slash. Raises ToolError for more than MOST_ENTRIES.
    """
    looked, folders = 0, [("", 0)]
    while folders:
        folder, depth = folders.pop()
        for entry, found in _entries(root, below + folder, MOST_ENTRIES - looked):
            looked += 1
            if not stat.S_ISDIR(found.st_mode):
                yield Entry(folder + entry, _kind(found), found.st_size)
            elif depth < DEEPEST:
                folders.append((f"{folder}{entry}/", depth + 1))


def _entries(root: Path, folder: str, most: int) -> list[tuple[str, os.stat_result]]:
    """Return names and attributes of a folder's entries. Raises ToolError for more than `most`."""
    found = list[tuple[str, os.stat_result]]()
    with folder_of(root, f"{folder}.") as (parent, last):
        handle = os.open(last, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    if len(found) >= most:
                        raise ToolError(f"more than {MOST_ENTRIES} files and folders")
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.name, os.stat(entry.name, dir_fd=handle, follow_symlinks=False)))
        finally:
            os.close(handle)
    return sorted(found)
