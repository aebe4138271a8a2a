"""Runs a command in a cell: makes its folder, checks what holds it, watches what it takes, and ends all of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from avo.sandbox import process_tree
from avo.sandbox.confine import libc
from avo.sandbox.namespaces import GO, Cell, as_json
from avo.sandbox.process import DEVICES, SYSTEM_FOLDERS, Finished, follow, python_child
from avo.sandbox.safe_files import MOST_ENTRIES, write
from avo.settings import child_environment
from avo.types import ToolError

HEAD, TAIL = 64_000, 32_000
"""Bytes of a command's output that are read back."""
SPARE_DISK = 1 << 30
"""Bytes that have to stay free where a cell has no disk of its own."""
STARTS_WITHIN = 60
"""Seconds until a cell is there, on a machine that is busy."""
USERS = (2_000_000_000, 60_000)
"""Users that nobody is, for avo as root: the first that this system knows, plus avo's own number."""
OF_OTHERS = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7
"""Capabilities to give files to others, to read theirs, to end what they run, and to become them."""
TREE = "tree"
"""The folder in which the command begins."""


@dataclass(frozen=True)
class Limits:
    """Of one command and all that it starts, in bytes."""

    processes: int = field(default_factory=lambda: max(256, 4 * (os.cpu_count() or 1)))
    """And threads."""
    memory: int = field(default_factory=lambda: os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    """Of all together."""
    process_memory: int = 8 << 30
    """Address space of each."""
    disk: int = 1 << 30
    files: int = 20_000


@dataclass(frozen=True)
class Enclosed:
    """A command that ran in a cell."""

    finished: Finished
    granted: tuple[str, ...]
    """What held it, as `cell` names it."""
    place: Path
    """What it left, as long as `enclosed` lasts; TREE is in it, if the command left that where it was."""


@contextlib.contextmanager
def enclosed(
    command: str, seconds: int, limits: Limits, *, files: Mapping[str, bytes], tools: tuple[str, ...] = (),
    unsafe: bool = False,
) -> Iterator[Enclosed]:  # fmt: skip
    """Run a shell command in a cell, with `files` in TREE; nothing of it runs any more when the block begins.

    tools: folders that it may read beside the system's. Raises ToolError where this system keeps a command neither by
    namespaces nor by Landlock, or has no filter of system calls, unless that is `unsafe`; Cancelled when `kill_all`
    ended it.
    """
    user = _nobody()
    with _folder(user) as folder, contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        cell = Cell(
            str(folder), (*SYSTEM_FOLDERS, *tools), DEVICES, theirs.fileno(), user, limits.processes, limits.disk,
            limits.files, limits.process_memory, cpu_seconds=seconds * (os.cpu_count() or 1),
        )  # fmt: skip
        granted, places = list[str](), list[int]()

        def begin(leader: int) -> str:
            theirs.close()
            ours.settimeout(STARTS_WITHIN)
            told, handles, _, _ = socket.recv_fds(ours, 10_000, 1)
            for handle in handles:
                stack.callback(os.close, handle)
            if not told:
                return "could not be started"
            granted.extend(json.loads(told)["granted"])
            if not unsafe and {"own_root", "landlock"}.isdisjoint(granted):
                return "is off: this system has neither namespaces nor Landlock to keep a command in"
            if not unsafe and "no_sockets" not in granted:
                return f"is off: {json.loads(told)['lacking']}"
            _fill(Path(f"/proc/self/fd/{handles[0]}"), files, user)
            places.append(handles[0])
            ours.send(GO)
            return ""

        with theirs:
            done = follow(
                python_child("avo.sandbox.namespaces", as_json(cell), "/bin/sh", "-c", command), folder, seconds,
                kept=(HEAD, TAIL), pass_fds=(theirs.fileno(),), begin=begin, exceeds=_watch(places, limits), user=user,
            )  # fmt: skip
        if not places:
            raise ToolError(f"the shell {done.killed} {done.output[-1000:]}".strip())
        yield Enclosed(done, tuple(granted), Path(f"/proc/self/fd/{places[0]}"))


def _fill(place: Path, files: Mapping[str, bytes], user: int) -> None:
    """Write the files as that user: a cell's file system may know no other."""
    with contextlib.suppress(OSError):  # it may be the user's already
        os.chown(place, user or -1, user or -1)
    # A tmpfs that was mounted in a user namespace takes files of the users mapped there alone.
    before = (libc.setfsgid(user), libc.setfsuid(user)) if user else ()
    try:
        (place / TREE).mkdir()
        for name, content in files.items():
            write(place, f"{TREE}/{name}", content)
    finally:
        if before:
            libc.setfsuid(before[1])
            libc.setfsgid(before[0])


def _watch(places: list[int], limits: Limits) -> Callable[[int], str]:
    """What a command has too much of, asked while it runs."""
    free_before = [-1]

    def exceeds(leader: int) -> str:
        if process_tree.memory(process_tree.descendants(leader)) > limits.memory:
            return f"it took more than {limits.memory >> 20} MB of memory"
        system = os.fstatvfs(places[0])
        if system.f_blocks * system.f_frsize <= limits.disk:  # one of its own, which says no by itself
            return ""
        used, files = _used(places[0])
        if used > limits.disk or files > limits.files:
            return f"it wrote more than {limits.disk >> 20} MB or {limits.files} files"
        free = system.f_bavail * system.f_frsize
        if free_before[0] < 0:
            free_before[0] = free
        return "the disk is nearly full" if free < min(SPARE_DISK, free_before[0] // 2) else ""

    return exceeds


def _used(place: int) -> tuple[int, int]:
    """Bytes and files below a folder."""
    size = files = 0
    folders = [f"/proc/self/fd/{place}"]
    while folders and files < MOST_ENTRIES:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                files += 1
                with contextlib.suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
    return size, files


@contextlib.contextmanager
def _folder(user: int) -> Iterator[Path]:
    """An empty folder of that user's; whatever a command left in it, and however deep, goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="avo-shell-")).resolve()
    if user:
        os.chown(folder, user, user)
    try:
        yield folder
    finally:
        try:
            folder.rmdir()
        except OSError:
            for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
                bare = child_environment(folder.parent)
                subprocess.run([*command, "--", str(folder)], capture_output=True, check=False, env=bare)


def _nobody() -> int:
    """A user that nobody is, when avo is root and may be others; else 0."""
    if os.geteuid() != 0:
        return 0
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    if ~int(status["CapEff"], 16) & OF_OTHERS:
        return 0
    known = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    for first in USERS:
        number = first + os.getpid() % 5000
        if any(int(start) <= number < int(start) + int(count) for start, _, count in known):
            return number
    return 0
