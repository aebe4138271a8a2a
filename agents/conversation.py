"""What a tuner knows: read from the messages that it is shown, as any model would."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autogen_core.models import AssistantMessage, FunctionExecutionResultMessage, LLMMessage, UserMessage

from avo.agents.messages import INTERRUPTED
from avo.tools.bench import ELSEWHERE, OLDER
from avo.tools.knobs import Knob, knobs_of
from avo.tools.sources import GENERATED

Settings = tuple[tuple[str, str], ...]
"""Knob values, sorted by name."""

ATTEMPT = re.compile(r"^a\d+ ([A-Z_]+) (?:([\d.]+(?:e[+-]?\d+)?) )?(.*?) \| ([^|]*) \|", re.MULTILINE)
REFUSED = re.compile(r"refused by the gate: ([\w= .+-]+)")
DIRECTION = re.compile(r"^\d+\. try ((?:\w+=[\w.+-]+,? ?)+)$", re.MULTILINE)


@dataclass(frozen=True)
class Call:
    """One tool call and its answer."""

    tool: str
    arguments: Mapping[str, Any]
    answer: str
    worked: bool

    @property
    def interrupted(self) -> bool:
        return not self.worked and self.answer.startswith(INTERRUPTED[:13])


@dataclass
class Conversation:
    """The step under way."""

    calls: list[Call] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """What others said, the brief first."""
    spoke_last: bool = False
    """The last message is of somebody else's, not a tool's answer."""

    @property
    def last(self) -> Call | None:
        return self.calls[-1] if self.calls else None

    def sources(self, *, edited: bool = True) -> dict[str, str]:
        """The work tree as it was read, with what was edited since, as far as it is known."""
        files: dict[str, str] = {}
        for call in self.calls:
            if call.tool == "checkout" and call.worked:
                files = {}
            elif call.tool == "read_file" and call.worked and "path" in call.arguments:
                files[call.arguments["path"]] = call.answer
            elif call.tool == "edit_file" and call.worked and edited and call.arguments["path"] in files:
                path = call.arguments["path"]
                files[path] = files[path].replace(call.arguments["old"], call.arguments["new"])
        return files

    def names(self) -> list[str] | None:
        """Source files, as `read_file` lists them; None when it was not called yet."""
        for call in reversed(self.calls):
            if call.tool == "read_file" and call.worked and "path" not in call.arguments:
                listed = [line.rsplit("  ", 1)[0] for line in call.answer.splitlines()]
                return [name for name in listed if name not in GENERATED]
        return None

    def knobs(self, *, edited: bool = True) -> dict[str, Knob]:
        return knobs_of({name: text.encode() + b"\n" for name, text in self.sources(edited=edited).items()})

    def settings(self, *, edited: bool = True) -> Settings:
        """Knob values of the work tree; without this step's edits, those of the version it started from."""
        return tuple(sorted((name, knob.value) for name, knob in self.knobs(edited=edited).items()))

    def tried(self) -> dict[Settings, float]:
        """Knob settings -> score of every attempt that was shown and compares with others; 0 for the rejected."""
        shown = [*self.texts, *(call.answer for call in self.calls if call.tool in ("attempts", "sweep"))]
        return {
            settings_from(knobs): float(score) if status == "PASSED" else 0.0
            for text in shown
            for status, score, result, knobs in ATTEMPT.findall(text)
            if not result.endswith((f"({OLDER})", f"({ELSEWHERE})"))
        }

    def swept(self, base: Settings) -> set[Settings]:
        """What this step's sweeps measured on top of `base`, whether their answers were understood or not."""
        found: set[Settings] = set()
        for call in self.calls:
            if call.tool == "sweep" and call.worked:
                names = list(call.arguments["knobs"])
                for values in itertools.product(*call.arguments["knobs"].values()):
                    found.add(tuple(sorted((dict(base) | dict(zip(names, values, strict=True))).items())))
        return found

    def refused(self) -> set[Settings]:
        """Settings that the gate did not accept, from the notes and from this step."""
        texts = [*self.texts, *(str(call.arguments.get("text", "")) for call in self.calls if call.tool == "note")]
        return {settings_from(match) for text in texts for match in REFUSED.findall(text)}

    def advised(self) -> list[Settings]:
        """Combinations that the supervisor named in this step, as changes to the best version."""
        return [settings_from(match.replace(",", " ")) for text in self.texts for match in DIRECTION.findall(text)]


def settings_from(text: str) -> Settings:
    """`A=1 B=2` as settings."""
    pairs = (pair.partition("=") for pair in text.split())
    return tuple(sorted((name, value) for name, _, value in pairs))


def written(settings: Settings) -> str:
    return " ".join(f"{name}={value}" for name, value in settings)


def read(messages: Sequence[LLMMessage]) -> Conversation:
    """The conversation since the last brief (the last message that comes from the user)."""
    conversation, pending = Conversation(), dict[str, tuple[str, str]]()
    for message in messages:
        conversation.spoke_last = False
        match message:
            case UserMessage(content=str() as text, source=source):
                if source == "user":
                    conversation, pending = Conversation(), {}
                conversation.texts.append(text)
                conversation.spoke_last = True
            case AssistantMessage(content=list() as calls):
                pending |= {call.id: (call.name, call.arguments) for call in calls}
            case FunctionExecutionResultMessage(content=results):
                for result in results:
                    tool, arguments = pending.pop(result.call_id, (result.name, "{}"))
                    worked = not result.is_error
                    conversation.calls.append(Call(tool, json.loads(arguments or "{}"), result.content, worked))
    return conversation
