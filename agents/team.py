"""The operator: worker and supervisor in one group chat; a function, not a model, says who speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from autogen_agentchat.base import TerminationCondition
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, StopMessage
from autogen_agentchat.teams import SelectorGroupChat
from autogen_core.models import ChatCompletionClient

from avo.agents import supervisor, worker
from avo.agents.client import Metered
from avo.agents.context import JournalContext
from avo.agents.stagnation import Patience, stagnation
from avo.agents.workbench import RegistryWorkbench
from avo.tools.all_tools import registry
from avo.tools.bench import Bench
from avo.types import Outcome

PROMPTS = Path(__file__).parent / "prompts"
PATIENCE = Patience()
MOST_IDLE_TURNS = 3
MOST_FRUITLESS = 3
"""Rounds of advice in a row after which nothing was evaluated."""
SUPERVISOR_ROUNDS = 10

Messages = Sequence[BaseAgentEvent | BaseChatMessage]


class Team:
    """Vary(P) = Agent(P, K, f): one call is one variation step."""

    def __init__(
        self, bench: Bench, worker_model: ChatCompletionClient, supervisor_model: ChatCompletionClient,
        stopped: Callable[[], bool], patience: Patience = PATIENCE,
    ) -> None:  # fmt: skip
        self._bench, self._stopped, self._patience = bench, stopped, patience
        self._models = {worker.NAME: worker_model, supervisor.NAME: supervisor_model}

    async def vary(self, brief: str) -> Outcome:
        """One step: until a commit, until the worker gives up, or until nobody knows what to do.

        Agents and chat are made anew from the journal each time: a team that raised or was cancelled cannot go on.
        """
        step = Step(self._bench, self._stopped, self._patience, *await self._agents())
        chat = SelectorGroupChat(
            [step.worker, step.supervisor], model_client=self._model(worker.NAME),
            selector_func=step.next_speaker, termination_condition=StepOver(step), allow_repeated_speaker=True,
        )  # fmt: skip
        async for _ in chat.run_stream(task=brief):
            pass
        return step.outcome() or Outcome("gave_up", "the conversation ended")

    async def _agents(self) -> tuple[worker.Worker, supervisor.Supervisor]:
        tools = registry(self._bench)
        benches = {worker.NAME: RegistryWorkbench(tools), supervisor.NAME: RegistryWorkbench(tools, reading_only=True)}
        contexts = {name: JournalContext(name, self._bench, benches[name].names) for name in self._models}
        for context in contexts.values():
            await context.repair()
        return worker.Worker(
            model_client=self._model(worker.NAME), workbench=benches[worker.NAME],
            model_context=contexts[worker.NAME], system_message=_prompt("worker"), reflect_on_tool_use=False,
        ), supervisor.Supervisor(
            self._bench, model_client=self._model(supervisor.NAME),
            workbench=benches[supervisor.NAME], model_context=contexts[supervisor.NAME],
            system_message=_prompt("supervisor"), max_tool_iterations=SUPERVISOR_ROUNDS, reflect_on_tool_use=False,
        )  # fmt: skip

    def _model(self, agent: str) -> Metered:
        def spend(prompt: int, completion: int) -> None:
            self._bench.journal.spend(self._bench.step, agent, "model", prompt, completion)

        return Metered(self._models[agent], spend, self._stopped)


def _prompt(name: str) -> str:
    return (PROMPTS / f"{name}.md").read_text()


class Step:
    """One variation step under way: who speaks next, and how it ended."""

    def __init__(
        self, bench: Bench, stopped: Callable[[], bool], patience: Patience,
        worker_agent: worker.Worker, supervisor_agent: supervisor.Supervisor,
    ) -> None:  # fmt: skip
        self.bench, self.stopped, self.patience = bench, stopped, patience
        self.worker, self.supervisor = worker_agent, supervisor_agent
        self._versions = len(bench.lineage.versions())
        self._speaker, self._fruitless, self._attempts = "", 0, -1
        bench.ended, bench.exhausted = "", False

    def outcome(self) -> Outcome | None:
        """How the step ended; None while it goes on."""
        versions = self.bench.lineage.versions()
        if len(versions) > self._versions:
            return Outcome("committed", f"{versions[-1].name}: {versions[-1].message.partition(chr(10))[0]}")
        if self.stopped():
            return Outcome("interrupted", "stopped by the user")
        if self.worker.idle_turns >= MOST_IDLE_TURNS:
            return Outcome("stalled", f"{self.worker.idle_turns} turns without a tool call")
        if self.bench.ended and not self.bench.exhausted:
            return Outcome("gave_up", self.bench.ended)
        if self._fruitless >= MOST_FRUITLESS:
            return Outcome("stalled", f"{self._fruitless} rounds of advice without an evaluation")
        if self._speaker == supervisor.NAME and self.supervisor.advice and not self.supervisor.advice.directions:
            return Outcome("exhausted", self.supervisor.advice.diagnosis)
        return None

    def next_speaker(self, messages: Messages) -> str:
        """The supervisor when the worker is stuck, else the worker."""
        trigger = "" if self._speaker in ("", supervisor.NAME) else self._trigger()
        self._speaker = supervisor.NAME if trigger else worker.NAME
        self.supervisor.trigger = trigger
        if trigger:
            attempts = self.bench.journal.count("attempts")
            self._fruitless = self._fruitless + 1 if attempts == self._attempts else 0
            self._attempts = attempts
        if self._speaker == worker.NAME:
            self.bench.ended, self.bench.exhausted = "", False
        return self._speaker

    def _trigger(self) -> str:
        if self.bench.exhausted:
            return f"it says that it has no direction left ({self.bench.ended})"
        if self.worker.idle_turns:
            return "it ended its turn without calling a tool"
        return stagnation(self.bench.journal, self.patience)


class StepOver(TerminationCondition):
    """Ends the chat when the step has an outcome."""

    def __init__(self, step: Step) -> None:
        self._step, self._over = step, False

    @property
    def terminated(self) -> bool:
        return self._over

    async def __call__(self, messages: Messages) -> StopMessage | None:
        outcome = self._step.outcome()
        self._over = outcome is not None
        return StopMessage(content=outcome.summary, source="avo") if outcome else None

    async def reset(self) -> None:
        self._over = False
