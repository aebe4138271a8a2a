"""The agent operator: worker and supervisor in one group chat, with a function that selects the speaker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autogen_agentchat.teams import SelectorGroupChat
from autogen_core.models import SystemMessage

from avo.agents import supervisor, worker
from avo.agents.context import CHARACTERS, JournalContext
from avo.agents.metered import Metered, Terms
from avo.agents.models.client import CHARACTERS_PER_TOKEN, Client
from avo.agents.step import IDLE_SECONDS, Step
from avo.agents.summaries import MODEL, written
from avo.agents.workbench import RegistryWorkbench
from avo.tools.all_tools import registry
from avo.tools.answer import Answer
from avo.tools.payloads import TASK, Payload
from avo.tools.workspace import Workspace
from avo.types import Outcome

PROMPTS = Path(__file__).parent / "prompts"
SUPERVISOR_ROUNDS = 10
"""Largest number of model calls in a turn of the supervisor."""
CROWDED = 0.5
"""Fraction of the worker's budget in use at the end of a step from which its model writes a summary."""
SHARE = 0.6
"""Fraction of a model's context that messages may fill: tools, the answer and dense text need the rest."""
MOST = 480_000
"""Largest budget of a paid model, in characters, however long its context: every call pays for its prompt."""


class Team:
    """Worker and supervisor as the operator Vary(P) = Agent(P, K, f): one call of `vary` is one variation step."""

    def __init__(
        self, workspace: Workspace, worker_model: Client, supervisor_model: Client,
        stopped: Callable[[], bool], terms: Terms | None = None, idle_seconds: float = IDLE_SECONDS,
    ) -> None:  # fmt: skip
        """stopped: returns True once the user stopped the run. idle_seconds: first wait after an idle turn."""
        self._workspace, self._terms = workspace, terms or Terms()
        self._stopped = lambda: workspace.fault is not None or stopped()
        self._idle_seconds = idle_seconds
        self._models = {worker.NAME: worker_model, supervisor.NAME: supervisor_model}
        self._budgets = {name: budget_of(model) for name, model in self._models.items()}

    async def vary(self, brief: Answer) -> Outcome:
        """Run one step: until a commit, until the worker gives up, or until nobody makes progress.

        Raises AvoError for what no agent can mend; the step stays open.
        Agents and chat are rebuilt from the journal each time: AutoGen's cannot go on after an error or a cancellation.
        """
        tools = registry(self._workspace)
        heard: dict[str, dict[str, Payload]] = {name: {TASK: brief.data} if brief.data else {} for name in self._models}
        workspaces = {
            name: RegistryWorkbench(tools, reading_only=name == supervisor.NAME, heard=heard[name])
            for name in self._models
        }
        contexts = {
            name: JournalContext(name, self._workspace, workspaces[name].names, self._budgets[name], heard[name])
            for name in self._models
        }
        for name, model in self._models.items():
            model.heard = heard[name]
        self._workspace.fault = None
        for context in contexts.values():
            await context.repair()
        agents = self._agents(workspaces, contexts, heard)
        step = Step(self._workspace, self._stopped, *agents, contexts[worker.NAME], self._idle_seconds)
        chat = SelectorGroupChat(
            [step.worker, step.supervisor], model_client=self.model(worker.NAME),
            selector_func=step.next_speaker, termination_condition=step, allow_repeated_speaker=True,
        )  # fmt: skip
        try:
            async for _ in chat.run_stream(task=brief.text):
                pass
        except Exception as error:  # AutoGen hands on the text alone of what was raised inside of an agent
            if self._workspace.fault:
                raise self._workspace.fault from error
            raise
        finally:
            self._budgets = {name: context.budget for name, context in contexts.items()}
        if self._workspace.fault:
            raise self._workspace.fault
        outcome = step.outcome() or Outcome("gave_up", "the conversation ended")
        await self._sum_up(contexts[worker.NAME], workspaces[worker.NAME])
        return outcome

    def _agents(
        self,
        workspaces: dict[str, RegistryWorkbench],
        contexts: dict[str, JournalContext],
        heard: dict[str, dict[str, Payload]],
    ) -> tuple[worker.Worker, supervisor.Supervisor]:
        def options(name: str) -> dict[str, Any]:
            return {
                "model_client": self.model(name, contexts[name]),
                "workbench": workspaces[name], "model_context": contexts[name], "system_message": _prompt(name),
                "reflect_on_tool_use": False,
            }  # fmt: skip

        rounds = {"max_tool_iterations": SUPERVISOR_ROUNDS}
        overseer = supervisor.Supervisor(self._workspace, heard, **rounds, **options(supervisor.NAME))
        return worker.Worker(self._workspace, **options(worker.NAME)), overseer

    async def _sum_up(self, context: JournalContext, workspace: RegistryWorkbench) -> None:
        """Let the worker's model summarise a long conversation; if it fails, a digest is made when needed."""
        if context.size < context.budget * CROWDED or not self._models[worker.NAME].paid:
            return
        try:
            text = await written(
                self.model(worker.NAME), [SystemMessage(content=_prompt(worker.NAME))], await context.get_messages(),
                await workspace.list_tools(),
            )  # fmt: skip
        except Exception as error:  # the step is over and stays so; what is wrong with the model shows at its next call
            self._workspace.log(error)
            return
        if text:
            context.replace(text, MODEL)

    def model(self, agent: str, context: JournalContext | None = None) -> Metered:
        """Return an agent's client under the run's terms; with a context, answers and people's messages go there."""
        return Metered(self._models[agent], self._workspace, agent, self._terms, self._stopped, context)


def budget_of(model: Client) -> int:
    """Return the characters that a model may be shown, by its `context_tokens` where they are known."""
    budget = int(model.context_tokens * SHARE) * CHARACTERS_PER_TOKEN or CHARACTERS
    return min(budget, MOST) if model.paid else budget


def _prompt(name: str) -> str:
    return (PROMPTS / f"{name}.md").read_text()
