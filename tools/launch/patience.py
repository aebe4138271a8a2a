"""Time limits of a candidate that holds a device: for its time at work, and for the time it sleeps."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from avo.types import Rejected, Status

LEASE_SECONDS = 300.0
"""Seconds that all launches of one candidate may take together, however many."""
FIRST, EACH = 2.0, 0.25
"""Limit of all launches together, in multiples of the limit of one launch: FIRST, plus EACH for every launch. One
launch may take the scenario's limit, but not many in sequence.
"""
ASLEEP_SECONDS = 3.0
"""Seconds that all launches of one candidate may spend neither running nor waiting for a processor. Honest ones never
sleep; a driver does for some milliseconds.
"""
LOOK_AGAIN_SECONDS = 0.1
"""Seconds between two checks of a launch."""


class Patience:
    """Watches the first thread of a runner from outside. Time spent waiting for a processor does not count."""

    def __init__(self, pid: int, limit: float) -> None:
        """Watch the process `pid`, each of whose launches may take `limit` seconds."""
        self._folder, self._limit = Path(f"/proc/{pid}"), limit
        self._told = -1.0, 0.0
        self._first = self._ran_and_waited()
        self._launches, self._seconds, self._wall = 0, 0.0, 0.0

    def begin(self, launches: int) -> None:
        """Start counting for the next `launches` launches."""
        self._launches += launches
        self._allowed = self._limit * launches
        self._started, self._before = time.monotonic(), self._ran_and_waited()[1]

    def check(self, *, over: bool = False) -> None:
        """Raise Rejected: TIMEOUT when the current launches, or all so far, take too long. over: they have returned."""
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
        """Return the seconds that it ran, and waited for a processor; (-1, 0) if the kernel does not report them."""
        with contextlib.suppress(OSError, ValueError):
            ran, waited, _ = (self._folder / "schedstat").read_text().split()
            self._told = int(ran) / 1e9, int(waited) / 1e9
        return self._told

    def _runnable(self) -> bool:
        """Return True if it runs or waits for a processor; time waited is only added when the wait ends."""
        try:
            return (self._folder / "stat").read_text().rpartition(")")[2].split()[0] == "R"
        except (OSError, IndexError):
            return False
