"""The red team: candidates that are wrong, cheat, or are odd but legal, each with the verdict it has to get.

They lie in tests/ of a checkout. The first lines of each say `// expect:` statuses separated by |, PASSED or NO_GAIN
(it may run, but must gain nothing), and `// because:` a pattern that the reason of its rejection matches. `//
scenario:` names another scenario than SCENARIO, or a folder beside these; its seed is then added to the candidate as
seed.h. `// as: incumbent`: the verdict is that of a comparison with the honest candidate, in which it is the incumbent.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from avo.scenarios.loader import Scenario, family, load
from avo.settings import PACKAGE
from avo.tools.build.seeds import seed_sources
from avo.tools.build.sources import Sources, read_sources
from avo.tools.score.executor import LocalExecutor
from avo.types import AvoError, Missing, Rejected, Status, Verdict

TESTS = PACKAGE.parents[1] / "tests"
"""Folder of the tests in a checkout."""
FOLDERS = ("cheats", "wrong", "honest")
"""Folders of candidates, in order of evaluation: if the honest ones pass at the end, the device survived the others."""
SCENARIO = "mha_causal"
"""Scenario of the candidates that name none."""
NO_GAIN = "NO_GAIN"
"""Result of a candidate that passes but gains nothing."""
INCUMBENT = "incumbent"
"""Value of `// as:`."""
GAIN = 1.25
"""Ratio to the honest candidate below which a gain counts as noise."""
CUDA_CASES = 2
"""Number of timed cases that are scored on a GPU: the first ones, with the shortest sequences."""
HASTE = {
    "cpu": {"compile_seconds": 3.0, "launch_seconds": 1.0, "baselines": ()},
    "cuda": {"compile_seconds": 120.0, "launch_seconds": 3.0, "baselines": ()},
}
"""Changes to a target's settings: shorter limits, and no baselines."""


@dataclass(frozen=True)
class Candidate:
    """A member of the red team."""

    name: str
    files: Sources
    expected: str
    """Statuses separated by |, or NO_GAIN."""
    because: str
    """Pattern that the reason of its rejection matches."""
    scenario: str = SCENARIO
    """A name, or the path of a folder."""
    incumbent: bool = False
    """True if it is the incumbent of the comparison that counts."""

    @property
    def honest(self) -> bool:
        """True if it has to pass."""
        return self.expected == Status.PASSED


@dataclass(frozen=True)
class Outcome:
    """The verdict on one member."""

    name: str
    expected: str
    got: str
    """A status, NO_GAIN, or ERROR if judging it failed."""
    reason: str
    """Reason of the verdict."""
    seconds: float
    """Wall-clock time."""
    fault: str
    """wrongly_accepted, wrongly_rejected or wrong_reason; empty if the verdict is as expected."""


def fault(candidate: Candidate, got: str, reason: str) -> str:
    """Return the fault of a verdict, as in `Outcome.fault`; "" if it is the expected one."""
    if candidate.honest:
        return "" if got == Status.PASSED else "wrongly_rejected"
    if got == Status.PASSED:
        return "wrongly_accepted"
    if candidate.expected == NO_GAIN:
        return "wrong_reason" if got == "ERROR" else ""
    return "" if got in candidate.expected.split("|") and re.search(candidate.because, reason) else "wrong_reason"


def candidates(target: str) -> list[Candidate]:
    """Return the candidates for a target. Raises Missing without a checkout."""
    if not (TESTS / "cheats").is_dir():
        raise Missing(f"no red team in {TESTS}: its candidates are part of a checkout (git clone), not of the package")
    kind = family(target)
    below, suffix = ("cuda", ".cu") if kind == "cuda" else ("", ".cpp")
    found = []
    for folder in FOLDERS:
        here = TESTS / folder / below
        for path in sorted([*here.glob(f"*{suffix}"), *(path.parent for path in here.glob(f"*/launch{suffix}"))]):
            own = read_sources(path) if path.is_dir() else {path.name: path.read_bytes()}
            text = own[f"launch{suffix}" if path.is_dir() else path.name].decode()
            scenario = _scenario(_line(text, "scenario") or SCENARIO)
            files = {**own, **_shared(scenario, target)}
            expected, because = _expectation(path, text)
            incumbent = _line(text, "as") == INCUMBENT
            found.append(Candidate(path.stem, files, expected, because, scenario, incumbent))
    return found


def _scenario(name: str) -> str:
    """Return the name, or the path if it is a folder beside the candidates."""
    return str(TESTS / name) if (TESTS / name / "scenario.toml").is_file() else name


@functools.cache
def _shared(scenario: str, target: str) -> Sources:
    """Return the files that every candidate gets: ways to attack the runner, and a correct attention or the seed."""
    on_cpu, attention = family(target) == "cpu", scenario == SCENARIO
    shared = {"takeover.h": "cheats/takeover.h"} if on_cpu else {}
    if attention:
        shared |= (
            {"honest_attention.h": "honest/attention.h"}
            if on_cpu
            else {"honest_attention.cuh": "honest/cuda/attention.cuh"}
        )
    found = {name: (TESTS / path).read_bytes() for name, path in {**shared, "reach.h": "cheats/cuda/reach.h"}.items()}
    if not (on_cpu and attention):
        (found["seed.h" if on_cpu else "seed.cuh"],) = seed_sources(load(scenario), target).values()
    return found


def _line(text: str, key: str) -> str:
    """Return the text of a line `// key: …`; "" if there is none."""
    found = re.search(rf"^// {key}: (.+)$", text, re.MULTILINE)
    return found[1] if found else ""


def _expectation(path: Path, text: str) -> tuple[str, str]:
    expect, because = _line(text, "expect"), _line(text, "because")
    if not expect:
        raise AvoError(f"{path}: no line '// expect: STATUS'")
    if not because and expect not in (Status.PASSED, NO_GAIN):
        raise AvoError(f"{path}: no line '// because: PATTERN'")
    return expect, because


def chosen(found: Sequence[Candidate], names: Sequence[str]) -> list[Candidate]:
    """Return the candidates that match a name or a pattern with *; without names all of them.

    Raises AvoError for an unknown name.
    """
    for name in names:
        if not any(fnmatchcase(candidate.name, name) for candidate in found):
            close = difflib.get_close_matches(name, [candidate.name for candidate in found], 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {len(found)}, in {TESTS}/*/"
            raise AvoError(f"no candidate '{name}' in the red team; {hint}")
    return [c for c in found if not names or any(fnmatchcase(c.name, name) for name in names)]


def quick(scenario: Scenario, target: str, cases: int | None = None) -> Scenario:
    """Return the scenario with the changes of HASTE, and only its first `cases` timed cases; with all for None."""
    hasty = scenario.target(target).model_copy(update=HASTE[family(target)])
    return scenario.model_copy(update={"targets": {target: hasty}, "cases": scenario.timed(target)[:cases]})


class RedTeam:
    """Judges the candidates of one target, by the same code as every other candidate."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._executors: dict[tuple[str, bool], LocalExecutor] = {}
        self._verdicts: dict[str, Verdict] = {}
        """Scenario -> verdict on its honest sources."""

    def executor(self, scenario: str = SCENARIO, *, comparing: bool = False) -> LocalExecutor:
        """Return the executor of a scenario with HASTE; with `comparing`, of its first timed case only."""
        key = (scenario, comparing)
        if key not in self._executors:
            cases = 1 if comparing else CUDA_CASES if family(self.target) == "cuda" else None
            self._executors[key] = LocalExecutor(quick(load(scenario), self.target, cases), self.target)
        return self._executors[key]

    def honest(self, scenario: str) -> Sources:
        """Return the sources that no cheat may be faster than: the shared attention, or the scenario's seed."""
        if scenario != SCENARIO:
            return seed_sources(load(scenario), self.target)
        return next(candidate.files for candidate in candidates(self.target) if candidate.name == "shared_attention")

    def honest_verdict(self, scenario: str) -> Verdict:
        """Return the verdict on these sources. Raises AvoError if they do not pass."""
        if scenario not in self._verdicts:
            verdict = self.executor(scenario).evaluate(self.honest(scenario))
            if not verdict.passed:
                raise AvoError(f"what is honest of {scenario} was rejected: {verdict.status}: {verdict.reason}")
            self._verdicts[scenario] = verdict
        return self._verdicts[scenario]

    def prepare(self, team: Sequence[Candidate]) -> None:
        """Compile the candidates side by side."""
        for scenario in dict.fromkeys(candidate.scenario for candidate in team):
            self.executor(scenario).prepare([candidate.files for candidate in team if candidate.scenario == scenario])

    def play(self, team: Sequence[Candidate]) -> Iterator[Outcome]:
        """Compile all candidates, then yield an outcome for each. Raises Missing without the device."""
        self.executor().require_device()
        self.prepare(team)
        for candidate in team:
            started = time.monotonic()
            try:
                got, reason = self.verdict(candidate)
            except Missing:  # the GPU itself is gone
                raise
            except Exception as error:  # that the judge fails on a candidate is a finding, like any other
                got, reason = "ERROR", f"{type(error).__name__}: {error}"
            seconds = round(time.monotonic() - started, 2)
            wrong = fault(candidate, got, reason)
            yield Outcome(candidate.name, candidate.expected, got, reason, seconds, wrong)

    def verdict(self, candidate: Candidate) -> tuple[str, str]:
        """Return a candidate's result and its reason. Raises UnicodeEncodeError if the reason is no valid Unicode."""
        verdict = self.executor(candidate.scenario).evaluate(candidate.files)
        verdict.reason.encode()
        if not verdict.passed or candidate.expected != NO_GAIN:
            return verdict.status, verdict.reason
        honest = self.honest_verdict(candidate.scenario)
        if candidate.incumbent:
            return self._as_incumbent(candidate, verdict, honest)
        in_score = verdict.score / honest.score
        if in_score >= GAIN:  # perhaps other load slowed what it is held against: that was scored at another time
            del self._verdicts[candidate.scenario]
            in_score = verdict.score / self.honest_verdict(candidate.scenario).score
        if in_score >= GAIN:
            return Status.PASSED, f"{in_score:.2f} times the honest score"
        in_comparison = self.compared(candidate)
        got = Status.PASSED if in_comparison >= GAIN else NO_GAIN
        return got, f"{in_score:.2f} times the honest score, {in_comparison:.2f} in a comparison"

    def compared(self, candidate: Candidate) -> float:
        """Return the speed relative to the honest candidate, interleaved, in the first case; 0 if it is rejected."""
        comparer = self.executor(candidate.scenario, comparing=True)
        try:
            return comparer.compare(self.honest(candidate.scenario), candidate.files).ratio
        except Rejected:
            return 0.0

    def _as_incumbent(self, candidate: Candidate, verdict: Verdict, honest: Verdict) -> tuple[str, str]:
        """Return NO_GAIN if a comparison detects it, or finds the ratio of the two scores."""
        comparer, other = self.executor(candidate.scenario, comparing=True), self.honest(candidate.scenario)
        try:
            ratios = comparer.compare(candidate.files, other).cases
        except Missing:
            raise
        except (Rejected, AvoError) as refused:
            told = f"{type(refused).__name__}: {refused}"
            return NO_GAIN if re.search(candidate.because, told) else Status.PASSED, f"a comparison ends: {told}"
        scores = {case.id: case.value for case in honest.cases}
        by_scores = {case.id: scores[case.id] / case.value for case in verdict.cases}
        found, true = (math.exp(sum(math.log(of[case]) for case in ratios) / len(ratios)) for of in (ratios, by_scores))
        got = NO_GAIN if 1 / GAIN < found / true < GAIN else Status.PASSED
        return got, f"the honest one is {found:.2f} times as fast in a comparison, {true:.2f} by the scores"


def summary(target: str, device: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the object that `avo redteam --json` prints."""
    faults = {
        kind: [outcome.name for outcome in outcomes if outcome.fault == kind]
        for kind in ("wrongly_accepted", "wrongly_rejected", "wrong_reason")
    }
    rejected = sum(outcome.got not in (Status.PASSED, NO_GAIN, "ERROR") for outcome in outcomes)
    cases = [{key: value for key, value in asdict(outcome).items() if key != "fault"} for outcome in outcomes]
    return {"target": target, "device": device, "total": len(outcomes), "rejected": rejected, **faults, "cases": cases}
