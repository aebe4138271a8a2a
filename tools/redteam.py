"""The red team: candidates that are wrong, that cheat, and that are odd but legal, each with the verdict it must get.

They lie in tests/ of a checkout. The first lines of each say `// expect:` statuses with | between them, PASSED or
NO_GAIN (it may run, but must win nothing), and `// because:` a pattern that the reason of its rejection matches.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from avo.scenarios.loader import Scenario, family, load
from avo.settings import PACKAGE
from avo.tools.executor import LocalExecutor
from avo.tools.seeds import seed_sources
from avo.tools.sources import Sources, read_sources
from avo.types import AvoError, Missing, Rejected, Status, Verdict

TESTS = PACKAGE.parents[1] / "tests"
FOLDERS = ("cheats", "wrong", "honest")
"""In this order: that the honest ones pass at the end shows that the device outlived the others."""
SCENARIO = "mha_causal"
NO_GAIN = "NO_GAIN"
GAIN = 1.25
"""Ratio to the shared attention that is still noise."""
CUDA_CASES = 2
"""Timed cases of a GPU: the shortest sequences."""
HASTE = {
    "cpu": {"compile_seconds": 3.0, "launch_seconds": 1.0, "baselines": ()},
    "cuda": {"compile_seconds": 120.0, "launch_seconds": 3.0, "baselines": ()},
}
"""What a target's settings become: shorter limits, and no library beside the candidate."""


@dataclass(frozen=True)
class Candidate:
    """One member of the red team."""

    name: str
    files: Sources
    expected: str
    """Statuses with | between them, or NO_GAIN."""
    because: str
    """Pattern that the reason of its rejection matches."""

    @property
    def honest(self) -> bool:
        return self.expected == Status.PASSED


@dataclass(frozen=True)
class Outcome:
    """What one of them got."""

    name: str
    expected: str
    got: str
    """A status, NO_GAIN, or ERROR where judging it failed."""
    reason: str
    seconds: float
    fault: str
    """wrongly_accepted, wrongly_rejected or wrong_reason; empty when all is as expected."""


def fault(candidate: Candidate, got: str, reason: str) -> str:
    """What is wrong with a verdict; empty when it is the expected one."""
    if candidate.honest:
        return "" if got == Status.PASSED else "wrongly_rejected"
    if got == Status.PASSED:
        return "wrongly_accepted"
    if candidate.expected == NO_GAIN:
        return "wrong_reason" if got == "ERROR" else ""
    return "" if got in candidate.expected.split("|") and re.search(candidate.because, reason) else "wrong_reason"


def candidates(target: str) -> list[Candidate]:
    """The shipped set for a target. Raises Missing where there is no checkout."""
    if not (TESTS / "cheats").is_dir():
        raise Missing(f"no red team in {TESTS}: its candidates are part of a checkout (git clone), not of the package")
    kind = family(target)
    below, suffix = ("cuda", ".cu") if kind == "cuda" else ("", ".cpp")
    shared = _shared(target)
    found = []
    for folder in FOLDERS:
        here = TESTS / folder / below
        for path in sorted([*here.glob(f"*{suffix}"), *(path.parent for path in here.glob(f"*/launch{suffix}"))]):
            own = read_sources(path) if path.is_dir() else {path.name: path.read_bytes()}
            text = own[f"launch{suffix}" if path.is_dir() else path.name].decode()
            found.append(Candidate(path.stem, {**own, **shared}, *_expectation(path, text)))
    return found


def _shared(target: str) -> Sources:
    """What stands beside every candidate: an attention that is right, and ways into the runner."""
    if family(target) == "cpu":
        shared = {"honest_attention.h": "honest/attention.h", "takeover.h": "cheats/takeover.h"}
        return {name: (TESTS / path).read_bytes() for name, path in shared.items()}
    shared = {"honest_attention.cuh": "honest/cuda/attention.cuh", "reach.h": "cheats/cuda/reach.h"}
    (seed,) = seed_sources(load(SCENARIO), target).values()
    return {name: (TESTS / path).read_bytes() for name, path in shared.items()} | {"seed.cuh": seed}


def _expectation(path: Path, text: str) -> tuple[str, str]:
    expect = re.search(r"^// expect: (\S+)$", text, re.MULTILINE)
    because = re.search(r"^// because: (.+)$", text, re.MULTILINE)
    if not expect:
        raise AvoError(f"{path}: no line '// expect: STATUS'")
    if not because and expect[1] not in (Status.PASSED, NO_GAIN):
        raise AvoError(f"{path}: no line '// because: PATTERN'")
    return expect[1], because[1] if because else ""


def chosen(found: Sequence[Candidate], names: Sequence[str]) -> list[Candidate]:
    """Those that one of the names, or patterns with *, means; all for no name. Raises AvoError for an unknown name."""
    for name in names:
        if not any(fnmatchcase(candidate.name, name) for candidate in found):
            close = difflib.get_close_matches(name, [candidate.name for candidate in found], 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {len(found)}, in {TESTS}/*/"
            raise AvoError(f"no candidate '{name}' in the red team; {hint}")
    return [c for c in found if not names or any(fnmatchcase(c.name, name) for name in names)]


def quick(scenario: Scenario, target: str, cases: int) -> Scenario:
    """The scenario with HASTE; on a GPU with its first `cases` timed cases alone."""
    hasty = scenario.target(target).model_copy(update=HASTE[family(target)])
    changes: dict[str, Any] = {"targets": {target: hasty}}
    if family(target) == "cuda":
        changes["cases"] = scenario.timed(target)[:cases]
    return scenario.model_copy(update=changes)


class RedTeam:
    """Judges the candidates of one target, by the same code as every other candidate."""

    def __init__(self, target: str) -> None:
        self.target, scenario = target, load(SCENARIO)
        self.executor = LocalExecutor(quick(scenario, target, CUDA_CASES), target)
        self._comparer = LocalExecutor(quick(scenario, target, 1), target)

    @cached_property
    def honest(self) -> Candidate:
        """What nothing that cheats may be faster than."""
        return next(candidate for candidate in candidates(self.target) if candidate.name == "shared_attention")

    @cached_property
    def honest_verdict(self) -> Verdict:
        """Raises AvoError when not even the honest one passes."""
        verdict = self.executor.evaluate(self.honest.files)
        if not verdict.passed:
            raise AvoError(f"{self.honest.name}, which is honest, was rejected: {verdict.status}: {verdict.reason}")
        return verdict

    def play(self, team: Sequence[Candidate]) -> Iterator[Outcome]:
        """One outcome after the other; everything is compiled first. Raises Missing without the device."""
        self.executor.require_device()
        self.executor.prepare([candidate.files for candidate in team])
        for candidate in team:
            started = time.monotonic()
            try:
                got, reason = self._got(candidate)
            except Missing:  # the GPU itself is gone
                raise
            except Exception as error:  # that the judge fails on a candidate is a finding, like any other
                got, reason = "ERROR", f"{type(error).__name__}: {error}"
            seconds = round(time.monotonic() - started, 2)
            wrong = fault(candidate, got, reason)
            yield Outcome(candidate.name, candidate.expected, got, reason, seconds, wrong)

    def _got(self, candidate: Candidate) -> tuple[str, str]:
        verdict = self.executor.evaluate(candidate.files)
        if not verdict.passed or candidate.expected != NO_GAIN:
            return verdict.status, verdict.reason
        in_score = verdict.score / self.honest_verdict.score
        if in_score >= GAIN:
            return Status.PASSED, f"{in_score:.2f} times the honest score"
        in_comparison = self.compared(candidate)
        got = Status.PASSED if in_comparison >= GAIN else NO_GAIN
        return got, f"{in_score:.2f} times the honest score, {in_comparison:.2f} in a comparison"

    def compared(self, candidate: Candidate) -> float:
        """Speed over that of the honest one, interleaved; 0 when it is rejected there. On a GPU in the first case."""
        try:
            return self._comparer.compare(self.honest.files, candidate.files).ratio
        except Rejected:
            return 0.0


def summary(target: str, device: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What `avo redteam --json` prints."""
    faults = {
        kind: [outcome.name for outcome in outcomes if outcome.fault == kind]
        for kind in ("wrongly_accepted", "wrongly_rejected", "wrong_reason")
    }
    rejected = sum(outcome.got not in (Status.PASSED, NO_GAIN, "ERROR") for outcome in outcomes)
    cases = [{key: value for key, value in asdict(outcome).items() if key != "fault"} for outcome in outcomes]
    return {"target": target, "device": device, "total": len(outcomes), "rejected": rejected, **faults, "cases": cases}
