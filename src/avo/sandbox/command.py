"""Runs an agent's command in a cell: makes its folder, checks its isolation, enforces its limits, ends all of it."""

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
"""Bytes kept of the beginning and of the end of a command's output."""
SPARE_DISK = 1 << 30
"""Bytes of disk that must stay free where a cell has no file system of its own."""
STARTS_WITHIN = 60
"""Seconds that a cell may take to start, even on a busy machine."""
USERS = (2_000_000_000, 60_000)
"""User ids without an account, for avo as root: the first one that is mapped here, plus a number from avo's pid."""
OF_OTHERS = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7
"""Capabilities to run a command as another user: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID."""
TREE = "tree"
"""Name of the folder, within the cell's, in which the command starts."""


@dataclass(frozen=True)
class Limits:
    """Resource limits of one command and everything that it starts; sizes in bytes."""

    processes: int = field(default_factory=lambda: max(256, 4 * (os.cpu_count() or 1)))
    """Processes and threads together."""
    memory: int = field(default_factory=lambda: os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    """Resident memory of all processes together."""
    process_memory: int = 8 << 30
    """Address space of each process."""
    disk: int = 1 << 30
    """Size of all files that it writes."""
    files: int = 20_000
    """Number of files and folders."""


@dataclass(frozen=True)
class Enclosed:
    """A finished command and the files that it left in its cell."""

    finished: Finished
    """Exit status, output and time."""
    granted: tuple[str, ...]
    """Names of the isolation measures in force, as `avo.sandbox.namespaces` reports them."""
    place: Path
    """The cell's folder, which exists until the block of `enclosed` ends; TREE is in it unless the command moved it."""


@contextlib.contextmanager
def enclosed(
    command: str, seconds: int, limits: Limits, *, files: Mapping[str, bytes], tools: tuple[str, ...] = ()
) -> Iterator[Enclosed]:  # fmt: skip
    """Run a shell command in a cell, with `files` in TREE; none of its processes is left when the block begins.

    seconds: of wall-clock time. tools: folders that it may read in addition to the system's. Raises ToolError where
    this system has neither namespaces nor Landlock, or no filter of system calls; Cancelled when `kill_all` ended
    the command.
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
            if {"own_root", "landlock"}.isdisjoint(granted):
                return "is off: this system has neither namespaces nor Landlock to keep a command in"
            if "no_sockets" not in granted:
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
    """Return a function that names the limit a running command exceeds; it returns "" while there is none."""
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
    """Return the bytes and the number of files below a folder."""
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
    """Yield an empty folder that belongs to the user; at the end of the block everything in it is deleted."""
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
    """Return a user id without an account if avo is root and may switch users, else 0."""
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
