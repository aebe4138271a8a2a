"""One session of a run in the foreground: the loop, its progress display, and the handling of Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Mapping

from avo.agents.metered import Terms
from avo.agents.models.prices import Price
from avo.agents.models.resilient import Resilient
from avo.agents.specs import Models
from avo.evolve import Limits, evolve
from avo.operators.caps import Caps
from avo.operators.progress import Progress
from avo.operators.signals import heeded
from avo.run import plant_seed
from avo.sandbox.process import kill_all
from avo.settings import without_secrets
from avo.tools.devices.lease import wait_again, wait_no_longer
from avo.tools.score.executor import LocalExecutor
from avo.tools.workspace import Workspace
from avo.types import Cancelled

LONGEST = 500
"""Longest line about an error, in characters."""


class Session:
    """A run of the loop until it ends, in the foreground.

    First Ctrl-C: end after the current tool call, without waiting for a device; second: kill it; third: exit at once.
    """

    def __init__(
        self, workspace: Workspace, models: Models, limits: Limits, progress: Progress,
        names: Mapping[str, str], prices: Mapping[str, Price | None],
    ) -> None:  # fmt: skip
        """names, prices: of the models, by agent."""
        self._workspace, self._models, self._progress = workspace, models, progress
        self._caps = Caps(workspace, limits, progress.say)
        self._terms = Terms(self._caps.may_call, names, prices)
        self._signals = 0
        if isinstance(workspace.executor, LocalExecutor):
            workspace.executor.say = progress.say

    async def run(self) -> str:
        """Run until the loop ends; return the reason."""
        from avo.agents.team import Team

        for name in ("autogen_core", "autogen_agentchat"):  # they print the traceback of every failed call
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False

        for model in self._models:
            if isinstance(model, Resilient):
                model.stopped, model.say = self._caps.stopped, self._progress.waits
        team = Team(self._workspace, *self._models, self._caps.stopped, terms=self._terms)
        wait_again()
        self._caps.begin()
        loop = asyncio.get_running_loop()
        for number in heeded():
            loop.add_signal_handler(number, self._interrupt)
        watching = asyncio.ensure_future(self._progress.watch())
        try:
            await plant_seed(self._workspace)
            self._workspace.may_score = self._caps.may_score
            return await evolve(self._workspace, team.vary, self._caps.reached, self._failed)
        except Cancelled:
            return "interrupted"
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            self._progress.end()

    def _interrupt(self) -> None:
        self._signals += 1
        self._caps.interrupted = True
        wait_no_longer()
        if self._signals == 1:
            self._progress.say(
                "stopping after the current tool call; Ctrl-C again kills it, a third time leaves at once"
            )
        elif self._signals == 2:
            self._progress.say(f"killed {kill_all()} running tool(s)")
        else:
            kill_all()
            sys.stderr.flush()
            os._exit(130)

    def _failed(self, error: Exception) -> str:
        """Return one line about the error, and print it; the traceback goes into the run's artifacts."""
        line = without_secrets(f"{type(error).__name__}: {error}").partition("\n")[0][:LONGEST]  # a cut key is none
        self._workspace.log(error)
        self._progress.say(f"the step failed: {line}")
        return line
