"""The descendants of a process: found, measured and killed. Linux only, standard library only, without pathlib."""

# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import os
import signal
import time

ROUNDS = 200
"""Maximum number of passes over the remaining processes, as one may start others faster than they are killed."""


def descendants(leader: int) -> list[int]:
    """Return the pids of the living descendants of `leader`."""
    children: dict[int, list[int]] = {}
    for pid in _numbers():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in (b"Z", b"X"):
            children.setdefault(int(parent), []).append(pid)
    found, look = list[int](), [leader]
    while look:
        below = children.pop(look.pop(), [])
        found += below
        look += below
    return found


def cpu_seconds(leader: int) -> float:
    """Return the CPU time, in seconds, of a process, its descendants, and the children that they waited for."""
    ticks = 0
    for pid in (leader, *descendants(leader)):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                # utime, stime, cutime, cstime of proc(5)
                ticks += sum(map(int, file.read().rpartition(b")")[2].split()[11:15]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def of_user(user: int) -> list[int]:
    """Return the pids of a user's living processes."""
    found = []
    for pid in _numbers():
        try:
            with open(f"/proc/{pid}/status", "rb") as file:
                facts = dict(line.split(b":\t", 1) for line in file.read().splitlines() if b":\t" in line)
        except OSError:
            continue
        if int(facts[b"Uid"].split()[0]) == user and facts[b"State"][:1] not in (b"Z", b"X"):
            found.append(pid)
    return found


def end(leader: int, user: int = 0) -> None:
    """Kill the descendants of `leader` in any session, and all processes of `user`; not `leader` itself."""
    for _ in range(ROUNDS):
        found = descendants(leader) + (of_user(user) if user else [])
        if not found:
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                try:
                    os.kill(pid, number)
                except (ProcessLookupError, PermissionError):
                    continue
        time.sleep(0.002)


def memory(pids: list[int]) -> int:
    """Return the resident bytes of these processes; shared memory counts once for each."""
    pages = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                pages += int(file.read().split()[1])
        except (OSError, IndexError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def _numbers() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
