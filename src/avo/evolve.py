"""The evolutionary loop, x_{t+1} = Agent(P_t, K, f) (arXiv 2603.24517), on one lineage, until a limit is reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

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
"""Outcomes that end the run after PATIENCE consecutive steps."""
PATIENCE = 3
"""Number of consecutive steps with the same outcome in STUCK that ends the run."""
ROUNDING = 1e-9
"""Tolerance for rounding errors in sums of USD."""


Vary = Callable[[Answer], Awaitable[Outcome]]
"""The variation operator: runs one step from the best version, given its brief, and returns its outcome."""
Reached = Callable[[Journal, Lineage], str]
"""The stopping criterion of a run: returns the reason why it is over; empty if it is not."""


@dataclass(frozen=True)
class Limits:
    """Limits of a run; 0 means none. All count from its beginning, over every resumption."""

    steps: int = 0
    """Steps of avo's own agents; external operators' steps do not count."""
    minutes: float = 0.0
    """Minutes of all sessions together."""
    goal: float = 0.0
    """Score of the best version, in the verdict's unit."""
    budget_usd: float = 0.0
    """USD for both agents together; a call expected to exceed it is not made."""
    attempts: int = 0
    """Evaluations, the seed's included."""

    def reached(self, journal: Journal, lineage: Lineage) -> str:
        """Return the first limit reached (target, steps, attempts, budget or time); empty if none is."""
        if self.goal and scored(journal, lineage.champion()).score >= self.goal:
            return "target"
        if self.steps and journal.finished_steps() >= self.steps:
            return "steps"
        if self.attempts and journal.tried() >= self.attempts:
            return "attempts"
        if self.budget_usd and journal.usd() + journal.next_call() > self.budget_usd + ROUNDING:
            return "budget"
        return "time" if self.minutes and journal.elapsed() >= self.minutes * 60 else ""


async def evolve(workspace: Workspace, vary: Vary, reached: Reached, failed: Callable[[Exception], str]) -> str:
    """Vary the best version until a stopping criterion holds; return the reason. Resumes from the journal.

    failed: reports an unexpected error of a step and returns a line about it.
    Raises AvoError for what no agent can mend; the step stays open.
    """
    while not (reason := reached(workspace.journal, workspace.lineage)):
        workspace.step, resumed = workspace.journal.open_step(workspace.lineage.best().name)
        try:
            outcome = await vary(await brief(workspace, resumed))
        except Exception as error:
            if fault := fault_of(error):  # nobody in the step can mend it: it stays open, the same command goes on
                raise fault from error
            outcome = Outcome("error", failed(error))
        if outcome.kind == "interrupted":  # the step stays open, with its edits: the same command goes on with it
            return reached(workspace.journal, workspace.lineage) or outcome.kind
        workspace.lineage.restore()  # the work tree is the best version again, whatever happened
        workspace.journal.close_step(workspace.step, outcome.kind, outcome.summary)
        if outcome.kind == "exhausted" or stuck(workspace.journal):
            return outcome.kind
    return reason


def stuck(journal: Journal) -> bool:
    """Return True if the last PATIENCE steps all ended with the same outcome in STUCK."""
    last = [step["outcome"] for step in journal.steps()[-PATIENCE:]]
    return len(last) == PATIENCE and len(set(last)) == 1 and last[0] in STUCK


def steered(journal: Journal) -> list[str]:
    """Return people's latest messages to the worker as a section of a brief; no section without messages."""
    said = "\n".join(f"- {' '.join(entry.text.split())}" for entry in recalled(journal))
    return [f"# What people said to you, the latest last\n{said}"] if said else []


def edited(workspace: Workspace) -> bool:
    """Return True if the work tree differs from the best version: after an interrupted step, or an operator's edits."""
    try:
        return digest(workspace.sources()) != workspace.lineage.best().tree
    except ToolError:
        return True


async def brief(workspace: Workspace, resumed: bool) -> Answer:
    """Return the text with which the worker begins a step, and its payload."""
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
    kept, no_faster = workspace.lineage, tuple(workspace.journal.no_faster())
    elsewhere = resumed or kept.best() != kept.champion()
    begun = Begun(workspace.step, elsewhere, len(kept.versions()), workspace.scenario.task.strip(), no_faster)
    return Answer("\n\n".join(parts), begun)
