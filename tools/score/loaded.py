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
IDLE_ALLOWED = 200e-6
"""CPU seconds that a runner may use between two launches (its own loop needs about 20e-6)."""

SIGNALS = {
    signal.SIGSYS: "made a system call that candidates may not make (processes, threads, sockets, signals)",
    signal.SIGSEGV: "crashed with SIGSEGV: an access outside its memory",
    signal.SIGABRT: "called abort()",
    signal.SIGFPE: "crashed with SIGFPE: an integer division by zero",
    signal.SIGILL: "crashed with SIGILL: an instruction that this processor does not have",
    signal.SIGBUS: "crashed with SIGBUS: an access outside its memory",
}


class Loaded:
    """One candidate in one runner. Use `load` to make one."""

    def __init__(self, child: subprocess.Popen[bytes], commands: int, replies: int, limit: float) -> None:
        self._child, self._commands, self._replies, self._limit = child, commands, replies, limit
        self._clock = (~child.pid << 3) | 2  # CPUCLOCK_SCHED of the whole process, all threads
        hello = json.loads(self._read(LOAD_SECONDS, "loading it"))
        if "error" in hello:
            raise Rejected(Status.RUNTIME_ERROR, f"cannot be loaded: {hello['error']}")
        self.base: int = hello["base"]
        """Address of the shared memory in the runner."""
        self._settled: float | None = None
        self.kernel_seconds = 0.0
        """CPU time of all launches so far."""

    def launch(self, offset: int) -> None:
        """Call avo_launch with the avo_args at `offset`; returns when the runner says that it came back."""
        if select.select([self._replies], [], [], 0)[0]:
            self._read(0, "between launches")
            raise Rejected(Status.RUNTIME_ERROR, "answered without being asked: a forged reply")
        number = secrets.randbits(63)
        self._start = time.clock_gettime(self._clock)
        if self._settled is not None and self._start - self._settled > IDLE_ALLOWED:
            late = (self._start - self._settled) * 1e3
            raise Rejected(Status.TIMING_MISMATCH, f"worked for {late:.2f} ms of CPU time outside of its launches")
        os.write(self._commands, COMMAND.pack(number, offset))
        reply = self._read(self._limit, "one launch")
        if len(reply) != REPLY.size or REPLY.unpack(reply)[0] != number:
            raise Rejected(Status.RUNTIME_ERROR, "answered with a forged reply")
        code = REPLY.unpack(reply)[1]
        if code == 1:
            raise Rejected(Status.UNSUPPORTED, "avo_launch returned 1: unsupported case")
        if code != 0:
            raise Rejected(Status.RUNTIME_ERROR, f"avo_launch returned {code}")

    def settle(self) -> float:
        """CPU seconds since the last launch began, read once its results have been taken away."""
        self._settled = time.clock_gettime(self._clock)
        elapsed = self._settled - self._start
        self.kernel_seconds += elapsed
        return elapsed

    def _read(self, timeout: float, what: str) -> bytes:
        if not select.select([self._replies], [], [], timeout)[0]:
            raise Rejected(Status.TIMEOUT, f"{what} took longer than {timeout:g} s")
        if reply := os.read(self._replies, 4096):
            return reply
        code = self._child.wait()
        if code < 0:
            name = SIGNALS.get(signal.Signals(-code), f"was killed by {signal.Signals(-code).name}")
            raise Rejected(Status.RUNTIME_ERROR, f"{name} (while {what})")
        raise Rejected(Status.RUNTIME_ERROR, f"ended its process with exit code {code} (while {what})")


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
