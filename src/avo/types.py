"""The nouns that the layers share: errors, verdicts, comparisons, versions, attempts."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

RULES = "2"
"""Version of the judge's rules: scores under other rules do not compare."""


class AvoError(Exception):
    """A mistake of the user's: one line on the terminal, exit code 2."""

    exit_code = 2


class ScenarioError(AvoError):
    """A mistake in a scenario's files: one line that begins with the file, and where it is known with the line."""


class Missing(AvoError):
    """The machine's fault: what is not there, is full or does not answer; the message says what helps. Exit code 3.

    It is no verdict on a candidate: nothing of it is journalled, the step stays open, the same command goes on.
    """

    exit_code = 3


class Unfit(AvoError):
    """The version that others are compared with does not do what it was kept for: nothing can be compared with it."""


class Unknown(AvoError):
    """A name or a number that there is nothing of; an agent that gave it can give another."""


class NothingScored(AvoError):
    """A run in which not even the seed passes. Exit code 4."""

    exit_code = 4


class Defect(AvoError):
    """A fault of avo's own that comes again and again: the run ends rather than go on paying. Exit code 1."""

    exit_code = 1


class ToolError(Exception):
    """Something the agent can mend; its text is the tool's answer, `data` what programs read of that."""

    def __init__(self, text: str, data: object = None) -> None:
        super().__init__(text)
        self.data = data


class Cancelled(Exception):
    """The user stopped the work under way."""


class Status(StrEnum):
    """How an evaluation ended. Only PASSED carries performance."""

    PASSED = "PASSED"
    COMPILE_ERROR = "COMPILE_ERROR"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    TIMEOUT = "TIMEOUT"
    INCORRECT_NUMERICAL = "INCORRECT_NUMERICAL"
    INCORRECT_DTYPE = "INCORRECT_DTYPE"
    INPUT_MODIFIED = "INPUT_MODIFIED"
    NOT_WRITTEN = "NOT_WRITTEN"
    OUT_OF_BOUNDS = "OUT_OF_BOUNDS"
    NON_DETERMINISTIC = "NON_DETERMINISTIC"
    TIMING_MISMATCH = "TIMING_MISMATCH"
    ABOVE_ROOFLINE = "ABOVE_ROOFLINE"
    FORBIDDEN_LIBRARY = "FORBIDDEN_LIBRARY"
    UNSUPPORTED = "UNSUPPORTED"


LONGEST_REASON, LONGEST_LOG = 1000, 4000
"""Characters of a reason, and of one line of a log."""


def one_line(text: str, limit: int = LONGEST_REASON) -> str:
    """Text that somebody untrusted may have made, as one line that can be shown and written down anywhere.

    Line ends, control characters, what changes the direction of a line and halves of surrogate pairs are escaped.
    """
    shown = "".join(
        c if c.isprintable() else " " if c == "\t" else c.encode("unicode_escape").decode() for c in text[: limit + 1]
    )
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


class Rejected(Exception):
    """A candidate that scores zero, and why."""

    def __init__(self, status: Status, reason: str, log: str = "") -> None:
        super().__init__(status, reason, log)  # so that it travels between processes
        self.status = status
        self.reason = one_line(reason)
        self.log = "\n".join(one_line(line, LONGEST_LOG) for line in log.split("\n"))

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


@contextlib.contextmanager
def unfit() -> Iterator[None]:
    """Whatever is rejected in the block is the version that others are compared with: Unfit."""
    try:
        yield
    except Rejected as rejected:
        raise Unfit(f"{rejected.status}: {rejected.reason}") from rejected


@dataclass(frozen=True)
class Clocks:
    """How hard a GPU ran at one moment."""

    sm_mhz: int
    watts: float
    celsius: int
    held_back_by: str
    """Why its clock is not at its highest, by the driver: for instance "power cap"; empty when it is free."""


@dataclass(frozen=True)
class CaseScore:
    """One timed case of a candidate that passed."""

    id: str
    value: float
    """In the verdict's unit; higher is better."""
    median_ms: float
    min_ms: float
    noise: float
    """median / min of the samples."""
    error_ratio: float
    """Worst |o - r| over the allowed error; at most 1."""
    samples_ms: tuple[float, ...]
    clocks: tuple[Clocks, ...] = ()
    """Of a GPU, after each row of launches."""
    seconds: float = 0.0
    """What checking and timing it cost, the judge's own work included."""
    families: Mapping[str, float] = field(default_factory=dict)
    """By other family of inputs that timed launches see: time of a launch over that on the family that counts."""


@dataclass(frozen=True)
class Verdict:
    """What f says of one candidate."""

    status: Status
    reason: str
    unit: str
    cases: tuple[CaseScore, ...] = ()
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By baseline and case, in `unit`, measured in the same run."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Baselines that could not be measured, and why."""
    device: str = ""
    compiler: str = ""
    log: str = ""
    """Diagnostics of the compiler, head and tail."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase: compile, wait (for the device), lease (of which baselines, check, time), kernel, total."""
    code: str = ""
    """Digest of the machine code and the constants that the sources compile to; empty where they do not, or from older
    versions of avo."""
    rules: str = ""
    """Version of the judge's rules; empty from versions of avo that did not count them."""
    unisolated: str = ""
    """Why the candidate ran without a filter of system calls, as the user allowed; empty where it had one."""

    @property
    def passed(self) -> bool:
        return self.status is Status.PASSED

    @property
    def score(self) -> float:
        """Geometric mean over the cases; 0 unless PASSED."""
        return geomean([case.value for case in self.cases]) if self.passed else 0.0

    @property
    def scores(self) -> dict[str, float]:
        return {case.id: case.value for case in self.cases}

    def as_dict(self) -> dict[str, Any]:
        baselines = {
            name: {"score": geomean(list(cases.values())), "cases": dict(cases)}
            for name, cases in self.baselines.items()
        }
        return asdict(self) | {"score": self.score, "baselines": baselines}


def verdict_from(data: Mapping[str, Any]) -> Verdict:
    """The verdict that `as_dict` wrote."""
    cases = [
        CaseScore(**{
            **case, "samples_ms": tuple(case["samples_ms"]),
            "clocks": tuple(Clocks(**clocks) for clocks in case.get("clocks", ())),
        })
        for case in data["cases"]
    ]  # fmt: skip
    baselines = {name: entry["cases"] for name, entry in data["baselines"].items()}
    known = {key: data[key] for key in ("reason", "unit", "device", "compiler", "log", "cost")}
    known |= {"missing": data.get("missing", {})} | {key: data.get(key, "") for key in ("code", "rules", "unisolated")}
    return Verdict(Status(data["status"]), cases=tuple(cases), baselines=baselines, **known)


@dataclass(frozen=True)
class Comparison:
    """Candidate against incumbent, launches interleaved in one lease."""

    ratio: float
    """Time of the incumbent over time of the candidate, geomean over the cases; above 1 is faster."""
    low: float
    high: float
    """The ratio's 95 % bootstrap interval."""
    noise: float
    """What the incumbent differs from itself by in the same lease (half width of its 95 % interval)."""
    confirmed: bool
    """Whether the interval of the first, third, … round lies above 1, and that of the others too."""
    cases: Mapping[str, float]
    """The ratio by case."""
    blocks: int
    """ABBA blocks over all cases and rounds."""
    samples_ms: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    """By case, of each block: incumbent, candidate, candidate, incumbent."""
    clocks: Mapping[str, Sequence[Clocks]] = field(default_factory=dict)
    """Of a GPU, by case, after each block."""
    lease: float = 0.0
    """Seconds for which the device was held."""

    @property
    def improved(self) -> bool:
        """Faster by more than the noise, and surely so, twice."""
        return self.confirmed and self.low > 1.0 and self.ratio > 1.0 + self.noise

    @property
    def matched(self) -> bool:
        """Not slower by more than the noise."""
        return self.ratio >= 1.0 - self.noise


@dataclass(frozen=True)
class Version:
    """One commit of the lineage."""

    name: str
    commit: str
    tree: str
    """Hash of the sources alone: what the score belongs to."""
    score: float
    unit: str
    scores: Mapping[str, float]
    gain: float
    """Ratio to the best version before it, interleaved; 1 for the seed."""
    improved: bool
    """False for a version that only matched."""
    message: str
    at: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def geomean(values: Sequence[float]) -> float:
    """Geometric mean; 0 when there is no value or one of them is not positive."""
    if not values or min(values) <= 0:
        return 0.0
    return math.exp(sum(map(math.log, values)) / len(values))


def usual_seconds(scores: Sequence[CaseScore]) -> dict[str, float]:
    """Seconds of a launch by case: the lower quartile, which neighbours disturb less than the median."""
    return {case.id: low(case.samples_ms) / 1e3 for case in scores}


def low(values: Sequence[float]) -> float:
    """The lower quartile."""
    return sorted(values)[len(values) // 4]


def figure(value: float) -> str:
    """A score for people and agents: four digits that count, however small it is; whole numbers from 10,000 on."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def counted(number: int, noun: str) -> str:
    """`1 version`, `2 versions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True)
class Outcome:
    """How a variation step ended."""

    kind: str
    """committed, gave_up, exhausted, stalled, interrupted or error; refused for an operator outside."""
    summary: str
