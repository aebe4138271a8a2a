"""The judge's side of a runner: starts it, sends launches, checks its replies, and reads the clock from outside."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from avo.sandbox import seccomp
from avo.sandbox.process import python_child, supervised
from avo.scenarios.abi import SYMBOL
from avo.settings import child_environment, unsafe_runner
from avo.tools.build.cache import require_whole
from avo.tools.launch.buffers import Buffer, HostBuffer
from avo.tools.launch.cuda_runner import TIMES
from avo.tools.launch.fences import FENCE
from avo.tools.launch.patience import LOOK_AGAIN_SECONDS, Patience
from avo.tools.launch.runner import COMMAND, LONGEST_ERROR, REPLY
from avo.types import Missing, Rejected, Status, one_line

START_SECONDS, LOAD_SECONDS = 60.0, 10.0
"""Seconds until the runner has its context (a driver may look at many GPUs), and until the candidate is loaded."""
CLOCKS_AGREE = 0.01
"""Relative difference that is allowed between event times and the judge's clock on a GPU."""
GAP_SECONDS = 5e-6
"""Seconds allowed between the events of two groups of launches."""
PASS_SECONDS = 1e-6
"""Seconds to pass the arguments of one launch and to request it (512 of them: 0.4e-3 on an H200)."""
CALL_SECONDS = 0.9e-3
"""Seconds of overhead of a batch of launches (0.35 to 0.9e-3 on an H200; its head start takes 0.07e-3 more)."""
CUDA_ERRORS = {
    700: "illegal memory access (CUDA error 700)",
    715: "illegal instruction (CUDA error 715)",
    716: "misaligned address (CUDA error 716)",
    719: "unspecified launch failure (CUDA error 719)",
}
"""CUDA's error number -> description."""
MOST_DISTURBED = 4
"""Maximum number of batches of one case that may be dropped because the clocks disagree; or as many as those on which
they agree, if that is more. A busy machine disturbs some, and a candidate gains nothing by them.
"""
END_SECONDS = 1.0
"""Seconds in which a runner that closed its descriptors has to end."""

SIGNALS: dict[int, str] = {
    signal.SIGSYS: "made a system call that candidates may not make (processes, threads, sockets, signals)",
    signal.SIGSEGV: "crashed with SIGSEGV: an access outside its memory",
    signal.SIGABRT: "called abort()",
    signal.SIGFPE: "crashed with SIGFPE: an integer division by zero",
    signal.SIGILL: "crashed with SIGILL: an instruction that this processor does not have",
    signal.SIGBUS: "crashed with SIGBUS: an access outside its memory",
}
"""Signal -> description of a runner that it killed."""

Fences = Sequence[tuple[int, int]]
"""Fences of a slot: see `Slot.fences`."""
OUTSIDE = "read or wrote outside its tensors (pages before and behind them cannot be touched while it is checked)"
"""Reason of a rejection for an access to a fence."""


class Loaded:
    """One candidate in one runner. Made by `load`."""

    def __init__(self, child: subprocess.Popen[bytes], commands: int, replies: int, limit: float) -> None:
        self._child, self._commands, self._replies, self._limit = child, commands, replies, limit
        self.base = self._hello()
        """Address of the shared memory in the runner."""
        self._patience = Patience(child.pid, limit)
        self.kernel_seconds = 0.0
        """Seconds of all launches so far, by the clock that scores."""

    def launch(
        self, arguments: Sequence[bytes], *, timed: bool, group: int = 1, fences: Fences = ()
    ) -> list[float]:  # fmt: skip
        """Call avo_launch once for each avo_args; return the seconds of a call, the mean over each `group` of calls.

        timed: True if the times count. fences: those of the slot; an access to one is OUT_OF_BOUNDS. Raises Rejected.
        """
        raise NotImplementedError

    def agrees(self) -> bool:
        """Return True if both clocks agree on the last timed batch; if not, its times must be dropped. Raises Rejected:
        TIMING_MISMATCH when that happens too often.
        """
        return True

    def unexplained(self) -> list[float]:
        """Return the seconds on the judge's clock beyond event times, of each batch that agreed since the last call."""
        return [0.0]

    def _command(self, arguments: Sequence[bytes], group: int, fences: Fences = ()) -> int:
        number = secrets.randbits(63)
        left = COMMAND.pack(number, len(arguments), group, len(arguments[0]), len(fences))
        left += b"".join([*(FENCE.pack(*fence) for fence in fences), *arguments])
        try:
            while left:
                if not select.select([], [self._commands], [], self._limit)[1]:
                    raise Rejected(Status.TIMEOUT, f"did not take a command for {self._limit:g} s")
                left = left[os.write(self._commands, left) :]
        except BrokenPipeError:
            raise self._end("waiting for a launch") from None
        return number

    def _reply(self, number: int, extra: int) -> bytes:
        """Return the `extra` bytes that follow the reply. Raises Rejected unless all launches succeeded."""
        while not select.select([self._replies], [], [], min(LOOK_AGAIN_SECONDS, self._limit))[0]:
            self._patience.check()
        reply = self._read(0.0, "one launch")
        if len(reply) != REPLY.size + extra or REPLY.unpack_from(reply)[0] != number:
            raise Rejected(Status.RUNTIME_ERROR, "answered with a forged reply")
        _, code, failed = REPLY.unpack_from(reply)
        refuse(code, failed)
        return reply[REPLY.size :]

    def _hello(self) -> int:
        """Return the address of the shared memory in the runner, once the candidate is loaded.

        The runner reports the address before it loads the candidate. Raises Missing for what goes wrong before that,
        which is the machine's fault; Rejected for what goes wrong then.
        """
        try:
            line, _, rest = self._read(START_SECONDS, "starting").partition(b"\n")
        except Rejected as rejected:
            raise Missing(f"the runner of candidates does not start: {rejected.reason}") from None
        base = (hello := said(line)).get("base")
        if type(base) is not int:
            reason = one_line(str(hello.get("machine", "it does not say where its memory lies")), LONGEST_ERROR)
            raise Missing(f"the runner of candidates does not start: {reason}")
        loaded = said(rest or self._read(LOAD_SECONDS, "loading it"))
        if loaded == {"loaded": True}:
            return base
        if isinstance(error := loaded.get("error"), str):
            raise Rejected(Status.RUNTIME_ERROR, f"cannot be loaded: {error[:LONGEST_ERROR]}")
        raise Rejected(Status.RUNTIME_ERROR, "answered with a forged reply while loading it")

    def _read(self, timeout: float, what: str) -> bytes:
        if not select.select([self._replies], [], [], max(timeout, 0))[0]:
            raise Rejected(Status.TIMEOUT, f"{what} took longer than {timeout:g} s")
        # A whole reply: a pipe takes 4096 bytes at once, and 16 with 4 for each of MOST_LAUNCHES are less.
        if reply := os.read(self._replies, 4096):
            return reply
        raise self._end(what)

    def _end(self, what: str) -> Rejected:
        """Return the rejection that says how a silent runner ended. Raises Missing if others killed it."""
        try:
            code = self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return Rejected(Status.RUNTIME_ERROR, f"closed the descriptors of its process (while {what})")
        if code == -signal.SIGKILL and not seccomp.lacking():  # the filter keeps it from doing that to itself
            raise Missing(
                f"the runner of candidates was killed by others (while {what}), perhaps for want of memory: "
                "see dmesg, then give the same command again"
            )
        if code < 0:
            return Rejected(
                Status.RUNTIME_ERROR, f"{SIGNALS.get(-code, f'was killed by signal {-code}')} (while {what})"
            )
        return Rejected(Status.RUNTIME_ERROR, f"ended its process with exit code {code} (while {what})")


class LoadedOnCpu(Loaded):
    """A runner that is stopped except during a launch.

    A stopped process is off the processor, so its CPU clock, which is otherwise updated by scheduler ticks, is exact;
    and it can neither prepare the next launch nor finish the last one while no time is counted.
    """

    def __init__(
        self, child: subprocess.Popen[bytes], commands: int, replies: int, limit: float, buffer: HostBuffer
    ) -> None:
        super().__init__(child, commands, replies, limit)
        self._buffer = buffer
        # Its clock can be read from outside, in nanoseconds; a wall clock says nothing on a machine that others use.
        self._clock = (~child.pid << 3) | 2  # CPUCLOCK_SCHED of the whole process, all threads
        self._stop()

    def launch(
        self, arguments: Sequence[bytes], *, timed: bool, group: int = 1, fences: Fences = ()
    ) -> list[float]:  # fmt: skip
        """Return the CPU seconds of a call, over all threads, the mean over each `group` of calls."""
        try:
            return [self._one(arguments[i : i + group], fences) / group for i in range(0, len(arguments), group)]
        except Rejected:
            if self._met(fences):
                raise Rejected(Status.OUT_OF_BOUNDS, OUTSIDE) from None
            raise

    def _met(self, fences: Fences) -> bool:
        """Return True if the runner was killed by an access to one of these fences."""
        if self._child.returncode not in (-signal.SIGSEGV, -signal.SIGBUS):
            return False
        place = self._buffer.fault() - self.base
        return any(offset <= place < offset + length for offset, length in fences)

    def _one(self, arguments: Sequence[bytes], fences: Fences) -> float:
        """Return the CPU seconds of calls that follow each other without a pause."""
        started = time.clock_gettime(self._clock)
        self._patience.begin(len(arguments))
        number = self._command(arguments, len(arguments), fences)
        os.kill(self._child.pid, signal.SIGCONT)
        self._reply(number, 0)
        self._stop()
        # Read once it is stopped, before outputs are copied: who replies early leaves them wrong, and gains nothing.
        elapsed = time.clock_gettime(self._clock) - started
        self._patience.check(over=True)
        self.kernel_seconds += elapsed
        return elapsed

    def _stop(self) -> None:
        """Stop the runner, and wait until it is off the processor."""
        os.kill(self._child.pid, signal.SIGSTOP)
        state = os.waitid(os.P_PID, self._child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if state is None or state.si_code != os.CLD_STOPPED:
            raise self._end("one launch")
        os.waitid(os.P_PID, self._child.pid, os.WSTOPPED | os.WNOHANG)  # so that the next stop is a new one


class LoadedOnGpu(Loaded):
    """A runner with a CUDA context of its own; the launches of one call follow each other without a pause."""

    def __init__(self, child: subprocess.Popen[bytes], commands: int, replies: int, limit: float) -> None:
        super().__init__(child, commands, replies, limit)
        self._last = (0.0, 0.0, 0, 0)
        """The last timed batch: seconds by its events and by the judge's clock, launches, pairs of events."""
        self._unexplained: list[float] = []
        self._disturbed = 0

    def launch(
        self, arguments: Sequence[bytes], *, timed: bool, group: int = 1, fences: Fences = ()
    ) -> list[float]:  # fmt: skip
        """Return the seconds of a call between two events, the mean over each `group`, a divisor of their number."""
        started = time.monotonic()
        self._patience.begin(len(arguments))
        number = self._command(arguments, group)
        packed = self._reply(number, len(arguments) // group * TIMES.size)
        wall = time.monotonic() - started
        self._patience.check(over=True)
        times = [milliseconds / 1e3 for (milliseconds,) in TIMES.iter_unpack(packed)]
        if not all(0 <= seconds < math.inf for seconds in times):
            raise Rejected(Status.RUNTIME_ERROR, "answered with a forged reply")
        self.kernel_seconds += sum(times)
        if timed:
            self._last = (sum(times), wall, len(arguments), len(times))
        return [seconds / group for seconds in times]

    def agrees(self) -> bool:
        """See `Loaded.agrees`: compares event times with the judge's clock."""
        told, seen, launches, pairs = self._last
        if clocks_agree(told, seen, launches, pairs):
            self._unexplained.append(seen - told)
            return True
        self._disturbed += 1
        if self._disturbed > max(MOST_DISTURBED, len(self._unexplained)):
            clocks = f"{told * 1e3:.3f} ms by its events, {seen * 1e3:.3f} ms by the judge's clock"
            raise Rejected(Status.TIMING_MISMATCH, f"a row of launches took {clocks}")
        return False

    def unexplained(self) -> list[float]:
        """See `Loaded.unexplained`; forgets the batches that were dropped, too."""
        rows, self._unexplained, self._disturbed = self._unexplained, [], 0
        return rows


def clocks_agree(told: float, seen: float, launches: int, pairs: int) -> bool:
    """Return True if a batch took about as long by its events, `told` seconds, as by the judge's clock, `seen`.

    The allowed difference is CLOCKS_AGREE of `told`, plus the overhead of `launches` launches and `pairs` pairs of
    events.
    """
    beyond = launches * PASS_SECONDS + pairs * GAP_SECONDS + CALL_SECONDS
    return 0 < told < seen < told * (1 + CLOCKS_AGREE) + beyond


def said(reply: bytes) -> dict[str, object]:
    """Parse a line of JSON from a runner; {} for anything but an object, which a candidate may have written."""
    try:
        message = json.loads(reply)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def refuse(code: int, failed: int) -> None:
    """Raise Rejected unless avo_launch returned 0 (`code`) and CUDA reported no error (`failed`)."""
    if code == 1:
        raise Rejected(Status.UNSUPPORTED, "avo_launch returned 1: unsupported case")
    if code != 0:
        raise Rejected(Status.RUNTIME_ERROR, f"avo_launch returned {code}")
    if failed:
        raise Rejected(Status.RUNTIME_ERROR, CUDA_ERRORS.get(failed, f"CUDA error {failed}"))


@contextlib.contextmanager
def load(library: Path, buffer: Buffer, limit: float, cudart: Path | None = None) -> Iterator[Loaded]:
    """Start a runner for `library` over the judge's buffer; it ends with the block.

    limit: seconds that one launch may take. cudart: path of the CUDA runtime, on a GPU. Raises Rejected when the
    library does not load; Missing when the runner does not start, or the library has been deleted or damaged since it
    was built.
    """
    require_whole(library)
    command_end, commands = os.pipe()
    os.set_blocking(commands, False)  # a runner that was taken over need not read
    replies, reply_end = os.pipe()
    spec = {"library": str(library), "symbol": SYMBOL, "commands": command_end, "replies": reply_end, **buffer.grant}
    spec["unsafe"] = unsafe_runner()
    if cudart:
        spec["cudart"] = str(cudart)
    module = "avo.tools.launch.cuda_runner" if cudart else "avo.tools.launch.runner"
    variables = child_environment(library.parent, buffer.grant["gpu"] if cudart else "")
    if cudart:
        # A kernel is loaded with its library, and not within its first launch.
        variables |= {"CUDA_MODULE_LOADING": "EAGER"}
    try:
        child = subprocess.Popen(
            python_child(module, json.dumps(spec)), cwd=library.parent, env=variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(*buffer.descriptors, command_end, reply_end), start_new_session=True,
        )  # fmt: skip
        os.close(reply_end)
        os.close(command_end)
        with supervised(child):
            if isinstance(buffer, HostBuffer):
                yield LoadedOnCpu(child, commands, replies, limit, buffer)
            else:
                yield LoadedOnGpu(child, commands, replies, limit)
    except Rejected:
        require_whole(library)
        raise
    finally:
        os.close(commands)
        os.close(replies)
