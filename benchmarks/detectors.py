"""Precision and recall of the signs of a stuck search, over recorded and made-up trajectories.

python benchmarks/detectors.py [SEEDS] > benchmarks/results/detectors.json
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from trajectories import KINDS, Kind, Story

from avo.agents.stagnation import stagnation
from avo.memory.journal.journal import Journal
from avo.scenarios.loader import Stagnation


@dataclass(frozen=True)
class Seen:
    """What was said of one trajectory."""

    said: str
    """The first thing said; empty for nothing."""
    event: int
    """After which event."""
    stuck_from: int
    """The event from which on it is stuck; -1 when it never is."""
    events: int
    milliseconds: float
    """Of a look, on average."""

    @property
    def early(self) -> bool:
        """Said while there was progress."""
        return bool(self.said) and not 0 <= self.stuck_from < self.event

    @property
    def found(self) -> bool:
        return bool(self.said) and not self.early


def look(kind: Kind, seed: int, folder: Path) -> Seen:
    """Write the trajectory and look at it after each event, until something is said of it."""
    said, at, spent, looks = "", 0, 0.0, 0

    def seen(story: Story) -> None:
        nonlocal said, at, spent, looks
        if said:
            return
        began = time.perf_counter()
        said = stagnation(story.journal, Stagnation().patience)
        spent, looks, at = spent + time.perf_counter() - began, looks + 1, story.events

    journal = Journal(folder / f"{kind.write.__name__}-{seed}.db", create=True)
    journal.write("PRAGMA synchronous=OFF")  # nobody resumes it
    story = Story(journal, random.Random(seed), seen)
    kind.write(story)
    journal.close()
    return Seen(said, at, story.stuck_from, story.events, round(spent / max(looks, 1) * 1e3, 2))


def measure(seeds: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    right = wrong = missed = quiet = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            seen = [look(kind, seed, Path(folder)) for seed in range(seeds)]
            found, early = sum(entry.found for entry in seen), sum(entry.early for entry in seen)
            right, wrong = right + found, wrong + early
            missed += sum(bool(kind.sign) and not entry.said for entry in seen)
            quiet += sum(not kind.sign and not entry.said for entry in seen)
            delays = [entry.event - entry.stuck_from for entry in seen if entry.found]
            rows[kind.write.__name__] = {
                "stuck": bool(kind.sign), "noticed": found, "false alarms": early,
                "events until noticed": max(delays) if delays else None,
                "said": sorted({entry.said for entry in seen if entry.said})[:1],
                "ms a look": max(entry.milliseconds for entry in seen),
            }  # fmt: skip
    return {
        "trajectories": len(KINDS), "seeds": seeds, "looks": "after every event",
        "precision": round(right / max(right + wrong, 1), 4), "recall": round(right / max(right + missed, 1), 4),
        "healthy ones left alone": quiet, "by trajectory": rows,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(int((sys.argv[1:2] or ["5"])[0])), indent=1))
