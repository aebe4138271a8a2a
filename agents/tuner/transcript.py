"""The tuner's view of a conversation: its tool calls, and the payloads that come with their answers."""

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
"""Tools that edit the work tree."""


@dataclass(frozen=True)
class Call:
    """One tool call and its answer."""

    tool: str
    arguments: Mapping[str, Any]
    answer: str
    """The text for people."""
    worked: bool
    data: Payload | None = None

    @property
    def interrupted(self) -> bool:
        """True if the run was stopped during the call."""
        return isinstance(self.data, Interrupted)


@dataclass
class Conversation:
    """The conversation of the current step."""

    begun: Begun | None = None
    """The brief's payload; None when it had none."""
    calls: list[Call] = field(default_factory=list)
    advice: Advised | None = None
    """The latest advice in this step."""
    review: Review | None = None
    spoke_last: bool = False
    """True if the last message is no answer of a tool."""

    @property
    def last(self) -> Call | None:
        """The latest call."""
        return self.calls[-1] if self.calls else None

    def tree(self, *, edited: bool = True) -> Tree | None:
        """Return the work tree as last reported; if not `edited`, as last reported by a tool that does not edit."""
        told = [
            call.data for call in self.calls if isinstance(call.data, Tree) and (edited or call.tool not in EDITING)
        ]
        return told[-1] if told else None

    def knobs(self, *, edited: bool = True) -> dict[str, Knob]:
        """Return the declared knobs by name. Raises ToolError for a declaration that cannot be parsed."""
        tree = self.tree(edited=edited) or Tree(())
        if tree.problem:
            raise ToolError(tree.problem)
        return {knob.name: knob for knob in tree.knobs}

    def settings(self, *, edited: bool = True) -> Settings:
        """Return the knob values of the work tree; if not `edited`, those of the version that the step started from."""
        return tuple(sorted((name, knob.value) for name, knob in self.knobs(edited=edited).items()))

    def tried(self) -> dict[Settings, float]:
        """Return knob settings -> score of every comparable attempt in the answers; 0 for rejected ones."""
        told = [call.data for call in self.calls if isinstance(call.data, Evaluations)]
        return {settings_of(one.knobs): one.score for shown in told for one in shown.scored if one.compares}

    def swept(self, base: Settings) -> set[Settings]:
        """Return the settings that this step's sweeps measured, with the knobs that they left alone as in `base`."""
        found: set[Settings] = set()
        for call in self.calls:
            if call.tool == "sweep" and call.worked:
                names = list(call.arguments["knobs"])
                for values in itertools.product(*call.arguments["knobs"].values()):
                    found.add(tuple(sorted((dict(base) | dict(zip(names, values, strict=True))).items())))
        return found

    def refused(self) -> set[Settings]:
        """Return the settings that the gate refused, in earlier steps and in this one."""
        before = self.begun.refused if self.begun else ()
        now = [call.data.knobs for call in self.calls if isinstance(call.data, Refusal)]
        return {settings_of(knobs) for knobs in (*before, *now)}

    def advised(self) -> list[Settings]:
        """Return the changes of knobs to the best version that the supervisor advised in this step."""
        return [settings_of(change) for change in self.advice.changes] if self.advice else []


def settings_of(knobs: Mapping[str, str]) -> Settings:
    """Return the knob values sorted by name."""
    return tuple(sorted(knobs.items()))


def written(settings: Settings) -> str:
    """Return the settings as `NAME=VALUE …`."""
    return " ".join(f"{name}={value}" for name, value in settings)


def read(messages: Sequence[LLMMessage], heard: Mapping[str, Payload]) -> Conversation:
    """Parse the messages since the last brief (a message from `user`); a review starts the list of calls anew.

    heard: payloads of the messages, by call id or message kind.
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
