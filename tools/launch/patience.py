"""How long a candidate may hold a device: its time at work, and the time for which it is asleep instead."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from avo.types import Rejected, Status

LEASE_SECONDS = 300.0
"""That all launches of one candidate may take together, however many."""
FIRST, EACH = 2.0, 0.25
"""Times what one launch may take, that all of them may take together: so much, and so much more for each of them. One
launch may be as long as the scenario says, but not many in a row.
"""
ASLEEP_SECONDS = 3.0
"""That all launches of one candidate may spend neither at work nor waiting for a processor. Honest ones never sleep; a
driver does for some milliseconds.
"""
LOOK_AGAIN_SECONDS = 0.1


class Patience:
    """Watches the first thread of a runner, from outside. Time in which it waits for a processor is nobody's fault."""

    def __init__(self, pid: int, limit: float) -> None:
        """`limit`: seconds that one launch may take."""
        self._folder, self._limit = Path(f"/proc/{pid}"), limit
        self._told = -1.0, 0.0
        self._first = self._ran_and_waited()
        self._launches, self._seconds, self._wall = 0, 0.0, 0.0

    def begin(self, launches: int) -> None:
        """So many launches are about to begin."""
        self._launches += launches
        self._allowed = self._limit * launches
        self._started, self._before = time.monotonic(), self._ran_and_waited()[1]

    def check(self, *, over: bool = False) -> None:
        """Raise Rejected when the launches under way, or all so far, take too long. `over`: they have come back."""
        wall = time.monotonic() - self._started
        ran, waited = self._ran_and_waited()
        took = wall - (waited - self._before)
        together = min(LEASE_SECONDS, self._limit * (FIRST + EACH * self._launches))
        asleep = self._wall + wall - (ran - self._first[0]) - (waited - self._first[1])
        if took > self._allowed:
            raise Rejected(Status.TIMEOUT, f"one launch took longer than {self._allowed:g} s")
        if self._seconds + took > together:
            reason = f"{self._launches} launches together took longer than {together:g} s"
            raise Rejected(Status.TIMEOUT, reason)
        if self._first[0] >= 0 and asleep > ASLEEP_SECONDS and (over or not self._runnable()):
            raise Rejected(Status.TIMEOUT, f"slept in its launches, for more than {ASLEEP_SECONDS:g} s together")
        if over:
            self._seconds, self._wall = self._seconds + took, self._wall + wall

    def _ran_and_waited(self) -> tuple[float, float]:
        """Seconds for which it has run, and waited for a processor; (-1, 0) where the kernel does not say."""
        with contextlib.suppress(OSError, ValueError):
            ran, waited, _ = (self._folder / "schedstat").read_text().split()
            self._told = int(ran) / 1e9, int(waited) / 1e9
        return self._told

    def _runnable(self) -> bool:
        """Whether it runs, or would if a processor were free: how long it has waited is told when that ends."""
        try:
            return (self._folder / "stat").read_text().rpartition(")")[2].split()[0] == "R"
        except (OSError, IndexError):
            return False
