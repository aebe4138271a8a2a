"""Repair of conversations for strict providers, which refuse what others, or a model's own mistakes, left in them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from autogen_core import FunctionCall
from autogen_core.models import AssistantMessage, FunctionExecutionResultMessage, LLMMessage, UserMessage

GO_ON = "Go on: call a tool."
"""Appended where the model's message is the last: a conversation may not end with it."""
NOTHING = "(nothing)"
"""Replaces an empty text."""
LONGEST = 2000
"""Characters kept of arguments that are not JSON: their error was answered long ago."""


def presentable(messages: Sequence[LLMMessage]) -> list[LLMMessage]:
    """Return repaired copies of the messages; the originals stay as they are."""
    mended = [_mended(message) for message in messages]
    if mended and isinstance(mended[-1], AssistantMessage):
        mended.append(UserMessage(content=GO_ON, source="avo"))
    return mended


def _mended(message: LLMMessage) -> LLMMessage:
    match message:
        case AssistantMessage(content=list() as calls, thought=thought):
            update: dict[str, object] = {
                "content": [call if _is_object(call.arguments) else _call(call) for call in calls],
                "thought": _text(thought) if thought and thought.strip() else None,
            }
        case FunctionExecutionResultMessage(content=results):
            update = {"content": [result.model_copy(update={"content": _text(result.content)}) for result in results]}
        case _ if isinstance(message.content, str):
            update = {"content": _text(message.content)}
        case _:
            return message
    return message.model_copy(update=update)


def _call(call: FunctionCall) -> FunctionCall:
    return FunctionCall(call.id, json.dumps({"not_readable": _text(call.arguments)[:LONGEST]}), call.name)


def _is_object(arguments: str) -> bool:
    try:
        # AutoGen 0.7.5 raises for arguments of Anthropic's that are JSON, but a list.
        return _text(arguments) == arguments and isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if text.strip() else NOTHING
