"""What the journal's rows read as: messages, summaries, attempts, interventions, directions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avo.types import Verdict, verdict_from


@dataclass(frozen=True)
class Message:
    """One entry of an agent's conversation."""

    id: int
    step: int
    agent: str
    kind: str
    """task, advice, review, steering (by a person), nudge, text, call or result."""
    tool: str | None
    text: str
    payload: str
    """The message as the agent's framework writes it; opaque here."""
    at: str
    data: Mapping[str, Any] | None = None
    """What programs read of it, by call or by kind of message; opaque here too."""


@dataclass(frozen=True)
class Summary:
    """What an agent is shown in place of its older messages."""

    id: int
    step: int
    agent: str
    upto: int
    """Number of the last message that it stands for."""
    text: str
    pinned: str
    """Plan, notes and advice as they stood."""
    writer: str
    """model or digest."""
    at: str


@dataclass(frozen=True)
class Attempt:
    """One evaluated tree."""

    id: int
    step: int
    tree: str
    parent: str
    """Version that the diff is against."""
    direction: str
    knobs: Mapping[str, str]
    verdict: Verdict
    diff: str
    seconds: float
    at: str
    forgotten: str | None = None
    """When it was; None for one that counts."""
    why_forgotten: str | None = None


@dataclass(frozen=True)
class Intervention:
    """One time that the supervisor had the floor."""

    id: int
    step: int
    trigger: str
    advice: Mapping[str, Any]
    attempts_before: int
    version_before: str
    effect: str | None
    """The first version that followed, if any did before the next intervention."""
    attempts: int
    """Evaluations that followed before the next intervention."""

    @property
    def outcome(self) -> str:
        """What came of it, in a few words."""
        evaluations = f"{self.attempts} evaluation{'s' if self.attempts != 1 else ''}"
        return f"{self.effect} followed" if self.effect else f"{evaluations}, no version"


@dataclass(frozen=True)
class Direction:
    """One entry of the plan."""

    id: int
    step: int
    """In which it was written down."""
    text: str
    state: str
    """open, tried or abandoned."""
    why: str
    """What it should gain, or what came of it."""
    at: str
    changed: str


SAME = ("id", "step", "tree", "parent", "direction", "diff", "seconds", "at", "forgotten", "why_forgotten")
"""Fields of an attempt that stand in its row as they are."""


def message_from(row: Mapping[str, Any]) -> Message:
    return Message(**{**row, "data": json.loads(row["data"]) if row["data"] else None})


def attempt_from(row: Mapping[str, Any]) -> Attempt:
    kept = {key: row[key] for key in SAME}
    return Attempt(**kept, knobs=json.loads(row["knobs"]), verdict=verdict_from(json.loads(row["verdict"])))


def intervention_from(row: Mapping[str, Any]) -> Intervention:
    kept = {
        key: row[key] for key in ("id", "step", "trigger", "attempts_before", "version_before", "effect", "attempts")
    }
    return Intervention(**kept, advice=json.loads(row["advice"]))
