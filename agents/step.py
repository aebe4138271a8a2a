"""One variation step in progress: who speaks next, and how the step ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autogen_agentchat.base import TerminationCondition
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, StopMessage
from autogen_core.models import AssistantMessage, UserMessage

from avo.agents import supervisor, worker
from avo.agents.context import JournalContext
from avo.agents.models.client import rest
from avo.agents.stagnation import stagnation
from avo.tools.workspace import Workspace
from avo.types import Outcome

NUDGES, MOST_IDLE_TURNS = 1, 4
"""Consecutive turns without a tool call before the supervisor speaks, and before the step ends."""
MOST_FRUITLESS = 3
"""Consecutive rounds of advice without an evaluation that end the step."""
NUDGE = "You called no tool, and text alone changes nothing. Call one now; `commit` or `end_step` ends the step."
"""Message to a worker that called no tool."""
GO_ON = "The step goes on until `commit` or `end_step` ends it. Call the next tool."
"""Message to a worker whose turn ended before the step."""
IDLE_SECONDS = 2.0
"""First wait after a turn without a tool call, in seconds."""
GROWTH = 4.0
"""Factor by which each further wait is longer."""

Messages = Sequence[BaseAgentEvent | BaseChatMessage]


class Step(TerminationCondition):
    """The selection of speakers and the end of one step with a worker and a supervisor: it ends the chat."""

    def __init__(
        self, workspace: Workspace, stopped: Callable[[], bool], worker_agent: worker.Worker,
        supervisor_agent: supervisor.Supervisor, context: JournalContext, idle_seconds: float = IDLE_SECONDS,
    ) -> None:  # fmt: skip
        """context: the worker's. idle_seconds: the first wait after a turn without a tool call."""
        self.workspace, self.stopped, self.context, self.idle_seconds = workspace, stopped, context, idle_seconds
        self.worker, self.supervisor = worker_agent, supervisor_agent
        self._versions = len(workspace.lineage.versions())
        # -1 is no count of attempts, so the first advice of a step is not fruitless.
        self._speaker, self._fruitless, self._attempts = "", 0, -1
        workspace.ended, workspace.exhausted = "", False
        self._over = False

    def outcome(self) -> Outcome | None:
        """Return the outcome of the step; None while it goes on."""
        versions = self.workspace.lineage.versions()
        if len(versions) > self._versions:
            return Outcome("committed", f"{versions[-1].name}: {versions[-1].message.partition(chr(10))[0]}")
        if self.workspace.fault:
            return Outcome("interrupted", str(self.workspace.fault))
        if self.stopped():
            return Outcome("interrupted", "stopped by the user")
        if self.worker.idle_turns >= MOST_IDLE_TURNS:
            return Outcome("stalled", f"{self.worker.idle_turns} turns without a tool call")
        if self.workspace.ended and not self.workspace.exhausted:
            return Outcome("gave_up", self.workspace.ended)
        if self._fruitless >= MOST_FRUITLESS:
            return Outcome("stalled", f"{self._fruitless} rounds of advice without an evaluation")
        if self._speaker == supervisor.NAME and self.supervisor.advice and not self.supervisor.advice.directions:
            return Outcome("exhausted", self.supervisor.advice.diagnosis)
        return None

    async def next_speaker(self, messages: Messages) -> str:
        """Return the name of the next speaker: the supervisor when the worker is stuck, else the worker."""
        with self.workspace.noted():
            return await self._next()

    async def _next(self) -> str:
        before = self._speaker
        trigger = "" if before == supervisor.NAME else self._trigger()
        self._speaker = supervisor.NAME if trigger else worker.NAME
        self.supervisor.trigger = trigger
        if trigger:
            attempts = self.workspace.journal.count("attempts")
            self._fruitless = self._fruitless + 1 if attempts == self._attempts else 0
            self._attempts = attempts
            return self._speaker
        self.workspace.ended, self.workspace.exhausted = "", False
        if before == worker.NAME:
            await self._nudge()
        return self._speaker

    def _trigger(self) -> str:
        if self.workspace.exhausted:
            return f"it says that it has no direction left ({self.workspace.ended})"
        if self.worker.idle_turns == NUDGES + 1:
            return f"it ended {self.worker.idle_turns} turns without calling a tool"
        if self.worker.idle_turns:
            return ""
        return stagnation(self.workspace.journal, self.workspace.scenario.stagnation.patience)

    async def _nudge(self) -> None:
        """Ask the worker to go on, after a wait if it was idle: providers refuse a history that ends with an answer."""
        if idle := self.worker.idle_turns:
            await rest(self.idle_seconds * GROWTH ** (idle - 1), self.stopped)
        if isinstance(self.context.last, AssistantMessage) and not self.stopped():
            await self.context.add_message(UserMessage(content=NUDGE if idle else GO_ON, source="avo"))

    @property
    def terminated(self) -> bool:
        """True once the step has an outcome."""
        return self._over

    async def __call__(self, messages: Messages) -> StopMessage | None:
        with self.workspace.noted():
            outcome = self.outcome()
        self._over = outcome is not None
        return StopMessage(content=outcome.summary, source="avo") if outcome else None

    async def reset(self) -> None:
        """Prepare for another chat."""
        self._over = False
