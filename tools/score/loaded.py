"""A candidate loaded in its runner: launches it and reads the runner's CPU clock from outside."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from avo.scenarios.abi import SYMBOL
from avo.settings import child_environment
from avo.tools.process import python_child, supervised
from avo.tools.score.runner import COMMAND, REPLY
from avo.types import Rejected, Status

LOAD_SECONDS = 10.0
LEASE_SECONDS = 300.0
"""Wall time that all launches of one candidate may take together, asleep or at work."""
END_SECONDS = 1.0
"""Time that a runner whose descriptors are closed has to end."""

SIGNALS: dict[int, str] = {
    signal.SIGSYS: "made a system call that candidates may not make (processes, threads, sockets, signals)",
    signal.SIGSEGV: "crashed with SIGSEGV: an access outside its memory",
    signal.SIGABRT: "called abort()",
    signal.SIGFPE: "crashed with SIGFPE: an integer division by zero",
    signal.SIGILL: "crashed with SIGILL: an instruction that this processor does not have",
    signal.SIGBUS: "crashed with SIGBUS: an access outside its memory",
}


class Loaded:
    """One candidate in one runner, which is stopped except while a launch is under way. Use `load` to make one.

    A stopped process has left the processor, so its CPU clock, which runs on between scheduler ticks, is exact; and
    it can neither prepare the next launch nor finish the last one while nobody counts.
    """

    def __init__(self, child: subprocess.Popen[bytes], commands: int, replies: int, limit: float) -> None:
        self._child, self._commands, self._replies, self._limit = child, commands, replies, limit
        self._clock = (~child.pid << 3) | 2  # CPUCLOCK_SCHED of the whole process, all threads
        self._left = LEASE_SECONDS
        self.base = self._hello()
        """Address of the shared memory in the runner."""
        self.kernel_seconds = 0.0
        """CPU time of all launches so far."""
        self._stop()

    def launch(self, offset: int) -> float:
        """Call avo_launch with the avo_args at `offset`: its CPU seconds, all threads. Raises Rejected."""
        number = secrets.randbits(63)
        started, wall = time.clock_gettime(self._clock), time.monotonic()
        try:
            os.write(self._commands, COMMAND.pack(number, offset))
        except BrokenPipeError:
            raise self._end("waiting for a launch") from None
        os.kill(self._child.pid, signal.SIGCONT)
        reply = self._read(min(self._limit, self._left), "one launch")
        if len(reply) != REPLY.size or REPLY.unpack(reply)[0] != number:
            raise Rejected(Status.RUNTIME_ERROR, "answered with a forged reply")
        self._stop()
        elapsed = time.clock_gettime(self._clock) - started
        self._left -= time.monotonic() - wall
        self.kernel_seconds += elapsed
        code = REPLY.unpack(reply)[1]
        if code == 1:
            raise Rejected(Status.UNSUPPORTED, "avo_launch returned 1: unsupported case")
        if code != 0:
            raise Rejected(Status.RUNTIME_ERROR, f"avo_launch returned {code}")
        return elapsed

    def _hello(self) -> int:
        text = self._read(LOAD_SECONDS, "loading it")
        try:
            hello = json.loads(text)
            if "error" not in hello:
                return int(hello["base"])
        except (ValueError, KeyError, TypeError):
            raise Rejected(Status.RUNTIME_ERROR, "answered with a forged reply while loading it") from None
        raise Rejected(Status.RUNTIME_ERROR, f"cannot be loaded: {hello['error']}")

    def _stop(self) -> None:
        """Take the runner off the processor, and wait until it is."""
        os.kill(self._child.pid, signal.SIGSTOP)
        state = os.waitid(os.P_PID, self._child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if state is None or state.si_code != os.CLD_STOPPED:
            raise self._end("one launch")
        os.waitid(os.P_PID, self._child.pid, os.WSTOPPED | os.WNOHANG)  # so that the next stop is a new one

    def _read(self, timeout: float, what: str) -> bytes:
        if not select.select([self._replies], [], [], max(timeout, 0))[0]:
            raise Rejected(Status.TIMEOUT, f"{what} took longer than {timeout:g} s")
        if reply := os.read(self._replies, 4096):
            return reply
        raise self._end(what)

    def _end(self, what: str) -> Rejected:
        """How a runner ended that no longer answers."""
        try:
            code = self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return Rejected(Status.RUNTIME_ERROR, f"closed the descriptors of its process (while {what})")
        if code < 0:
            return Rejected(
                Status.RUNTIME_ERROR, f"{SIGNALS.get(-code, f'was killed by signal {-code}')} (while {what})"
            )
        return Rejected(Status.RUNTIME_ERROR, f"ended its process with exit code {code} (while {what})")


@contextlib.contextmanager
def load(library: Path, memory: int, limit: float) -> Iterator[Loaded]:
    """Start a runner for `library` over the shared memory of descriptor `memory`; it ends with the block.

    `limit`: seconds that one launch may take. Raises Rejected when the library does not load.
    """
    command_end, commands = os.pipe()
    replies, reply_end = os.pipe()
    spec = {
        "library": str(library), "symbol": SYMBOL, "memory": memory, "commands": command_end, "replies": reply_end
    }  # fmt: skip
    try:
        child = subprocess.Popen(
            python_child("avo.tools.score.runner", json.dumps(spec)),
            cwd=library.parent, env=child_environment(library.parent), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(memory, command_end, reply_end), start_new_session=True,
        )  # fmt: skip
        os.close(reply_end)
        os.close(command_end)
        with supervised(child):
            yield Loaded(child, commands, replies, limit)
    finally:
        os.close(commands)
        os.close(replies)
