"""The loop: x_{t+1} = Agent(P_t, K, f), one lineage, until a limit is reached or nothing is left to try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from avo.faults import fault_of
from avo.memory.journal.journal import Journal
from avo.memory.journal.steering import recalled
from avo.memory.lineage import Lineage
from avo.tools.answer import Answer
from avo.tools.build.sources import digest
from avo.tools.history import attempts, guidance, latest_notes, lineage, shortened
from avo.tools.payloads import Begun
from avo.tools.transfer import adaptation
from avo.tools.workspace import Workspace, scored
from avo.types import Outcome, ToolError

STUCK = ("stalled", "error")
"""Outcomes that end it when they come PATIENCE times in a row."""
PATIENCE = 3
ROUNDING = 1e-9
"""USD that many sums may be wrong by."""


class Operator(Protocol):
    """The variation operator."""

    async def vary(self, brief: Answer) -> Outcome:
        """One variation step: from the best version to a new one, or to the insight that there is none."""
        ...


class Bounds(Protocol):
    """What says when a run is over."""

    def reached(self, journal: Journal, lineage: Lineage) -> str:
        """Why the run is over; empty when it is not."""
        ...


@dataclass(frozen=True)
class Limits:
    """When to stop; 0 means no limit. All count from the start of the run, over every resume."""

    steps: int = 0
    """Of avo's own agents; what is done by commands does not count."""
    minutes: float = 0.0
    goal: float = 0.0
    """Score of the best version."""
    budget_usd: float = 0.0
    """Of both agents together; the call that is expected to go beyond it is not made."""
    attempts: int = 0
    """Evaluations, the seed's with them."""

    def reached(self, journal: Journal, lineage: Lineage) -> str:
        """Why the run is over; empty when it is not."""
        if self.goal and scored(journal, lineage.champion()).score >= self.goal:
            return "target"
        if self.steps and journal.finished_steps() >= self.steps:
            return "steps"
        if self.attempts and journal.tried() >= self.attempts:
            return "attempts"
        if self.budget_usd and journal.usd() + journal.next_call() > self.budget_usd + ROUNDING:
            return "budget"
        return "time" if self.minutes and journal.elapsed() >= self.minutes * 60 else ""


async def evolve(workspace: Workspace, operator: Operator, limits: Bounds, failed: Callable[[Exception], str]) -> str:
    """Vary the best version until something says stop; returns the stop reason. Resumes where the journal ends.

    Raises AvoError, with the step open, for what no agent can mend.
    """
    while not (reason := limits.reached(workspace.journal, workspace.lineage)):
        workspace.step, resumed = workspace.journal.open_step(workspace.lineage.best().name)
        try:
            outcome = await operator.vary(await brief(workspace, resumed))
        except Exception as error:
            if fault := fault_of(error):  # nobody in the step can mend it: it stays open, the same command goes on
                raise fault from error
            outcome = Outcome("error", failed(error))
        if outcome.kind == "interrupted":  # the step stays open, with its edits: the same command goes on with it
            return limits.reached(workspace.journal, workspace.lineage) or outcome.kind
        workspace.lineage.restore()  # the work tree is the best version again, whatever happened
        workspace.journal.close_step(workspace.step, outcome.kind, outcome.summary)
        if outcome.kind == "exhausted" or stuck(workspace.journal):
            return outcome.kind
    return reason


def stuck(journal: Journal) -> bool:
    """Whether the last steps all ended in the same bad way."""
    last = [step["outcome"] for step in journal.steps()[-PATIENCE:]]
    return len(last) == PATIENCE and len(set(last)) == 1 and last[0] in STUCK


def steered(journal: Journal) -> list[str]:
    """What people said to the worker lately, as a part of a brief; none when nobody did."""
    said = "\n".join(f"- {' '.join(entry.text.split())}" for entry in recalled(journal))
    return [f"# What people said to you, the latest last\n{said}"] if said else []


def edited(workspace: Workspace) -> bool:
    """Whether the work tree is not just the best version: a step was interrupted, or another operator left edits."""
    try:
        return digest(workspace.sources()) != workspace.lineage.best().tree
    except ToolError:
        return True


async def brief(workspace: Workspace, resumed: bool) -> Answer:
    """What the worker is told at the beginning of a step."""
    again = " (resumed): it was interrupted; the work tree is as it was left" if resumed else ""
    parts = [
        # BRIEF in tools/transfer.py reads the task out of this.
        f"# Step {workspace.step}{again}\n{workspace.scenario.task.strip()}\nTarget: {workspace.target}.",
        *adaptation(workspace),
        f"# Versions so far\n{shortened(await lineage(workspace))}",
        f"# Latest attempts\n{(await attempts(workspace, 10)).text}",
        f"# Notes\n{latest_notes(workspace) or 'none yet'}",
        *guidance(workspace),
        *steered(workspace.journal),
        f"The work tree holds {workspace.lineage.best().name}{' and the edits since' if edited(workspace) else ''}. "
        "Make it faster.",
    ]
    versions, refused = len(workspace.lineage.versions()), tuple(workspace.journal.slower())
    return Answer(
        "\n\n".join(parts), Begun(workspace.step, resumed, versions, workspace.scenario.task.strip(), refused)
    )
