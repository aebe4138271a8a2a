"""One run of a compiler, limited in memory and CPU time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avo.sandbox import process_tree
from avo.sandbox.confine import Policy
from avo.sandbox.process import DEVICES, SYSTEM_FOLDERS, Finished, run
from avo.scenarios.loader import Scenario
from avo.tools.build.compilers import Compiler
from avo.types import Missing, Rejected, Status

MOST_MEMORY, LEAST_MEMORY = 16 << 30, 4 << 30
"""Bounds in bytes of a compiler's address space, which is three quarters of the machine's memory."""
CGROUP = Path("/sys/fs/cgroup/memory.max")
"""File with the memory limit of the container, in bytes."""
LARGEST_LIBRARY = 64 << 20
"""Bytes of the largest file that a compiler may write."""
LIBRARY = "candidate.so"
"""File name of a candidate's library."""
OWN_SHARE = 0.8
"""Share of the time limit that a compilation must have spent as CPU time to be called too long; with less, the machine
is busy, and it gets more time.
"""
BUSY_FACTOR, BUSY_SECONDS = 4.0, 30.0
"""Factor and summand in seconds that extend a compilation's time limit on a busy machine."""


@dataclass(frozen=True)
class Compilation:
    """The way candidates of one scenario are compiled for one target."""

    compiler: Compiler
    scenario: Scenario
    target: str

    @property
    def flags(self) -> tuple[str, ...]:
        """The scenario's compiler flags for the target."""
        return self.scenario.target(self.target).flags

    def policy(self, folder: Path) -> Policy:
        """Return the sandbox policy of a compiler, and of the tools that read its library."""
        return Policy(
            read=(*SYSTEM_FOLDERS, *DEVICES, *self.compiler.folders), write=(str(folder), *DEVICES),
            memory=most_memory(), file_bytes=LARGEST_LIBRARY, own_processes=True,
        )  # fmt: skip

    def run(self, units: Sequence[str], folder: Path, flags: Sequence[str]) -> Finished:
        """Compile `units` to LIBRARY in `folder`; return how the compiler ended.

        Raises Rejected: TIMEOUT; Missing when the compiler cannot be started, or gets no CPU time.
        """
        limit = self.scenario.target(self.target).compile_seconds
        command = [self.compiler.path, *flags, *self.compiler.options, "-o", LIBRARY, *units]
        longest, began, used = BUSY_FACTOR * limit + BUSY_SECONDS, time.monotonic(), 0.0

        def exceeds(leader: int) -> str:
            nonlocal used
            if time.monotonic() - began <= limit:
                return ""
            used = process_tree.cpu_seconds(leader)
            return "its time" if used > OWN_SHARE * limit else ""

        (folder / LIBRARY).unlink(missing_ok=True)
        done = run(command, folder, longest, self.policy(folder), exceeds=exceeds)
        if done.killed:
            log = done.output.replace(f"{folder}/", "")
            raise Rejected(Status.TIMEOUT, f"compiling took longer than {limit:g} s", log)
        if done.timed_out:
            raise Missing(
                f"the machine is busy, or a disk does not answer: within {longest:.0f} s the compiler got {used:.1f} s "
                f"of CPU time, of the {limit:g} s that it may take; try again when less is under way"
            )
        return done


def well(done: Finished, folder: Path) -> bool:
    """Return True if a compilation succeeded and its library exists."""
    return done.code == 0 and (folder / LIBRARY).is_file()


def most_memory() -> int:
    """Return the address space that a compiler may take, in bytes."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit: "max"
        total = min(total, int(CGROUP.read_text()))
    return max(LEAST_MEMORY, min(MOST_MEMORY, total * 3 // 4))
