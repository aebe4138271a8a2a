"""Files below a folder: opened step by step, so that no link is followed and nothing is waited for."""

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
"""Folders within folders that are looked into."""
MOST_ENTRIES = 20_000
"""Files and folders that are looked at."""
STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Opening a FIFO or a device to read returns at once."""
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Entry:
    """What a folder holds, folders aside."""

    name: str
    kind: str
    """As `kind` says it."""
    size: int


@contextlib.contextmanager
def folder_of(root: Path, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """A handle of the folder that `name` lies in, and its last part. Raises ToolError where a link is on the way."""
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
    """What lies there: "file" for a plain one, "" for nothing, else a word for what it is instead."""
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
    """A plain file. Raises ToolError for anything else, for one with a second name, and for a larger one."""
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
    """Write a whole plain file or nothing of it, in place of what stood there. Raises ToolError."""
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
    """Everything but folders in the folder `below` of `root`, folder by folder; what lies too deep is passed over.

    Names start at `below`, which is empty or ends in a slash. Raises ToolError for more than MOST_ENTRIES.
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
    """What a folder holds. Raises ToolError for more than `most`."""
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
