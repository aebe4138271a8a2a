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
    content = message.content
    if isinstance(content, str):
        return message if _fit(content) else message.model_copy(update={"content": _text(content)})
    if isinstance(message, AssistantMessage) and isinstance(content, list):
        update: dict[str, object] = {}
        if message.thought is not None and not _fit(message.thought):
            update["thought"] = _text(message.thought) if message.thought.strip() else None
        if not all(_is_object(call.arguments) for call in message.content if isinstance(call, FunctionCall)):
            update["content"] = [_call(call) for call in message.content if isinstance(call, FunctionCall)]
        return message.model_copy(update=update) if update else message
    if isinstance(message, FunctionExecutionResultMessage) and not all(_fit(r.content) for r in message.content):
        results = [result.model_copy(update={"content": _text(result.content)}) for result in message.content]
        return message.model_copy(update={"content": results})
    return message


def _call(call: FunctionCall) -> FunctionCall:
    if _is_object(call.arguments):
        return call
    return FunctionCall(
        id=call.id, name=call.name, arguments=json.dumps({"not_readable": _text(call.arguments)[:2000]})
    )


def _is_object(arguments: str) -> bool:
    try:
        # AutoGen 0.7.5 raises for arguments of Anthropic's that are JSON, but a list.
        return _fit(arguments) and isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


def _fit(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character
        return False
    return bool(text.strip())


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if text.strip() else NOTHING
