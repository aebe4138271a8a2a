"""Measured baselines, kept between evaluations and processes until the device or what is installed has changed."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from avo.settings import cache_folder
from avo.tools.devices.roofline import device
from avo.tools.score.baselines import measured
from avo.types import RULES, Clocks

if TYPE_CHECKING:
    from avo.tools.score.judge import Judge

LAST_SECONDS = 4 * 3600.0
"""Seconds after which baselines are measured again."""
CELSIUS_APART = 15
"""Difference in the GPU's temperature at which they are measured again."""


@dataclass(frozen=True)
class Baselines:
    """The baselines of one scenario on one device."""

    values: Mapping[str, Mapping[str, float]]
    """Baseline -> case -> throughput in the target's unit, in the order of scenario.toml."""
    missing: Mapping[str, str]
    """Baseline that could not be measured -> the reason."""
    at: float
    """POSIX time of the measurement, in seconds."""
    clocks: Clocks | None
    """The GPU's state before it; None on the CPU, or where NVML reports none."""

    @property
    def age(self) -> float:
        """Seconds since the measurement."""
        return max(time.time() - self.at, 0.0)

    def holds(self, now: Clocks | None) -> bool:
        """Return True unless they are too old, or the GPU is in another state `now`."""
        then = self.clocks
        if then and now:
            near = abs(then.celsius - now.celsius) < CELSIUS_APART and then.held_back_by == now.held_back_by
        else:
            near = then is now
        return near and self.age < LAST_SECONDS


def baselines_of(judge: Judge, say: Callable[[str], None]) -> Baselines:
    """Return the baselines of the judge's scenario on its device, as kept, or measured now.

    say: called with a line before they are measured on a GPU, where libraries may compile for minutes. Raises
    ScenarioError.
    """
    names = judge.settings.baselines
    if not names:
        return Baselines({}, {}, time.time(), None)
    path = cache_folder() / "baselines" / f"{_key(judge)}.json"
    before = next(iter(judge.clocks()), None)
    kept = _read(path)
    if kept is None or not kept.holds(before):
        if judge.on_gpu:
            say(f"measuring the baselines, some of which compile first: {', '.join(names)}")
        kept = Baselines(*measured(judge), time.time(), before)
        _write(path, kept)
    return kept


def _key(judge: Judge) -> str:
    place = judge.identity if judge.on_gpu else device()
    cases = [case.id for case in judge.scenario.timed(judge.target)]
    made_of = (judge.scenario.digest, cases, judge.target, judge.settings.baselines, judge.settings.unit, place, RULES)
    return hashlib.sha256(json.dumps([made_of, _installed()]).encode()).hexdigest()[:32]


@functools.cache
def _installed() -> list[str]:
    """Return name and version of all packages: with another library a baseline is another one."""
    return sorted({f"{found.name} {found.version}" for found in distributions()})


def _read(path: Path) -> Baselines | None:
    """Return what was kept; None if nothing was, or if it is damaged."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        return Baselines(**kept | {"clocks": kept["clocks"] and Clocks(**kept["clocks"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path, found: Baselines) -> None:
    """Keep them, if there is room: if not, the next evaluation measures them again."""
    fresh = path.with_name(f"{path.name}.{time.monotonic_ns()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        fresh.write_text(json.dumps(asdict(found)), "utf-8")
        fresh.replace(path)
