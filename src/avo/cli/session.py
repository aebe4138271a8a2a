"""One session of a run in the foreground: the loop, the progress beside it, and what Ctrl-C does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import traceback

from avo.agents.models import Models
from avo.cli.progress import Progress
from avo.evolve import Limits, evolve
from avo.run import plant_seed
from avo.settings import without_secrets
from avo.tools.bench import Bench
from avo.tools.process import kill_all
from avo.types import AvoError, Cancelled

SIGNALS = (signal.SIGINT, signal.SIGTERM)
WRAPPED = ("RuntimeError: AvoError: ", "RuntimeError: Missing: ")
"""How AutoGen hands on what was raised inside of an agent."""


class Session:
    """Runs until the loop ends. First Ctrl-C: after the current tool call; second: kill it; third: leave at once."""

    def __init__(self, bench: Bench, models: Models, limits: Limits, progress: Progress) -> None:
        self._bench, self._models, self._limits, self._progress = bench, models, limits, progress
        self._signals = 0

    async def run(self) -> str:
        """The stop reason."""
        from avo.agents.team import Team

        for name in ("autogen_core", "autogen_agentchat"):  # they print the traceback of every failed call
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False

        team = Team(self._bench, *self._models, self.stopped)
        self._bench.journal.begin_session()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupt)
        watching = asyncio.ensure_future(self._progress.watch())
        try:
            await plant_seed(self._bench)
            return await evolve(self._bench, team, self._limits, self._failed)
        except Cancelled:
            return "interrupted"
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            self._progress.end()

    def stopped(self) -> bool:
        """Whether to make no further model call."""
        return self._signals > 0 or bool(self._limits.reached(self._bench.journal, self._bench.lineage))

    def _interrupt(self) -> None:
        self._signals += 1
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
        """One line for the journal and the terminal; the traceback into the run's artifacts."""
        line = without_secrets(f"{type(error).__name__}: {error}".partition("\n")[0][:500])
        if isinstance(error, AvoError) or line.startswith(WRAPPED):
            raise AvoError(line.rpartition("Error: ")[2]) from error
        with (self._bench.artifacts / "errors.log").open("a") as file:
            file.write(without_secrets("".join(traceback.format_exception(error))))
        self._progress.say(f"the step failed: {line}")
        return line


def keep_from_children() -> None:
    """Let Ctrl-C reach this process alone: a terminal sends it to every child too, and git would die of it.

    Children inherit the mask of the thread that starts them; one idle thread stays open to take the signals in.
    """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
