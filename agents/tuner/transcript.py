"""What a tuner knows: read from the messages that it is shown, and from what its tools tell programs beside them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from autogen_core.models import AssistantMessage, FunctionExecutionResultMessage, LLMMessage, UserMessage

from avo.tools.build.knobs import Knob
from avo.tools.payloads import (
    ADVICE,
    REVIEW,
    TASK,
    Advised,
    Begun,
    Evaluations,
    Interrupted,
    Payload,
    Refusal,
    Review,
    Tree,
)
from avo.types import ToolError

Settings = tuple[tuple[str, str], ...]
"""Knob values, sorted by name."""
T = TypeVar("T", Begun, Review, Advised)
EDITING = ("edit_file", "write_file")


@dataclass(frozen=True)
class Call:
    """One tool call and its answer."""

    tool: str
    arguments: Mapping[str, Any]
    answer: str
    """For people."""
    worked: bool
    data: Payload | None = None

    @property
    def interrupted(self) -> bool:
        return isinstance(self.data, Interrupted)


@dataclass
class Conversation:
    """The step under way."""

    begun: Begun | None = None
    """What the brief tells; None when it told nothing."""
    calls: list[Call] = field(default_factory=list)
    advice: Advised | None = None
    """The latest of this step."""
    review: Review | None = None
    spoke_last: bool = False
    """The last message is of somebody else's, not a tool's answer."""

    @property
    def last(self) -> Call | None:
        return self.calls[-1] if self.calls else None

    def tree(self, *, edited: bool = True) -> Tree | None:
        """The work tree as it was told last; without `edited` as this step found it or checked it out."""
        told = [
            call.data for call in self.calls if isinstance(call.data, Tree) and (edited or call.tool not in EDITING)
        ]
        return told[-1] if told else None

    def knobs(self, *, edited: bool = True) -> dict[str, Knob]:
        """By name. Raises ToolError where a declaration cannot be read."""
        tree = self.tree(edited=edited) or Tree(())
        if tree.problem:
            raise ToolError(tree.problem)
        return {knob.name: knob for knob in tree.knobs}

    def settings(self, *, edited: bool = True) -> Settings:
        """Knob values of the work tree; without this step's edits, those of the version it started from."""
        return tuple(sorted((name, knob.value) for name, knob in self.knobs(edited=edited).items()))

    def tried(self) -> dict[Settings, float]:
        """Knob settings -> score of every attempt that was shown and compares with others; 0 for the rejected."""
        told = [call.data for call in self.calls if isinstance(call.data, Evaluations)]
        return {settings_of(one.knobs): one.score for shown in told for one in shown.scored if one.compares}

    def swept(self, base: Settings) -> set[Settings]:
        """What this step's sweeps measured on top of `base`."""
        found: set[Settings] = set()
        for call in self.calls:
            if call.tool == "sweep" and call.worked:
                names = list(call.arguments["knobs"])
                for values in itertools.product(*call.arguments["knobs"].values()):
                    found.add(tuple(sorted((dict(base) | dict(zip(names, values, strict=True))).items())))
        return found

    def refused(self) -> set[Settings]:
        """Settings that the gate did not accept, before this step and in it."""
        before = self.begun.refused if self.begun else ()
        now = [call.data.knobs for call in self.calls if isinstance(call.data, Refusal)]
        return {settings_of(knobs) for knobs in (*before, *now)}

    def advised(self) -> list[Settings]:
        """Combinations that the supervisor named in this step, as changes to the best version."""
        return [settings_of(change) for change in self.advice.changes] if self.advice else []


def settings_of(knobs: Mapping[str, str]) -> Settings:
    return tuple(sorted(knobs.items()))


def written(settings: Settings) -> str:
    return " ".join(f"{name}={value}" for name, value in settings)


def read(messages: Sequence[LLMMessage], heard: Mapping[str, Payload]) -> Conversation:
    """The conversation since the last brief (the last message that comes from the user), or since a review of it.

    heard: what programs read beside the messages, by call's id or kind of message.
    """
    conversation, pending = Conversation(), dict[str, tuple[str, str]]()
    for message in messages:
        conversation.spoke_last = False
        match message:
            case UserMessage(source=source):
                conversation.spoke_last = True
                if source == "user":
                    conversation, pending = Conversation(_told(heard, TASK, Begun), spoke_last=True), {}
                elif source == "journal":
                    conversation.calls, conversation.review = [], _told(heard, REVIEW, Review)
                elif source == "supervisor":
                    conversation.advice = _told(heard, ADVICE, Advised)
            case AssistantMessage(content=list() as calls):
                pending |= {call.id: (call.name, call.arguments) for call in calls}
            case FunctionExecutionResultMessage(content=results):
                for result in results:
                    tool, arguments = pending.pop(result.call_id, (result.name, "{}"))
                    data, worked = heard.get(result.call_id), not result.is_error
                    conversation.calls.append(Call(tool, json.loads(arguments or "{}"), result.content, worked, data))
    return conversation


def _told(heard: Mapping[str, Payload], key: str, kind: type[T]) -> T | None:
    data = heard.get(key)
    return data if isinstance(data, kind) else None
