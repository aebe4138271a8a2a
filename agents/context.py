"""A conversation that is in the journal before it goes on, and bounded in what a model sees of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from autogen_core import FunctionCall
from autogen_core.model_context import ChatCompletionContext
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    UserMessage,
)
from pydantic import TypeAdapter

from avo.tools.bench import Bench

CHARACTERS = 400_000
"""What a model is shown at most, about 100,000 tokens."""
KEPT = 0.6
"""Part of it that stays when the oldest messages go: they go rarely, so that providers can cache the rest."""
LOADED = 400
"""Messages that a restart reads back."""
INTERRUPTED = "[interrupted: the run was stopped during this call; whether it had an effect is not known]"

MESSAGES: TypeAdapter[LLMMessage] = TypeAdapter(LLMMessage)


class JournalContext(ChatCompletionContext):
    """One agent's messages. What is older than fits is left out, except the task of the step under way."""

    def __init__(self, agent: str, bench: Bench, tools: Sequence[str] = ()) -> None:
        """`tools`: the names that an answer to a call of an unknown one lists; AutoGen's own does not."""
        super().__init__()
        self.agent, self.bench, self.tools = agent, bench, tools
        self._sizes: list[int] = []
        self._task: UserMessage | None = None
        for entry in bench.journal.messages(agent, last=LOADED):
            self._append(MESSAGES.validate_json(entry.payload), len(entry.payload))
        while self._messages and isinstance(self._messages[0], FunctionExecutionResultMessage):
            del self._messages[0], self._sizes[0]

    async def repair(self) -> None:
        """Answer a call that a killed process left open: providers refuse a call without a result."""
        last = self._messages[-1] if self._messages else None
        if isinstance(last, AssistantMessage) and isinstance(last.content, list):
            results = [
                FunctionExecutionResult(content=INTERRUPTED, name=c.name, call_id=c.id, is_error=True)
                for c in last.content
            ]
            await self.add_message(FunctionExecutionResultMessage(content=results))

    async def add_message(self, message: LLMMessage) -> None:
        if isinstance(message, FunctionExecutionResultMessage):
            for result in message.content:
                if result.is_error and self.tools and result.name not in self.tools:
                    result.content = f"there is no tool '{result.name}'; there are: {', '.join(self.tools)}"
        payload = message.model_dump_json()
        kind, tool, text = describe(message)
        self.bench.journal.add_message(self.bench.step, self.agent, kind, text, payload, tool)
        self._append(message, len(payload))

    async def get_messages(self) -> list[LLMMessage]:
        pinned = self._task is not None and not any(message is self._task for message in self._messages)
        return [self._task, *self._messages] if pinned and self._task else list(self._messages)

    def _append(self, message: LLMMessage, size: int) -> None:
        self._messages.append(message)
        self._sizes.append(size)
        if isinstance(message, UserMessage) and message.source == "user":
            self._task = message
        if sum(self._sizes) > CHARACTERS:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Cut before a message that is no result, so that calls and results stay together."""
        total, cut = sum(self._sizes), 0
        while cut < len(self._messages) - 1 and (
            total > CHARACTERS * KEPT or isinstance(self._messages[cut], FunctionExecutionResultMessage)
        ):
            total -= self._sizes[cut]
            cut += 1
        while isinstance(self._messages[cut], FunctionExecutionResultMessage) and cut:
            cut -= 1  # the last call and its result stay, however long
        del self._messages[:cut], self._sizes[:cut]


def describe(message: LLMMessage) -> tuple[str, str | None, str]:
    """Kind, tool and text of a message, for people."""
    match message:
        case UserMessage(source=source):
            kind = {"user": "task", "supervisor": "advice", "journal": "review"}.get(source, "text")
            return kind, None, message.content if isinstance(message.content, str) else json.dumps(str(message.content))
        case AssistantMessage(content=str() as text):
            return "text", None, text
        case AssistantMessage(content=list() as calls):
            return "call", ",".join(call.name for call in calls), _calls(message.thought, calls)
        case FunctionExecutionResultMessage(content=results):
            return "result", ",".join(result.name for result in results), "\n".join(r.content for r in results)
    return "text", None, str(message.content)


def _calls(thought: str | None, calls: list[FunctionCall]) -> str:
    lines = [thought] if thought else []
    return "\n".join([*lines, *(f"{call.name}({call.arguments})" for call in calls)])
