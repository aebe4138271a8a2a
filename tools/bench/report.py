"""The report of a contest: throughput, ratios with their intervals, as text and as JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from avo.scenarios.loader import Scenario, family
from avo.tools.bench.contest import ROW, STAGES, TURNS, Contest, Record
from avo.tools.bench.paper import REP_MS, REPEATS, SLEEP_SECONDS, WARMUP_MS
from avo.tools.devices.gpu import gpu
from avo.tools.devices.roofline import device
from avo.tools.score.judge import Judge
from avo.tools.score.ratios import interval
from avo.types import geomean

PACKAGES = ("torch", "triton", "fa3-fwd", "flash-attn-4", "nvidia-cutlass-dsl", "quack-kernels")
"""Packages whose versions a result contains."""
PROTOCOLS = {
    "cpu": "one launch a turn, on inputs of its own; CPU time of the runner, for a baseline of this thread",
    "cuda": (
        f"{ROW['cuda']} launches a turn, each between two events, on inputs of its own out of at least "
        f"{STAGES['cuda']} rotating sets; candidates in their runner, baselines in this process behind a head start"
    ),
}
"""Kind of target -> description of the measurement."""
PAPER = (
    f"{SLEEP_SECONDS:g} s of sleep, then the mean of Triton's do_bench(warmup={WARMUP_MS:g} ms, rep={REP_MS:g} ms), "
    f"256 MB cleared before each call, {REPEATS} times; a candidate's launches in its runner, one at a time"
)
"""Description of the paper's protocol."""


def machine(judge: Judge) -> dict[str, Any]:
    """Return the device with its driver, and the versions of the libraries: what the figures are valid for."""
    versions = {name: _version(name) for name in PACKAGES}
    if judge.on_gpu:
        versions |= {"cuda": torch.version.cuda or "", "cudnn": str(torch.backends.cudnn.version() or "")}  # type: ignore[no-untyped-call]
    return {"device": gpu(judge.index) if judge.on_gpu else device(), "versions": versions}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class Ratio:
    """The speed of one contestant relative to another; above 1 is faster."""

    ratio: float
    """Geomean over the cases of the median over turns."""
    low: float
    high: float
    """95 % interval: bootstrap over turns, paired by turn."""
    cases: Mapping[str, float]
    """Case -> median ratio over turns."""


def turns(record: Record, case: str) -> list[float]:
    """Return the seconds of a launch in each turn, the mean of its batch: the judge's clock confirms only the sum."""
    return [statistics.fmean(row) for row in record.seconds[case]]


def ratio(one: Record, other: Record) -> Ratio:
    """Return the speed of `one` relative to `other`, over the same turns."""
    logs = {case: np.log(np.array(turns(other, case)) / np.array(turns(one, case))) for case in one.seconds}
    low, high = interval([logs])
    cases = {case: float(np.exp(np.median(values))) for case, values in logs.items()}
    return Ratio(geomean(list(cases.values())), low, high, cases)


@dataclass(frozen=True)
class Standings:
    """A contest with its scenario and target."""

    scenario: Scenario
    target: str
    contest: Contest

    @property
    def reference(self) -> Record | None:
        """The record that all are compared with: that of the first measured baseline; None if there is none."""
        return next((record for record in self.contest.records if not record.candidate), None)

    @property
    def unit(self) -> str:
        """Unit of the throughput."""
        return self.scenario.target(self.target).unit

    def throughput(self, record: Record) -> dict[str, float]:
        """Return the throughput of the median turn by case, in `unit`."""
        return {case: self._work(case) / statistics.median(turns(record, case)) for case in record.seconds}

    def paper(self, record: Record) -> dict[str, tuple[float, float]]:
        """Return by case, in `unit`, mean and standard deviation over the ten measurements of the paper's protocol."""
        values = {case: [self._work(case) / s for s in seconds] for case, seconds in record.paper.items()}
        return {case: (statistics.fmean(v), statistics.stdev(v)) for case, v in values.items()}

    def ratios(self, record: Record) -> dict[str, Ratio]:
        """Return by name the ratio to the reference; for a candidate, the ratios to all baselines."""
        others = [other for other in self.contest.records if not other.candidate and other is not record]
        return {o.name: ratio(record, o) for o in others if record.candidate or o is self.reference}

    def _work(self, case: str) -> float:
        return self.scenario.work_of(self.unit, next(c for c in self.scenario.cases if c.id == case))

    def text(self) -> str:
        """Return a table of all, a line per candidate against each baseline, and who is missing and why."""
        kind, against = family(self.target), self.reference
        cases = [case.id for case in self.scenario.timed(self.target)]
        columns = [*(f"{case:>9}" for case in cases), f"{'geomean':>9}{'error':>7}{'Frobenius':>11}"]
        columns += [f"{'paper':>15}"] * self._with_paper
        columns += [f"  x {against.name} (95 % interval)"] if against else []
        lines = [f"{self.unit}, median of {TURNS[kind]} turns: {PROTOCOLS[kind]}", f"{'':14}{''.join(columns)}"]
        lines += [self._row(record, cases) for record in self.contest.records]
        for record in self.contest.records:
            if record.candidate and len(found := self.ratios(record)) > 1:
                told = [f"x{r.ratio:.3f} of {name} ({r.low:.3f} to {r.high:.3f})" for name, r in found.items()]
                lines.append(f"{record.name}: {', '.join(told)}")
        lines += [f"rejected: {name}: {reason}" for name, reason in self.contest.rejected.items()]
        lines += [f"missing: {reason}" for reason in self.contest.missing.values()]
        if self._with_paper:
            lines.append(f"paper: geomean, and the largest deviation of a case: {PAPER}")
        return "\n".join(lines)

    @property
    def _with_paper(self) -> bool:
        return any(record.paper for record in self.contest.records)

    def _row(self, record: Record, cases: list[str]) -> str:
        values, errors = self.throughput(record), record.errors.values()
        line = f"{record.name:14}" + "".join(f"{values[case]:9.2f}" for case in cases)
        line += (
            f"{geomean(list(values.values())):9.2f}{max(e for e, _ in errors):7.2f}{max(f for _, f in errors):11.1e}"
        )
        if self._with_paper:
            means = self.paper(record).values()
            line += f"{geomean([mean for mean, _ in means]):9.2f} ±{max(s / mean for mean, s in means):4.1%}"
        if against := self.reference:
            to = ratio(record, against)
            line += "  1" if record is against else f"  {to.ratio:.3f} ({to.low:.3f} to {to.high:.3f})"
        return line

    def as_dict(self) -> dict[str, Any]:
        """Return every sample, and the figures of the table, for JSON."""
        kind, contest = family(self.target), self.contest
        return {
            "scenario": self.scenario.name, "digest": self.scenario.digest, "target": self.target, "unit": self.unit,
            "protocol": f"{TURNS[kind]} turns in a balanced order; {PROTOCOLS[kind]}",
            "paper_protocol": PAPER if self._with_paper else None,
            "reference": self.reference.name if self.reference else None,
            "l2_bytes": contest.l2_bytes, "rotating_bytes": dict(contest.rotating_bytes),
            "cold_l2": {case: size > 2 * contest.l2_bytes for case, size in contest.rotating_bytes.items()}
            if contest.l2_bytes else None,
            "contestants": [self._entry(record) for record in contest.records],
            "missing": dict(contest.missing), "rejected": dict(contest.rejected),
        }  # fmt: skip

    def _entry(self, record: Record) -> dict[str, Any]:
        values, paper = self.throughput(record), self.paper(record)
        cases = {
            case: {
                "value": value,
                "samples_ms": [[round(seconds * 1e3, 6) for seconds in row] for row in record.seconds[case]],
                "error_ratio": _number(record.errors[case][0]), "frobenius": _number(record.errors[case][1]),
                "clocks": [asdict(clocks) for clocks in record.clocks[case]],
            }
            | ({"paper": {
                "mean": paper[case][0], "deviation": paper[case][1],
                "samples_ms": [round(seconds * 1e3, 6) for seconds in record.paper[case]],
            }} if case in paper else {})
            for case, value in values.items()
        }  # fmt: skip
        return {
            "name": record.name, "kind": "candidate" if record.candidate else "baseline",
            "geomean": geomean(list(values.values())),
            "paper_geomean": geomean([mean for mean, _ in paper.values()]) if paper else None,
            "cases": cases,
            "ratios": {name: asdict(found) for name, found in self.ratios(record).items()},
        }  # fmt: skip


def _number(value: float) -> float | None:
    """Return None for a number that is not finite, as JSON has none."""
    return value if math.isfinite(value) else None
