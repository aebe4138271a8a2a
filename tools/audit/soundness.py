"""The audit of a scenario: its files, reference, tolerance, work, seed and baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from avo.scenarios.abi import ITEM_BYTES
from avo.scenarios.expressions import evaluate
from avo.scenarios.layers import holder, layers
from avo.scenarios.loader import Scenario, family, shape_of
from avo.tools.build.seeds import seed_sources
from avo.tools.score.executor import LocalExecutor
from avo.types import AvoError, Missing, ScenarioError, Status, Verdict

MOST_APART = 100.0
"""Largest factor between timed cases in the seed's time per unit of work."""
NOISY = 1.3
"""median / min of a timed case above which it is worth a remark."""
SHORT_MS = {"cpu": 0.1, "cuda": 0.01}
"""Milliseconds of a timed case below which it is worth a remark: the cost of starting a launch weighs too much."""


@dataclass(frozen=True)
class Finding:
    """A mistake in a scenario."""

    file: str
    """Path of the file; empty if unknown."""
    key: str
    """Key of scenario.toml, or function of reference.py; may be empty."""
    problem: str
    """The mistake, and the change that corrects it."""
    line: int = 0
    """Line in the file; 0 if unknown."""
    refused: bool = False
    """True if the tolerance refused an output of the seed, or of a baseline."""
    unmeetable: bool = False
    """True if no output at all can meet the tolerance."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(filter(None, (place, self.key, self.problem)))


@dataclass
class Report:
    """The result of an audit on one target."""

    scenario: str
    target: str
    findings: tuple[Finding, ...] = ()
    remarks: list[str] = field(default_factory=list)
    """Observations that need no change."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Figures of the seed: score, unit, seconds of its evaluation, and by case min_ms, noise, error; and `baselines`:
    the largest error ratio of each that is correct.
    """

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON; `sound` is True without findings."""
        findings = [
            {"file": found.file, "line": found.line, "key": found.key, "problem": found.problem}
            for found in self.findings
        ]
        return {"sound": not self.findings, **asdict(self), "findings": findings}

    def lines(self) -> list[str]:
        """Return the report as lines of text: findings, remarks, figures, verdict."""
        shown = [*map(str, self.findings), *(f"remark: {remark}" for remark in self.remarks)]
        if self.facts.get("cases"):
            facts = self.facts
            shown.append(f"seed: {facts['score']:.4g} {facts['unit']}; an evaluation takes {facts['seconds']:.1f} s")
            for case, told in facts["cases"].items():
                figures = (
                    f"{told['min_ms']:.3f} ms, noise {told['noise']:.3f}, error {told['error']:.2g} of the allowed"
                )
                shown.append(f"  {case:10} {figures}")
        for name, worst in self.facts.get("baselines", {}).items():
            shown.append(f"  {name}: error {worst:.2g} of the allowed")
        count = len(self.findings)
        verdict = f"{count} finding{'s' if count > 1 else ''}" if count else "sound"
        return [*shown, f"{self.scenario} on {self.target}: {verdict}"]


def of_the_files(error: AvoError) -> Finding:
    """Return an error as a finding, with its place if it is one of a scenario's files."""
    if isinstance(error, ScenarioError):
        return Finding(error.file, error.key, error.problem, error.line)
    return Finding("", "", str(error))


def examine(scenario: Scenario, target: str) -> Report:
    """Audit a scenario on a target. Raises Missing without compiler or device."""
    report, found = Report(scenario.name, target), list[Finding]()
    executor = LocalExecutor(scenario, target)
    steps: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _functions(scenario),
        lambda: _proofs(executor, report),
        lambda: _baselines(executor, report),
        lambda: _traffic(executor, report),
        lambda: _seed(executor, report),
    )
    for number, step in enumerate(steps):
        try:
            for finding in step():
                found.append(finding)
        except Missing:
            raise
        except AvoError as error:
            found.append(of_the_files(error))
            if number == 1:
                break  # nothing can be evaluated
        if number < 2 and any(number == 0 or finding.file.endswith(".py") for finding in found):
            break  # nothing can be said on a reference that is wrong
    report.findings = tuple(dict.fromkeys(_of_the_tolerance(scenario, target, found, report)))
    return report


def _of_the_tolerance(scenario: Scenario, target: str, found: list[Finding], report: Report) -> list[Finding]:
    """Return the findings, with one about the tolerance in place of those that blame seed and baselines alike."""
    refused = [finding for finding in found if finding.refused]
    others = [finding for finding in found if not finding.refused]
    if any(finding.unmeetable for finding in found):
        return others
    seed = [finding for finding in refused if finding.key == f"targets.{target}.seed"]
    if not seed or len(refused) == 1 or report.facts.get("baselines"):
        return found
    names = ", ".join(finding.key for finding in refused if finding not in seed)
    problem = f"refuses the seed and the baselines alike ({names}): raise it, or mend reference(); of the seed: "
    return [*others, at(scenario, problem + seed[0].problem.partition(": ")[2], "tolerance")]


def at(scenario: Scenario, problem: str, *key: str | int) -> Finding:
    """Return a finding about a key of scenario.toml, in the file that has the key."""
    return Finding(str(holder(layers(scenario.path), key)), ".".join(map(str, key)), problem)


def _functions(scenario: Scenario) -> Iterator[Finding]:
    """Yield a finding for each function that scenario.toml or avo needs and reference.py lacks."""
    from avo.tools.reference.asked import SIGNATURES

    file, module = str(scenario.path / "reference.py"), scenario.reference
    for name, what in SIGNATURES.items():
        if not callable(getattr(module, name, None)):
            yield Finding(file, name, f"missing: define {name}{what}")
    for target, settings in scenario.targets.items():
        for name in settings.baselines:
            if not callable(getattr(module, name, None)):
                problem = f"'{name}' is no function of reference.py: define it there, or leave it out"
                yield at(scenario, problem, "targets", target, "baselines")


def _proofs(executor: LocalExecutor, report: Report) -> Iterator[Finding]:
    from avo.tools.audit.proof import proofs

    with executor.held() as judge:
        yield from proofs(judge, report.remarks)


def _baselines(executor: LocalExecutor, report: Report) -> Iterator[Finding]:
    from avo.tools.audit.proof import baselines

    with executor.held() as judge:
        found, report.facts["baselines"] = baselines(judge, report.remarks)
    yield from found


def _traffic(executor: LocalExecutor, report: Report) -> Iterator[Finding]:
    """Yield a finding if work.bytes is less than a launch's outputs and the part of its inputs that it reads."""
    from avo.tools.audit.proof import read_parts

    scenario = executor.scenario
    for case in scenario.timed(executor.target):
        moved = [tensor for tensor in scenario.tensors if tensor.role != "workspace"]
        sizes = {tensor.name: math.prod(shape_of(tensor, case)) * ITEM_BYTES[tensor.dtype] for tensor in moved}
        counted = evaluate(scenario.work.bytes, case.dims)
        if counted >= sum(sizes.values()):
            continue
        with executor.held() as judge:
            parts = read_parts(judge, case)
        if counted < sum(size * parts.get(name, 1.0) for name, size in sizes.items()):
            problem = f"{counted:.6g} in case '{case.id}', but inputs and outputs alone are {sum(sizes.values())}: "
            yield at(scenario, problem + "count each once", "work", "bytes")
            return
        partly = ", ".join(name for name, part in parts.items() if part < 1)
        report.remarks.append(
            f"work.bytes is {counted:.6g} in case '{case.id}', less than its inputs and outputs, which are "
            f"{sum(sizes.values())}: of {partly} a part is read only"
        )


def _seed(executor: LocalExecutor, report: Report) -> Iterator[Finding]:
    """Yield a finding if the seed does not pass, or if its time does not grow with the work."""
    scenario, target = executor.scenario, executor.target
    verdict = executor.evaluate(seed_sources(scenario, target))
    seconds = verdict.cost.get("total", 0.0) - verdict.cost.get("wait", 0.0)
    if verdict.status is Status.ABOVE_ROOFLINE:
        yield at(scenario, f"{verdict.reason}: it counts more than the seed does", "work")
        return
    if not verdict.passed:
        log = next((f" ({line})" for line in verdict.log.splitlines() if "error" in line), "")
        told = f"{verdict.status}: {verdict.reason}{'' if verdict.reason in log else log}"
        found = at(scenario, f"the seed scores nothing: {told}: mend it", "targets", target, "seed")
        yield replace(found, refused=verdict.status is Status.INCORRECT_NUMERICAL)
        return
    report.facts |= {"score": verdict.score, "unit": verdict.unit, "seconds": round(seconds, 2), "cases": {
        case.id: {"min_ms": case.min_ms, "noise": case.noise, "error": case.error_ratio} for case in verdict.cases
    }}  # fmt: skip
    report.remarks += _remarks(verdict, target)
    paces = {case.id: 1 / case.value for case in verdict.cases}
    slow, fast = max(paces, key=paces.__getitem__), min(paces, key=paces.__getitem__)
    if paces[slow] > MOST_APART * paces[fast]:
        kind = "bytes" if verdict.unit == "GB/s" else "flops"
        problem = f"the seed takes {paces[slow] / paces[fast]:.0f} times as long for a unit of it in case '{slow}' "
        problem += f"as in '{fast}': let it count what is computed in every case"
        yield at(scenario, problem, "work", kind)


def _remarks(verdict: Verdict, target: str) -> Iterator[str]:
    for case in verdict.cases:
        if case.noise > NOISY:
            yield f"case '{case.id}' is noisy (median / min {case.noise:.2f}): is the machine busy?"
        if case.min_ms < SHORT_MS[family(target)]:
            yield f"case '{case.id}' takes {case.min_ms:.3f} ms: too short to be timed well, make it larger"
