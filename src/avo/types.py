"""Data types shared by all layers: errors, verdicts, comparisons, versions, outcomes."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

RULES = "2"
"""Version of the judge's rules: scores under different rules do not compare."""


class AvoError(Exception):
    """A mistake of the user: one line on the terminal, exit code 2."""

    exit_code = 2


class ScenarioError(AvoError):
    """A mistake in a scenario's files; its text is `file:line: key: problem`, without what is not known."""

    def __init__(self, problem: str, file: Path | str = "", line: int = 0, key: str = "") -> None:
        """key: a key of scenario.toml, or a call of a function of reference.py. line: 0 if unknown."""
        self.problem, self.file, self.line, self.key = problem, str(file), line, key
        place = f"{file}:{line}" if line else self.file
        super().__init__(": ".join(filter(None, (place, key, problem))))

    def but(self, problem: str) -> ScenarioError:
        """Return the same mistake, told in other words."""
        return ScenarioError(problem, self.file, self.line, self.key)


class Missing(AvoError):
    """A fault of the machine: something is missing, full or does not answer; the message names the remedy. Exit code 3.

    It is no verdict on a candidate: nothing is journalled, the step stays open, and the same command resumes it.
    """

    exit_code = 3


class Unfit(AvoError):
    """The incumbent of a comparison was rejected, so nothing can be compared with it."""


class Unknown(AvoError):
    """A name or a number that does not exist; an agent can correct it."""


class NothingScored(AvoError):
    """A run in which not even the seed passes. Exit code 4."""

    exit_code = 4


class Defect(AvoError):
    """A recurring defect of avo itself: the run ends rather than spend more. Exit code 1."""

    exit_code = 1


class ToolError(Exception):
    """An error that the agent can mend; its text is the tool's answer, `data` the answer's payload."""

    def __init__(self, text: str, data: object = None) -> None:
        super().__init__(text)
        self.data = data


class Cancelled(Exception):
    """The user stopped the running work."""


class Status(StrEnum):
    """Result of an evaluation. Only PASSED has a performance."""

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
"""Longest reason, and longest line of a log, in characters."""


def one_line(text: str, limit: int = LONGEST_REASON) -> str:
    """Return untrusted text as one line that is safe to show and store, cut to `limit` characters.

    Line ends, control characters, bidirectional controls and lone surrogates are escaped.
    """
    shown = "".join(
        c if c.isprintable() else " " if c == "\t" else c.encode("unicode_escape").decode() for c in text[: limit + 1]
    )
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


class Rejected(Exception):
    """A candidate's evaluation with score zero: status, reason and log."""

    def __init__(self, status: Status, reason: str, log: str = "") -> None:
        super().__init__(status, reason, log)  # so that it travels between processes
        self.status = status
        self.reason = one_line(reason)
        self.log = "\n".join(one_line(line, LONGEST_LOG) for line in log.split("\n"))
        self.case = ""
        """Alias of the test or timed case that the examined candidate failed."""

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


@contextlib.contextmanager
def unfit() -> Iterator[None]:
    """Turn a Rejected raised in the block, which is about the incumbent, into Unfit."""
    try:
        yield
    except Rejected as rejected:
        raise Unfit(f"{rejected.status}: {rejected.reason}") from rejected


@dataclass(frozen=True)
class Clocks:
    """Clock, power and temperature of a GPU at one moment."""

    sm_mhz: int
    """Clock of the streaming multiprocessors, in MHz."""
    watts: float
    """Power draw."""
    celsius: int
    """Temperature, in degrees Celsius."""
    held_back_by: str
    """The driver's reason for a reduced clock, for instance "power cap"; empty without one."""


@dataclass(frozen=True)
class CaseScore:
    """The result of one timed case of a candidate that passed."""

    id: str
    value: float
    """Throughput in the verdict's unit; higher is better."""
    median_ms: float
    """Median time of a launch, in milliseconds."""
    min_ms: float
    """Shortest time of a launch, in milliseconds."""
    noise: float
    """Median of the samples over their minimum."""
    error_ratio: float
    """Largest |o - r| over the allowed error; at most 1."""
    samples_ms: tuple[float, ...]
    clocks: tuple[Clocks, ...] = ()
    """On a GPU: after each batch of launches."""
    seconds: float = 0.0
    """Seconds for checking and timing, the judge's own work included."""
    families: Mapping[str, float] = field(default_factory=dict)
    """Other family of inputs -> time of a launch on it over that on the timed family."""


@dataclass(frozen=True)
class Verdict:
    """The judge's result for one candidate."""

    status: Status
    reason: str
    unit: str
    cases: tuple[CaseScore, ...] = ()
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Baseline -> case -> throughput in `unit`, in the order of scenario.toml, measured on the same device."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Baseline that could not be measured -> the reason."""
    baselines_age: float = 0.0
    """Seconds between the measurement of the baselines and this one."""
    device: str = ""
    compiler: str = ""
    log: str = ""
    """The compiler's diagnostics, beginning and end."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase: compile, wait (for the device), lease (including baselines, check, time), kernel, total."""
    code: str = ""
    """Digest of the compiled machine code and constants; empty if nothing was compiled, or from older avo versions."""
    rules: str = ""
    """Version of the judge's rules; empty from older versions of avo."""
    case: str = ""
    """Alias of the test or timed case that it failed in the exam; empty if none, or from older versions of avo."""
    unisolated: str = ""
    """The reason why the candidate ran without a system call filter, as the user allowed; empty if it had one."""

    @property
    def passed(self) -> bool:
        """True if the status is PASSED."""
        return self.status is Status.PASSED

    @property
    def score(self) -> float:
        """Geometric mean over the cases, in `unit`; 0 unless PASSED."""
        return geomean([case.value for case in self.cases]) if self.passed else 0.0

    @property
    def scores(self) -> dict[str, float]:
        """Case -> throughput in `unit`."""
        return {case.id: case.value for case in self.cases}

    @property
    def first_baseline(self) -> dict[str, Mapping[str, float]]:
        """The first baseline that was measured, as in `baselines`; empty without one."""
        return dict(itertools.islice(self.baselines.items(), 1))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary, with scores."""
        baselines = {
            name: {"score": geomean(list(cases.values())), "cases": dict(cases)}
            for name, cases in self.baselines.items()
        }
        return asdict(self) | {"score": self.score, "baselines": baselines}


def verdict_from(data: Mapping[str, Any]) -> Verdict:
    """Return the verdict from the dictionary that `as_dict` returned."""
    cases = [
        CaseScore(**{
            **case, "samples_ms": tuple(case["samples_ms"]),
            "clocks": tuple(Clocks(**clocks) for clocks in case.get("clocks", ())),
        })
        for case in data["cases"]
    ]  # fmt: skip
    baselines = {name: entry["cases"] for name, entry in data["baselines"].items()}
    known = {key: data[key] for key in ("reason", "unit", "device", "compiler", "log", "cost")}
    known |= {"missing": data.get("missing", {}), "baselines_age": data.get("baselines_age", 0.0)}
    known |= {key: data.get(key, "") for key in ("code", "rules", "case", "unisolated")}
    return Verdict(Status(data["status"]), cases=tuple(cases), baselines=baselines, **known)


@dataclass(frozen=True)
class Comparison:
    """Comparison of a candidate with the incumbent, by launches interleaved in one lease."""

    ratio: float
    """Time of the incumbent over that of the candidate, geometric mean over the cases; above 1: faster."""
    low: float
    high: float
    """Ends of the ratio's 95 % bootstrap interval."""
    noise: float
    """Half width of the 95 % interval of the incumbent's ratio to itself in the same lease."""
    confirmed: bool
    """True if the interval from odd rounds alone lies above 1, and that from even rounds too."""
    cases: Mapping[str, float]
    """Case -> ratio."""
    blocks: int
    """Number of ABBA blocks over all cases and rounds."""
    samples_ms: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    """Case -> for each block the milliseconds of incumbent, candidate, candidate, incumbent."""
    clocks: Mapping[str, Sequence[Clocks]] = field(default_factory=dict)
    """On a GPU: case -> clocks after each block."""
    lease: float = 0.0
    """Seconds for which the device was held."""

    @property
    def improved(self) -> bool:
        """True if the candidate is faster by more than the noise, with a confirmed interval above 1."""
        return self.confirmed and self.low > 1.0 and self.ratio > 1.0 + self.noise

    @property
    def matched(self) -> bool:
        """True if the candidate is not slower by more than the noise."""
        return self.ratio >= 1.0 - self.noise


@dataclass(frozen=True)
class Version:
    """One version of the lineage, a git commit."""

    name: str
    commit: str
    tree: str
    """Digest of the sources alone, to which the score belongs."""
    score: float
    """Geometric mean over the cases, in `unit`."""
    unit: str
    scores: Mapping[str, float]
    gain: float
    """Ratio to the champion before it (the last version that improved), from interleaved launches; 1 for the seed."""
    improved: bool
    """False for a version that only matched the best before it."""
    message: str
    at: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


def geomean(values: Sequence[float]) -> float:
    """Return the geometric mean; 0 without values or if one is not positive."""
    if not values or min(values) <= 0:
        return 0.0
    return math.exp(sum(map(math.log, values)) / len(values))


def usual_seconds(scores: Sequence[CaseScore]) -> dict[str, float]:
    """Return case -> seconds per launch: the lower quartile, less disturbed by other processes than the median."""
    return {case.id: low(case.samples_ms) / 1e3 for case in scores}


def low(values: Sequence[float]) -> float:
    """Return the lower quartile."""
    return sorted(values)[len(values) // 4]


def figure(value: float) -> str:
    """Format a score: four significant digits, but whole numbers from 10,000 on."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def meant(name: str, known: Iterable[str]) -> str:
    """Return the question whether the most similar of the known names was meant; empty if none is similar."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean '{close[0]}'? " if close else ""


def unknown_key(place: Sequence[object], valid: Sequence[str]) -> str:
    """Return the line about an unknown key of a file that people write: where it is, what was meant, the valid ones."""
    *_, last = keys = [str(part) for part in place]
    return f"unknown key '{'.'.join(keys)}'; {meant(last, valid)}valid keys: {', '.join(valid)}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 version`, `2 versions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a variation step."""

    kind: str
    """committed, gave_up, exhausted, stalled, interrupted or error; refused for an external operator."""
    summary: str
