"""`avo steer`, `avo pause`, `avo resume`: people's control of a run, whether or not it is running."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avo.cli.options import RunFolder, latest_run
from avo.memory.journal.journal import Journal
from avo.memory.journal.steering import go_on, paused
from avo.memory.journal.steering import pause as hold
from avo.memory.journal.steering import steer as leave
from avo.run import shared_journal

Text = Annotated[
    str, typer.Argument(metavar="TEXT", help="What to try, or what to leave alone; at most 4000 characters.")
]


def steer(text: Text, run: RunFolder = None) -> None:
    """Tell the worker of a run something: it reads it before its next model call, or when the run is started again."""
    journal, folder = _opened(run)
    number = leave(journal, text)
    print(f"{folder}: text {number} is kept; the worker reads it before its next model call")


def pause(run: RunFolder = None) -> None:
    """Let a run make no further model call until `avo resume`; the tool call under way comes to its end."""
    journal, folder = _opened(run)
    print(f"{folder}: paused" if hold(journal) else f"{folder}: was paused already, since {paused(journal)}")


def resume(run: RunFolder = None) -> None:
    """End the pause of a run."""
    journal, folder = _opened(run)
    print(f"{folder}: goes on" if go_on(journal) else f"{folder}: was not paused")


def _opened(run: Path | None) -> tuple[Journal, Path]:
    """Return the journal of a run, which another process may hold, and its folder. Raises Missing without a run."""
    folder = run or latest_run()
    return shared_journal(folder), folder
