"""Enforcement of a run's limits, pauses and Ctrl-C while it runs; what is polled reads no database."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from avo.evolve import Limits
from avo.memory.journal.journal import Journal
from avo.memory.journal.steering import paused
from avo.memory.lineage import Lineage
from avo.tools.workspace import Workspace

SECONDS = 0.2
"""Seconds between two checks whether a pause is over."""


class Caps:
    """Checks all limits before each model call and each evaluation; in between, only time and Ctrl-C."""

    def __init__(self, workspace: Workspace, limits: Limits, say: Callable[[str], None]) -> None:
        self._workspace, self._limits, self._say = workspace, limits, say
        self._reason = ""
        self._deadline = math.inf
        self.interrupted = False
        """True once Ctrl-C was pressed."""

    def begin(self) -> None:
        """Start counting time."""
        self._workspace.journal.begin_session()
        if self._limits.minutes:
            left = self._limits.minutes * 60 - self._workspace.journal.elapsed()
            self._deadline = time.monotonic() + left

    def stopped(self) -> bool:
        """Return True if nothing may be waited for any more. Polled several times a second."""
        # No database here, for that reason.
        return self.interrupted or bool(self._reason) or time.monotonic() >= self._deadline

    async def may_call(self) -> bool:
        """Return True if another model call may be made; waits while the run is paused."""
        await self._while_paused()
        if not self.stopped():
            self._reason = self._limits.reached(self._workspace.journal, self._workspace.lineage)
        return not self.stopped()

    def may_score(self, wanted: int) -> int:
        """Return how many of `wanted` further evaluations may begin."""
        if time.monotonic() >= self._deadline:
            return 0
        left = self._limits.attempts - self._workspace.journal.tried() if self._limits.attempts else wanted
        return max(0, min(wanted, left))

    def reached(self, journal: Journal, lineage: Lineage) -> str:
        """Return the reason why the run is over; empty if it is not."""
        late = "time" if time.monotonic() >= self._deadline else ""
        return self._reason or self._limits.reached(journal, lineage) or late

    async def _while_paused(self) -> None:
        journal = self._workspace.journal
        if self.interrupted or not (since := paused(journal)):
            return
        journal.end_session()  # a pause takes no time from --minutes
        self._say(f"paused since {since}: no model call is made until avo resume; Ctrl-C ends avo and keeps the pause")
        while paused(journal) and not self.interrupted:
            await asyncio.sleep(SECONDS)
        self.begin()
        if not self.interrupted:
            self._say("goes on")
