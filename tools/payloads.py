"""Payloads: the data for programs in an answer, a brief or advice, in place of its text. They can be stored as JSON."""

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
    """One evaluation and its score."""

    attempt: int
    """Number of the attempt."""
    score: float
    """In the target's unit; 0 if it was rejected."""
    knobs: Mapping[str, str]
    """Knob -> value."""
    compares: bool
    """False for a score by an older judge or from another machine."""


@dataclass(frozen=True)
class Evaluations:
    """The payload of `attempts`, `evaluate` and `sweep`."""

    scored: tuple[Scored, ...]


@dataclass(frozen=True)
class Tree:
    """The work tree: the payload of every tool that lists or changes it."""

    files: tuple[str, ...]
    """Paths of the sources."""
    knobs: tuple[Knob, ...] = ()
    problem: str = ""
    """Reason why the knobs cannot be read."""
    version: str = ""
    """The version that was just checked out, if any."""


@dataclass(frozen=True)
class Rejection:
    """The payload of a candidate that scores zero."""

    status: str
    reason: str


@dataclass(frozen=True)
class Refusal:
    """The payload of a candidate that the gate refused."""

    knobs: Mapping[str, str]


@dataclass(frozen=True)
class Committed:
    """The payload of a new version."""

    version: str
    improved: bool
    """False for a match."""


@dataclass(frozen=True)
class Ended:
    """The payload of a step that was given up."""

    reason: str
    exhausted: bool
    """True if no direction is left that is worth trying."""


@dataclass(frozen=True)
class Interrupted:
    """The payload of a call whose effect is unknown."""


@dataclass(frozen=True)
class Begun:
    """The payload of a brief."""

    step: int
    resumed: bool
    """True if the work tree may hold something other than the best version: a half-finished edit, or a match."""
    versions: int
    """Number of versions so far."""
    task: str
    """The scenario's task."""
    refused: tuple[Mapping[str, str], ...] = ()
    """Knob settings that the gate found no faster."""


@dataclass(frozen=True)
class Review:
    """The payload of a request to the supervisor."""

    fruitless: int
    """Rounds of advice since the last version that had no result."""


@dataclass(frozen=True)
class Advised:
    """The payload of advice: those of its directions that set knobs."""

    changes: tuple[Mapping[str, str], ...]
    """For each, knob -> value."""


Payload = (
    Evaluations | Tree | Rejection | Refusal | Committed | Ended | Interrupted | Begun | Review | Advised
)  # fmt: skip
"""Any payload."""
KINDS: Mapping[str, type[Payload]] = {
    "evaluations": Evaluations, "tree": Tree, "rejection": Rejection, "refusal": Refusal, "committed": Committed,
    "ended": Ended, "interrupted": Interrupted, "begun": Begun, "review": Review, "advised": Advised,
}  # fmt: skip
"""Name in JSON -> class."""
NAMES = {made: name for name, made in KINDS.items()}
"""Class -> name in JSON."""


def packed(payloads: Mapping[str, Payload]) -> dict[str, Any] | None:
    """Return payloads by key in the journal's format; None if there are none."""
    return {key: {"kind": NAMES[type(data)], **asdict(data)} for key, data in payloads.items()} or None


def payloads_of(message: Message) -> dict[str, Payload]:
    """Return the payloads of one message, by call; kinds that this version of avo does not know are left out."""
    found: dict[str, Payload] = {}
    for key, entry in (message.data or {}).items():
        try:
            kind = KINDS[entry["kind"]]
            found[key] = TypeAdapter(kind).validate_python({k: v for k, v in entry.items() if k != "kind"})
        except (KeyError, TypeError, ValidationError):
            continue
    return found


def evaluations(attempts: Iterable[tuple[Attempt, bool]]) -> Evaluations:
    """Return the payload of attempts, each paired with True if its score compares with others."""
    return Evaluations(tuple(Scored(a.id, a.verdict.score, dict(a.knobs), compares) for a, compares in attempts))
