"""Summaries that replace older messages: written by the model, or digests of the calls and their results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    ChatCompletionClient,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from autogen_core.tools import ToolSchema

from avo.agents.models.client import STOPPED
from avo.memory.journal.rows import Summary
from avo.sandbox.process import elide
from avo.tools.history import latest_advice, latest_notes
from avo.tools.plan import plan_text
from avo.tools.workspace import Workspace

MODEL, DIGEST = "model", "digest"
"""Possible writers of a summary."""
LONGEST = 12_000
"""Characters kept of a summary by the model, which is asked for less."""
LINE = 240
"""Longest line of a digest, in characters, unless SAID applies."""
SAID = 800
"""Characters kept of a message of the supervisor or of a person."""
LEFT_OUT = "[... lines left out: see recall ...]"
"""Line that replaces those left out between beginning and end."""
TELLING = {
    "evaluate": "direction", "sweep": "knobs", "commit": "message", "note": "text", "plan": "direction",
    "checkout": "version", "end_step": "reason",
}  # fmt: skip
"""Tools whose calls get a line each in a digest, and the argument that the line shows."""
REQUEST = """\
The step is over. Older messages will not be shown again; what you write now stands for all of them, your earlier \
summary included. Write, for yourself, in at most 600 words and without calling a tool:
- what was tried, with the scores and the numbers of the versions or attempts, and what each taught;
- what you know about this kernel and this device by now: what bounds it, which numbers matter, which traps there are;
- what you were about to try next, and why.
Do not repeat the task, the notes or the plan: they are shown anyway. Leave out what can be read from the sources."""
"""Prompt for a summary."""


async def written(
    model: ChatCompletionClient, system: Sequence[SystemMessage], shown: Sequence[LLMMessage],
    tools: Sequence[ToolSchema],
) -> str:  # fmt: skip
    """Return the model's summary of the messages `shown`; empty when its answer is unusable.

    The request has the same beginning and tools as every other one, so that the provider's cache serves it.
    """
    asked = UserMessage(content=REQUEST, source="avo")
    result = await model.create([*system, *shown, asked], tools=tools, tool_choice="none")
    text = result.content if isinstance(result.content, str) else ""
    return "" if text == STOPPED else elide(text.strip(), LONGEST)


def digest(messages: Sequence[tuple[int, LLMMessage]]) -> list[str]:
    """Return a line for each message and for each call of the tools in TELLING, and one that counts the other calls."""
    lines: list[str] = []
    others: Counter[str] = Counter()
    calls: dict[str, FunctionCall] = {}
    for number, message in messages:
        match message:
            case UserMessage(source=source, content=str() as text) if source in ("supervisor", "steering"):
                lines.append(f"#{number} {source}: {_line(text, SAID)}")
            case UserMessage(source="user", content=str() as text):
                lines.append(f"#{number} {_line(text.partition(chr(10))[0])}")
            case AssistantMessage(content=str() as text):
                lines.append(f"#{number} said: {_line(text)}")
            case AssistantMessage(content=list() as made):
                calls |= {call.id: call for call in made}
            case FunctionExecutionResultMessage(content=results):
                for result in results:
                    if result.name in TELLING:
                        lines.append(f"#{number} {_told(calls.get(result.call_id), result)}")
                    else:
                        others[result.name] += 1
    if others:
        lines.append("other calls: " + ", ".join(f"{name} {count}" for name, count in others.most_common()))
    return lines


def _told(call: FunctionCall | None, result: FunctionExecutionResult) -> str:
    try:
        arguments: Any = json.loads(call.arguments) if call else {}
    except (ValueError, RecursionError):
        arguments = {}
    argument = arguments.get(TELLING[result.name], "") if isinstance(arguments, dict) else ""
    told = argument if isinstance(argument, str) else json.dumps(argument)
    return f"{result.name} ({_line(told, LINE // 2)}): {_line(result.content.partition(chr(10))[0])}"


def _line(text: str, most: int = LINE) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[:most]} …"


def joined(before: str, lines: Sequence[str], most: int) -> str:
    """Append `lines` to the summary `before`, within about `most` characters: the beginning and the end are kept."""
    text = "\n".join([*before.splitlines(), *lines])
    head = most // 3
    return text if len(text) <= most else f"{text[:head]}\n{LEFT_OUT}\n{text[head - most :]}"


def pinned(workspace: Workspace, most: int) -> str:
    """Return the current plan, notes and advice, which are newer than the step's brief, in about `most` characters."""
    parts = {"Plan": plan_text(workspace), "Notes": latest_notes(workspace), "Latest advice": latest_advice(workspace)}
    return "\n\n".join(f"# {title}\n{elide(text, most // len(parts))}" for title, text in parts.items() if text)


def framed(summary: Summary, most: int) -> str:
    """Return a summary with its heading, as the model is shown it, in about `most` characters."""
    what = "you summed them up" if summary.writer == MODEL else "here is what was done in them"
    head = f"# Earlier\nMessages up to #{summary.upto} are not shown any more; {what}. `recall` finds each of them."
    return elide("\n\n".join(part for part in (head, summary.text, summary.pinned) if part), most)
