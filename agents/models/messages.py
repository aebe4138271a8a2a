"""AutoGen's messages: described for people, stored in the journal, and shortened."""

from __future__ import annotations

import json
from typing import Any

from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResultMessage,
    LLMMessage,
    UserMessage,
)
from pydantic import TypeAdapter

from avo.sandbox.process import elide

INTERRUPTED = "[interrupted: the run was stopped during this call; whether it had an effect is not known]"
"""Result of a call that a killed process left without one."""
KINDS = {"user": "task", "supervisor": "advice", "journal": "review", "avo": "nudge", "steering": "steering"}
"""Source of a message from outside -> its kind in the journal."""
CALLS = "calls"
"""Type of a payload that holds only lengths; thought and arguments are in the text beside it."""
MESSAGES: TypeAdapter[LLMMessage] = TypeAdapter(LLMMessage)


def describe(message: LLMMessage) -> tuple[str, str | None, str]:
    """Return kind, tool and text of a message, for people."""
    match message:
        case UserMessage(source=source):
            text = message.content if isinstance(message.content, str) else json.dumps(str(message.content))
            return KINDS.get(source, "text"), None, text
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


def packed(message: LLMMessage) -> str:
    """Return the message as JSON, without the text that the journal stores beside it."""
    match message:
        case FunctionExecutionResultMessage(content=[result]):
            bare = message.model_copy(update={"content": [result.model_copy(update={"content": ""})]})
            return bare.model_dump_json()
        case UserMessage(content=str()) | AssistantMessage(content=str()):
            return message.model_copy(update={"content": ""}).model_dump_json()
        case AssistantMessage(content=list() as calls):
            made = [[call.id, call.name, len(call.arguments)] for call in calls]
            thought = None if message.thought is None else len(message.thought)
            return json.dumps({"type": CALLS, "source": message.source, "thought": thought, "calls": made})
    return message.model_dump_json()


def unpacked(payload: str, text: str) -> LLMMessage:
    """Return the message from its payload, as this or an older avo packed it, and its text."""
    if payload.startswith(f'{{"type": "{CALLS}"'):
        return _with_calls(json.loads(payload), text)
    message = MESSAGES.validate_json(payload)
    match message:
        case FunctionExecutionResultMessage(content=[result]) if not result.content:
            result.content = text
        case UserMessage(content="") | AssistantMessage(content=""):
            message.content = text
    return message


def _with_calls(bare: dict[str, Any], text: str) -> AssistantMessage:
    """Return the calls, cut out of the text that `_calls` wrote by the payload's lengths."""
    thought = None if bare["thought"] is None else text[: bare["thought"]]
    at = len(thought) + 1 if thought else 0
    calls = []
    for number, name, length in bare["calls"]:
        at += len(name) + 1
        calls.append(FunctionCall(number, text[at : at + length], name))
        at += length + 2
    return AssistantMessage(content=calls, source=bare["source"], thought=thought)


def short(message: LLMMessage, most: int) -> LLMMessage:
    """Return the message in about `most` characters at most: the middle of long texts is left out."""
    if len(message.model_dump_json()) <= most:
        return message
    match message:
        case FunctionExecutionResultMessage(content=results):
            each = most // len(results)
            cut = [result.model_copy(update={"content": elide(result.content, each)}) for result in results]
            return message.model_copy(update={"content": cut})
        case AssistantMessage(content=list() as calls):
            each = most // (len(calls) + 1)
            cut_calls = [FunctionCall(call.id, _short_json(call.arguments, each), call.name) for call in calls]
            thought = elide(message.thought, each) if message.thought else message.thought
            return message.model_copy(update={"content": cut_calls, "thought": thought})
        case UserMessage(content=str() as text) | AssistantMessage(content=str() as text):
            return message.model_copy(update={"content": elide(text, most)})
    return message


def _short_json(arguments: str, most: int) -> str:
    """Return a call's arguments as JSON with the middle of long values left out."""
    if len(arguments) <= most:
        return arguments
    try:
        values: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        return json.dumps({"arguments": elide(arguments, most)})
    if not isinstance(values, dict):
        return json.dumps({"arguments": elide(arguments, most)})
    each = most // max(len(values), 1)
    return json.dumps({key: _short_value(value, each) for key, value in values.items()})


def _short_value(value: Any, most: int) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)
    return value if len(text) <= most else elide(text, most)
