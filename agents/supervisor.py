"""The supervisor: reviews the trajectory when the worker stalls and names new directions."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, TextMessage, ToolCallSummaryMessage
from autogen_core import CancellationToken
from autogen_core.models import SystemMessage, UserMessage

from avo.agents.models.advice import Advice, Direction
from avo.agents.models.client import STOPPED
from avo.agents.worker import NAME as WORKER
from avo.agents.worker import turn
from avo.tools.answer import Answer
from avo.tools.history import advice_line, attempts, latest_notes, lineage, shortened
from avo.tools.payloads import ADVICE, REVIEW, Advised, Payload, Review
from avo.tools.plan import plan_text
from avo.tools.workspace import Workspace

NAME = "supervisor"
SHOWN_ATTEMPTS, SHOWN_ADVICE = 40, 12
"""Numbers of latest attempts and interventions in a review."""
CONCLUDE = "You have read enough. Answer now, with the JSON object and nothing else."
"""Prompt for the answer once the limit of rounds is reached."""


def read_advice(text: str) -> Advice:
    """Parse an answer: the first JSON object in it that is an Advice, else the whole text as a single direction."""
    for start in (index for index, character in enumerate(text) if character == "{"):
        try:
            return Advice.model_validate(json.JSONDecoder().raw_decode(text, start)[0])
        except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
            continue
    return Advice(diagnosis="(the supervisor's answer was not the JSON asked for)", directions=(Direction(title=text),))


async def review(workspace: Workspace, trigger: str) -> Answer:
    """Return the supervisor's view of the trajectory: versions, attempts, plan, notes and earlier advice."""
    advice = workspace.journal.interventions(last=SHOWN_ADVICE)
    best = workspace.lineage.best().name
    idle = sum(1 for entry in advice if entry.effect is None and entry.version_before == best)
    parts = {
        "Versions": shortened(await lineage(workspace)),
        "Latest attempts": (await attempts(workspace, SHOWN_ATTEMPTS)).text,
        "The worker's plan": plan_text(workspace), "Notes": latest_notes(workspace),
        "Earlier advice, and what came of it": "\n".join(map(advice_line, advice)),
    }  # fmt: skip
    head = f"The worker is stuck: {trigger}.\nAdvice since the last version that led to nothing: {idle}"
    return Answer("\n\n".join([head, *(f"# {title}\n{text}" for title, text in parts.items() if text)]), Review(idle))


class Supervisor(AssistantAgent):
    """An AssistantAgent that is shown a new review each time it speaks, and whose advice is journalled."""

    def __init__(self, workspace: Workspace, heard: Mapping[str, dict[str, Payload]], **options: Any) -> None:
        """heard: the payloads of each agent's messages, by agent name."""
        super().__init__(NAME, **options)
        self._workspace, self._heard, self._options = workspace, heard, options
        self.trigger = ""
        """Why it was asked."""
        self.advice: Advice | None = None
        """Its latest advice."""

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """Take one turn: review the trajectory, and send the worker advice."""
        with self._workspace.noted():
            asked = await review(self._workspace, self.trigger)
            self._heard[NAME][REVIEW] = asked.data or Review(0)
            shown = TextMessage(content=asked.text, source="journal")
            async for event in turn(NAME, super().on_messages_stream([*messages, shown], cancellation_token)):
                yield await self._advised(event.chat_message) if isinstance(event, Response) else event

    async def _advised(self, message: BaseChatMessage) -> Response:
        """Journal the advice in the supervisor's last message, and return it as the worker reads it."""
        text = message.to_text()
        if isinstance(message, ToolCallSummaryMessage):  # it read until its rounds were over
            text = await self._concluded()
        if text != STOPPED:
            self.advice = read_advice(text)
            changes = tuple(direction.change for direction in self.advice.directions if direction.change)
            self._heard[WORKER][ADVICE] = Advised(changes)
            best = self._workspace.lineage.best().name
            self._workspace.journal.add_intervention(self._workspace.step, self.trigger, self.advice.model_dump(), best)
            text = advice_text(self.advice)
        return Response(chat_message=TextMessage(content=text, source=NAME))

    async def _concluded(self) -> str:
        """Ask for the answer without tools, once the limit of rounds is reached, and return it."""
        context, model, workspace = (self._options[key] for key in ("model_context", "model_client", "workbench"))
        await context.add_message(UserMessage(content=CONCLUDE, source="avo"))
        shown = [SystemMessage(content=self._options["system_message"]), *await context.get_messages()]
        result = await model.create(shown, tools=await workspace.list_tools(), tool_choice="none")
        return result.content if isinstance(result.content, str) else "(it went on reading, and gave no advice)"


def advice_text(advice: Advice) -> str:
    """Return the advice as the worker reads it."""
    lines = [f"Advice: {advice.diagnosis}"]
    for number, direction in enumerate(advice.directions, 1):
        lines.append(f"{number}. {direction.title}")
        if direction.why:
            lines.append(f"   why: {direction.why}")
        lines.append(f"   start from: {direction.start_from}")
        if direction.measure_first:
            lines.append(f"   measure first: {direction.measure_first}")
    return "\n".join(lines)
