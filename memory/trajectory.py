"""The trajectory of a lineage: the data of its plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import accumulate
from statistics import median
from typing import Any

from avo.memory.lineage import Lineage
from avo.types import Version, geomean


@dataclass(frozen=True)
class Trajectory:
    """Scores by version, the seed first; every sequence is as long as `versions`."""

    title: str
    by: str
    """Unit of `x`: versions, attempts or hours."""
    unit: str
    devices: Sequence[str]
    """Devices on which the versions were measured, in order of first use."""
    versions: Sequence[str]
    x: Sequence[float]
    scores: Sequence[float]
    """Geometric mean over the cases, in `unit`."""
    best: Sequence[float]
    """Running maximum over the versions that improved on the best before them: lucky matches do not raise it."""
    improved: Sequence[bool]
    """False for a version that only matched the best before it."""
    cases: Mapping[str, Sequence[float | None]]
    """Case -> score by version; None where a version was not scored on it."""
    baselines: Mapping[str, float]
    """Baseline -> median over versions of its geometric mean over the cases."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


def trajectory(lineage: Lineage, title: str, by: str) -> Trajectory:
    """Read the trajectory from the commits. Raises AvoError if there is no version, or one cannot be read."""
    lineage.best()
    versions = lineage.versions()
    measured: dict[str, list[float]] = {}
    for version in versions:
        for name, values in lineage.verdict(version).baselines.items():
            measured.setdefault(name, []).append(geomean(list(values.values())))
    names = list(dict.fromkeys(case for version in versions for case in version.scores))
    return Trajectory(
        title=title, by=by, unit=versions[0].unit,
        devices=list(dict.fromkeys(lineage.facts(version).get("Device", "") for version in versions)),
        versions=[version.name for version in versions],
        x=[_place(lineage, versions[0], version, number, by) for number, version in enumerate(versions)],
        scores=[version.score for version in versions],
        best=list(accumulate((version.score if version.improved else 0.0 for version in versions), max)),
        improved=[version.improved for version in versions],
        cases={case: [version.scores.get(case) for version in versions] for case in names},
        baselines={name: median(values) for name, values in measured.items()},
    )  # fmt: skip


def _place(lineage: Lineage, first: Version, version: Version, number: int, by: str) -> float:
    if by == "attempts":
        tried = lineage.facts(version).get("Attempts", "")
        return float(tried) if tried.isdecimal() else float(number)
    if by == "hours":
        return (datetime.fromisoformat(version.at) - datetime.fromisoformat(first.at)).total_seconds() / 3600
    return float(number)
