"""Progress display of a run, read from the journal, so that no other part has to report it."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from avo.evolve import Limits
from avo.memory.journal.journal import Attempt
from avo.memory.journal.steering import paused
from avo.settings import printable
from avo.tools.workspace import Workspace
from avo.types import counted, figure, geomean

SECONDS = 0.5
"""Seconds between two reads of the journal."""
WIDTH = 80
"""Longest message about a model's failure in the status line, in characters."""


class Progress:
    """A display of a line per attempt, version and advice, and a status line on a terminal. All on standard error."""

    def __init__(self, workspace: Workspace, limits: Limits) -> None:
        self._workspace, self._limits = workspace, limits
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = self._console.status("starting") if sys.stderr.isatty() else None
        journal = workspace.journal
        self._seen = (journal.count("attempts"), len(workspace.lineage.versions()), journal.count("interventions"))
        self._step = 0
        self._waiting, self._entries = "", 0

    async def watch(self) -> None:
        """Show news repeatedly, until cancelled; runs beside the loop."""
        if self._status:
            self._status.start()
        while True:
            self._show()
            await asyncio.sleep(SECONDS)

    def end(self) -> None:
        """Show the last news and restore the terminal."""
        self._show()
        if self._status:
            with contextlib.suppress(OSError, ValueError):
                self._status.stop()

    def say(self, line: str) -> None:
        """Print a line."""
        with contextlib.suppress(OSError, ValueError):  # a terminal that went away does not end a run
            self._console.print(printable(line), markup=False, soft_wrap=True)

    def waits(self, line: str) -> None:
        """Print that a model is being waited for, and keep it in the status line until the next entry in the ledger."""
        self.say(line)
        self._waiting, self._entries = " ".join(line.split())[:WIDTH], self._workspace.journal.entries()

    def _show(self) -> None:
        """Show news; an error in it is logged and does not end the run."""
        try:
            self.show()
        except Exception as error:
            with contextlib.suppress(OSError):
                self._workspace.log(error)

    def show(self) -> None:
        """Print what was journalled since the last call, and update the status line."""
        journal, versions = self._workspace.journal, self._workspace.lineage.versions()
        tried, kept, advised = self._seen
        for attempt in journal.attempts(since=tried, forgotten=True):
            self.say(self._attempt(attempt))
            tried = attempt.id
        for entry in journal.interventions()[advised:]:
            titles = "; ".join(direction["title"] for direction in entry.advice["directions"])
            self.say(f"step {entry.step:<3} advice       {(titles or entry.advice['diagnosis'])[:200]}")
            advised += 1
        for version in versions[kept:]:
            title, score = version.message.partition("\n")[0], f"{figure(version.score):>9} {version.unit}"
            self.say(f"         {version.name:<12} {score}  x{version.gain:.3f}  {title}")
        self._seen = (tried, len(versions), advised)
        if self._status:
            self._status.update(escape(printable(self._line())))
        elif self._step != self._workspace.step and self._step:
            self.say(self._line())
        self._step = self._workspace.step

    def _attempt(self, attempt: Attempt) -> str:
        verdict = attempt.verdict
        result = (
            f"{figure(verdict.score):>9} {verdict.unit}"
            if verdict.passed
            else f"{verdict.status}: {verdict.reason[:70]}"
        )
        return f"step {attempt.step:<3} attempt {attempt.id:<4} {result}  {' '.join(attempt.direction.split())[:60]}"

    def _line(self) -> str:
        journal, versions = self._workspace.journal, self._workspace.lineage.versions()
        most, steps = self._limits.attempts, self._limits.steps
        parts = [
            f"step {self._workspace.step}" + (f" ({journal.finished_steps()} of {steps} done)" if steps else ""),
            f"{journal.tried()} of {most} attempts" if most else counted(journal.tried(), "attempt"),
        ]
        if versions:
            best, seed = self._workspace.scored(self._workspace.lineage.champion()), versions[0]
            gain = f"x{best.score / self._workspace.scored(seed).score:.2f} of the seed"
            parts.append(f"best {best.name} {figure(best.score)} {best.unit} ({gain})")
            passed = [attempt.verdict for attempt in journal.attempts(last=1) if attempt.verdict.passed]
            for name, values in (passed[0].first_baseline if passed else {}).items():
                parts.append(f"x{best.score / geomean(list(values.values())):.2f} of {name}")
        parts += self._left()
        if since := paused(journal):
            parts.append(f"paused since {since}")
        elif self._waiting and self._entries == journal.entries():
            parts.append(self._waiting)
        return ", ".join(parts)

    def _left(self) -> list[str]:
        """Return what is left of the limits, in parts of the status line."""
        journal, limits = self._workspace.journal, self._limits
        parts = []
        spent, most = journal.usd(), limits.budget_usd
        if spent or most:
            parts.append(f"{spent:.2f}{f' of {most:.2f}' if most else ''} USD")
        if limits.minutes:
            parts.append(f"{max(limits.minutes - journal.elapsed() / 60, 0):.1f} min left")
        return parts
