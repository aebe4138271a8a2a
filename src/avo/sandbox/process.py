"""Runs child processes: a session of their own, a scrubbed environment, a time limit, and no survivors."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

from avo.sandbox import process_tree
from avo.sandbox.confine import Policy, as_json
from avo.settings import PACKAGE, child_environment
from avo.types import Cancelled, Missing

SYSTEM_FOLDERS = (
    *("/lib", "/lib64", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec"),
    *("/usr/include", "/usr/share", "/usr/local/bin", "/usr/local/include", "/opt"),
    *("/etc/ld.so.cache", "/etc/alternatives"),
)
"""Files and folders that compilers and shells read."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/full")
"""Device files that children may read and write."""

KEPT_OUTPUT = (4 << 20, 4 << 20)
"""Bytes kept of the beginning and of the end of a child's output."""
# The most that a user may ask for by default (fs.pipe-max-size).
PIPE_BYTES = 1 << 20
"""Size of the pipe for a child's output."""
MOST_LEFT = 16
"""Maximum number of reads that drain a pipe after its writers should have ended."""
KILLED_SECONDS = 60.0
"""Seconds that a killed process has to end; one that hangs in a driver never does."""
LOOK_AGAIN_SECONDS = 0.1
"""Seconds between two checks of a child that prints nothing."""

_alive: set[int] = set()
"""Leaders of the process groups that are running."""
_killed: set[int] = set()


@dataclass(frozen=True)
class Finished:
    """The result of a child process."""

    code: int
    """Exit status; negative: the signal that ended it, -N for signal N."""
    output: str
    """Standard output and standard error together, decoded as UTF-8 with replacement; head and tail if it was long."""
    seconds: float
    """Wall-clock time."""
    timed_out: bool
    """True if it was killed at its time limit."""
    killed: str = ""
    """The limit other than its time that it exceeded; empty if none."""
    peak_memory: int = 0
    """Resident bytes of its largest process at most; 0 where unknown: only `run` with own_processes measures it."""


class Ends:
    """The first `head` and the last `tail` bytes of a stream of any length."""

    def __init__(self, head: int, tail: int) -> None:
        self._room, self._last = head, tail
        self._head, self._tail, self._count = bytearray(), bytearray(), 0

    def add(self, chunk: bytes | memoryview) -> None:
        """Append the next piece of the stream."""
        first = max(self._room - len(self._head), 0)
        self._head += chunk[:first]
        rest = chunk[first:]
        self._tail += rest[-self._last :] if self._last else b""
        self._count += len(chunk)
        if len(self._tail) > 2 * self._last:
            del self._tail[: -self._last]

    def __str__(self) -> str:
        tail = self._tail[-self._last :] if self._last else b""
        left = self._count - len(self._head) - len(tail)
        between = f"\n[... {left} bytes left out ...]\n".encode() if left else b""
        return b"".join((self._head, between, tail)).decode("utf-8", "replace")


def python_child(module: str, *arguments: str) -> list[str]:
    """Return a command that runs `module` in a bare interpreter: no site-packages, no environment, 20 ms to start."""
    boot = (
        f"import sys, runpy; sys.path.insert(0, {str(PACKAGE.parent)!r});"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    return [sys.executable, "-I", "-S", "-c", boot, *arguments]


def run(
    command: list[str], cwd: Path, timeout: float, policy: Policy, *, kept: tuple[int, int] = KEPT_OUTPUT,
    exceeds: Callable[[int], str] = lambda leader: "",
) -> Finished:  # fmt: skip
    """Run `command` in the sandbox, for at most `timeout` seconds; then kill everything that it started.

    kept, exceeds: see `follow`. Raises Missing when it could not be started, Cancelled when `kill_all` ended it.
    """
    with starting(command[0]):
        reading, writing = os.pipe()
    with FileIO(reading, "rb") as report, FileIO(writing, "wb") as end:
        order = python_child("avo.sandbox.confine", str(writing), as_json(policy), *command)
        done = follow(order, cwd, timeout, kept=kept, pass_fds=(writing,), exceeds=exceeds)
        end.close()
        os.set_blocking(report.fileno(), False)  # a process that does not end may hold the other end
        said: dict[str, Any] = {}
        for line in (report.read(PIPE_BYTES) or b"").splitlines():
            said |= json.loads(line)
    if "failed" in said:
        raise Missing(f"{command[0]} cannot be started: {said['failed']}")
    if "begins" not in said and not (done.timed_out or done.killed):
        why = (done.output.strip().splitlines() or [f"it ended with {done.code}"])[-1]
        raise Missing(f"{command[0]} cannot be started, for the process that confines it did not come up: {why}")
    ended = done.timed_out or bool(done.killed)
    code = done.code if ended else said.get("code", done.code)
    return replace(done, code=code, peak_memory=said.get("peak_memory", 0))


@contextlib.contextmanager
def starting(what: str) -> Iterator[None]:
    """Raise Missing where the system refuses the means to start a process."""
    try:
        yield
    except OSError as error:
        raise Missing(
            f"{what} cannot be started: {error.strerror}; look at memory (free), processes (ulimit -u) and open files "
            "(ulimit -n)"
        ) from error


def follow(
    command: list[str], cwd: Path, timeout: float, *, kept: tuple[int, int] = KEPT_OUTPUT, pass_fds: Sequence[int] = (),
    begin: Callable[[int], str] = lambda leader: "", exceeds: Callable[[int], str] = lambda leader: "", user: int = 0,
) -> Finished:  # fmt: skip
    """Run a command that confines itself, until it ends or `timeout` seconds have passed; then kill what it started.

    kept: bytes of head and tail of its output. begin: called with its pid once it runs. exceeds: called with its pid
    again and again. Either ends the command by returning why. user: a user id all of whose processes are killed at the
    end. Raises Missing when it could not be started, Cancelled when `kill_all` ended it.
    """
    started = time.monotonic()
    output, killed, timed_out = Ends(*kept), "", False
    room = memoryview(bytearray(PIPE_BYTES))
    with starting(command[0]):
        reading, writing = os.pipe()
    with FileIO(reading, "rb") as pipe:
        with contextlib.suppress(OSError):  # a user's pipes may be as many as they can be
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        with os.fdopen(writing, "wb") as end, starting(command[0]):
            child = subprocess.Popen(
                command, cwd=cwd, env=child_environment(cwd), stdin=subprocess.DEVNULL, stdout=end,
                stderr=subprocess.STDOUT, start_new_session=True, pass_fds=pass_fds,
            )  # fmt: skip
        with supervised(child), _without_heirs(child, user):
            killed, looked = begin(child.pid), started
            while not killed and child.poll() is None:
                _read(pipe, room, output, child)
                now = time.monotonic()
                if timed_out := now - started > timeout:
                    break
                if now - looked > LOOK_AGAIN_SECONDS:
                    looked = now
                    if killed := exceeds(child.pid):
                        break
        os.set_blocking(pipe.fileno(), False)
        for _ in range(MOST_LEFT):
            output.add(room[: pipe.readinto(room) or 0])
    code = child.returncode if not (timed_out or killed) else -signal.SIGKILL
    return Finished(code, str(output), time.monotonic() - started, timed_out, killed)


def _read(pipe: FileIO, room: memoryview, output: Ends, child: subprocess.Popen[bytes]) -> None:
    """Read the next piece of its output, or wait a moment when there is none yet."""
    if select.select([pipe], [], [], LOOK_AGAIN_SECONDS)[0]:
        if count := pipe.readinto(room):
            output.add(room[:count])
        else:  # it closed its streams, or ended
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(LOOK_AGAIN_SECONDS)


@contextlib.contextmanager
def supervised(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the child's process group at the end of the block, whatever happened. Raises Cancelled if `kill_all` came
    first, and Missing when the child does not end.
    """
    _alive.add(child.pid)
    try:
        yield
    finally:
        _signal_group(child.pid, signal.SIGKILL)
        stuck = False
        try:
            child.wait(KILLED_SECONDS)
        except subprocess.TimeoutExpired:
            stuck = True
        _alive.discard(child.pid)
        if child.pid in _killed:
            _killed.discard(child.pid)
            raise Cancelled("stopped by the user")
        if stuck:
            raise Missing(f"process {child.pid} was killed and does not end: a driver hangs, restart the machine")


@contextlib.contextmanager
def _without_heirs(child: subprocess.Popen[bytes], user: int) -> Iterator[None]:
    """Kill the child's descendants, in any session, and all processes of `user` at the end of the block."""
    try:
        yield
    finally:
        if user or child.poll() is None:
            _signal_group(child.pid, signal.SIGSTOP)  # or a shell would still tell of its children's end
            process_tree.end(child.pid, user)


def kill_all() -> int:
    """End every running child; return how many there were. Whoever waits for one raises Cancelled."""
    groups = list(_alive)
    for group in groups:
        _killed.add(group)
        _signal_group(group, signal.SIGSTOP)
        process_tree.end(group)
        _signal_group(group, signal.SIGKILL)
    return len(groups)


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def elide(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters as it is; of a longer one head, tail, and the number left out."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[... {len(text) - head - tail} characters left out ...]\n{text[-tail:]}"
