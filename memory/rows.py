"""What the journal's rows read as: messages, attempts, interventions."""

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
    """task, advice, review, text, call or result."""
    tool: str | None
    text: str
    payload: str
    """The message as the agent's framework writes it; opaque here."""
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


def attempt_from(row: Mapping[str, Any]) -> Attempt:
    kept = {key: row[key] for key in ("id", "step", "tree", "parent", "direction", "diff", "seconds", "at")}
    return Attempt(**kept, knobs=json.loads(row["knobs"]), verdict=verdict_from(json.loads(row["verdict"])))


def intervention_from(row: Mapping[str, Any]) -> Intervention:
    kept = {key: row[key] for key in ("id", "step", "trigger", "attempts_before", "version_before", "effect")}
    return Intervention(**kept, advice=json.loads(row["advice"]))
