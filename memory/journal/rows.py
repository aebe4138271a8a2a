"""Rows of the journal as dataclasses: messages, summaries, attempts, interventions, directions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from avo.types import Verdict, counted, verdict_from


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
    """The message in the serialisation of the agent's framework; opaque here."""
    at: str
    data: Mapping[str, Any] | None = None
    """Payloads for programs, by call id or kind of message; opaque here."""


@dataclass(frozen=True)
class Summary:
    """A summary that replaces an agent's older messages."""

    id: int
    step: int
    agent: str
    upto: int
    """Number of the last message that it replaces."""
    text: str
    pinned: str
    """Plan, notes and advice at that time."""
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
    """The version that the diff is against."""
    direction: str
    knobs: Mapping[str, str]
    verdict: Verdict
    diff: str
    seconds: float
    """Duration of the evaluation."""
    at: str
    forgotten: str | None = None
    """Time at which it was declared forgotten; None for one that counts."""
    why_forgotten: str | None = None


@dataclass(frozen=True)
class Intervention:
    """One intervention of the supervisor."""

    id: int
    step: int
    trigger: str
    advice: Mapping[str, Any]
    attempts_before: int
    version_before: str
    effect: str | None
    """The first version committed before the next intervention; None without one."""
    attempts: int
    """Number of evaluations before the next intervention."""

    @property
    def outcome(self) -> str:
        """The result in a few words."""
        return f"{self.effect} followed" if self.effect else f"{counted(self.attempts, 'evaluation')}, no version"


@dataclass(frozen=True)
class Direction:
    """One entry of the plan."""

    id: int
    step: int
    """The step in which it was created."""
    text: str
    state: str
    """open, tried or abandoned."""
    why: str
    """The expected gain, or the result."""
    at: str
    changed: str


def message_from(row: Mapping[str, Any]) -> Message:
    """Return the message in a row."""
    return Message(**{**row, "data": json.loads(row["data"]) if row["data"] else None})


def attempt_from(row: Mapping[str, Any]) -> Attempt:
    """Return the attempt in a row."""
    kept = {field.name: row[field.name] for field in fields(Attempt)}
    return Attempt(**kept | {"knobs": json.loads(row["knobs"]), "verdict": verdict_from(json.loads(row["verdict"]))})


def intervention_from(row: Mapping[str, Any]) -> Intervention:
    """Return the intervention in a row."""
    kept = {field.name: row[field.name] for field in fields(Intervention)}
    return Intervention(**kept | {"advice": json.loads(row["advice"])})
