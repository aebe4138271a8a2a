"""The index on disk: store-<n> folders, the link `current` to the one in use, and a lock for builders.

A build writes the next store-<n>, then moves the link with one rename: a killed build leaves the old index in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from avo.settings import to_disk
from avo.types import AvoError

CURRENT = "current"
"""Name of the link to the store in use."""
UNFINISHED = ".new-"
"""Prefix of unfinished files and folders in the cache."""


def in_use(folder: Path) -> Path | None:
    """Return the store that the link names; None without one."""
    try:
        found = folder / (folder / CURRENT).readlink()
    except OSError:
        return None
    return found if found.is_dir() else None


@contextlib.contextmanager
def only_builder(folder: Path) -> Iterator[None]:
    """Hold the build lock, which ends with the process. Raises AvoError if another build holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / "lock").open("a+")
    except OSError as error:
        raise AvoError(f"{folder} cannot hold the knowledge base: {error.strerror}") from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise AvoError(f"process {lock.read(20).strip()} builds this knowledge base now; wait for it") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def new_store(folder: Path) -> Path:
    """Return the path of the next store, which does not exist yet."""
    numbers = [int(name) for path in folder.glob("store-*") if (name := path.name.removeprefix("store-")).isdecimal()]
    return folder / f"store-{max(numbers, default=0) + 1}"


def publish(folder: Path, store: Path) -> None:
    """Put the store in use, after all of it has been written to disk."""
    for path in sorted(store.rglob("*")):
        if path.is_file():
            to_disk(path)
    to_disk(store)
    link = folder / ".current-new"
    link.unlink(missing_ok=True)
    link.symlink_to(store.name)
    link.replace(folder / CURRENT)
    to_disk(folder)


def sweep(folder: Path) -> None:
    """Delete the stores that are not in use, and leftovers of killed builds."""
    keep = in_use(folder)
    for path in [*folder.glob("store-*"), *folder.glob(f"cache/*/{UNFINISHED}*")]:
        if path != keep:
            shutil.rmtree(path, ignore_errors=True)
