"""Payloads: what programs read of an answer, a brief or advice, in place of its words. They survive as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from avo.memory.journal.rows import Attempt, Message
from avo.tools.build.knobs import Knob

TASK, REVIEW, ADVICE = "task", "review", "advice"
"""Keys of payloads that belong to no call, by the kind of their message."""


@dataclass(frozen=True)
class Scored:
    """One evaluation."""

    attempt: int
    score: float
    """0 where it was rejected."""
    knobs: Mapping[str, str]
    compares: bool
    """False for a score by an older judge or of another machine."""


@dataclass(frozen=True)
class Evaluations:
    """Of `attempts`, `evaluate` and `sweep`."""

    scored: tuple[Scored, ...]


@dataclass(frozen=True)
class Tree:
    """The work tree, of whatever lists or changes it."""

    files: tuple[str, ...]
    knobs: tuple[Knob, ...] = ()
    problem: str = ""
    """Why the knobs cannot be read."""
    version: str = ""
    """What was checked out just now."""


@dataclass(frozen=True)
class Rejection:
    """A candidate that scores zero."""

    status: str
    reason: str


@dataclass(frozen=True)
class Refusal:
    """A candidate that the gate did not let in."""

    knobs: Mapping[str, str]


@dataclass(frozen=True)
class Committed:
    """A new version."""

    version: str
    improved: bool


@dataclass(frozen=True)
class Ended:
    """A step that was given up."""

    reason: str
    exhausted: bool


@dataclass(frozen=True)
class Interrupted:
    """A call that nobody knows the effect of."""


@dataclass(frozen=True)
class Begun:
    """A brief."""

    step: int
    resumed: bool
    """The work tree may hold half of an edit."""
    versions: int
    task: str
    refused: tuple[Mapping[str, str], ...] = ()
    """Knob settings that the gate found slower."""


@dataclass(frozen=True)
class Review:
    """What the supervisor is asked."""

    fruitless: int
    """Rounds of advice since the last version that led to nothing."""


@dataclass(frozen=True)
class Advised:
    """What the supervisor named that sets knobs."""

    changes: tuple[Mapping[str, str], ...]


Payload = (
    Evaluations | Tree | Rejection | Refusal | Committed | Ended | Interrupted | Begun | Review | Advised
)  # fmt: skip
KINDS: Mapping[str, type[Payload]] = {
    "evaluations": Evaluations, "tree": Tree, "rejection": Rejection, "refusal": Refusal, "committed": Committed,
    "ended": Ended, "interrupted": Interrupted, "begun": Begun, "review": Review, "advised": Advised,
}  # fmt: skip
NAMES = {made: name for name, made in KINDS.items()}


def packed(payloads: Mapping[str, Payload]) -> dict[str, Any] | None:
    """As the journal keeps them; None where there are none."""
    return {key: {"kind": NAMES[type(data)], **asdict(data)} for key, data in payloads.items()} or None


def payloads_of(message: Message) -> dict[str, Payload]:
    """Those of one message, by call; what this avo does not know is left out."""
    found: dict[str, Payload] = {}
    for key, entry in (message.data or {}).items():
        try:
            kind = KINDS[entry["kind"]]
            found[key] = TypeAdapter(kind).validate_python({k: v for k, v in entry.items() if k != "kind"})
        except (KeyError, TypeError, ValidationError):
            continue
    return found


def evaluations(attempts: Iterable[tuple[Attempt, bool]]) -> Evaluations:
    """Attempts, each with whether its score compares with others."""
    return Evaluations(tuple(Scored(a.id, a.verdict.score, dict(a.knobs), compares) for a, compares in attempts))
