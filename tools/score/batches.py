"""Rows of launches: how long one has to last, how many of its launches are timed as one, and when there are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROW_SECONDS = {"cpu": 1e-3, "cuda": 20e-3}
"""Least that a row of launches takes, where there are buffers enough: beside it, what waking a runner costs on the CPU
(11 to 60 us), and what the clocks may differ by on a GPU, is little.
"""
# CPU: one launch of 0.1 ms a turn gave ratios from 1.9 to 4.5 for one pair within a minute; several as one give
# quartiles within 4 %.
GROUP_SECONDS = {"cpu": 1e-3, "cuda": 0.2e-3}
"""Least that is timed as one, between two events on a GPU: several launches where one takes less."""

DECIDING = {"cpu": 1, "cuda": 2}
"""Launches of the first row, by whose time the length of the others is decided."""
LEAST_SAMPLES, MOST_LAUNCHES_TIMED = 3, 64
SECONDS_PER_CASE = 0.16
"""CPU time of launches that one timing goes on for."""
MOST_SECONDS_PER_CASE, SAMPLES_IF_SLOW = 4.0, 12
"""Where inputs take so much longer than launches that it ends before, with so many rows."""


@dataclass(frozen=True)
class Row:
    """Launches that follow each other without a pause."""

    launches: int
    group: int = 1
    """So many, a divisor of them, are timed as one."""


def longer_row(row: Row, taken: float, most: int, device: str) -> Row | None:
    """A row of at most `most` launches that lasts as long as it should, after one that took `taken` seconds.

    None: no longer one is needed, or can be made.
    """
    each = max(taken / row.launches, 1e-7)
    # A fifth more than it needs: a row that came out too short would have to be made once more.
    launches = min(most, math.ceil(1.2 * ROW_SECONDS[device] / each))
    group = min(launches, math.ceil(GROUP_SECONDS[device] / each))
    longer = Row(launches // group * group, group)
    return longer if taken < ROW_SECONDS[device] and longer.launches > row.launches else None


def enough(spent: float, samples: Sequence[float], row: Row, taken: float) -> bool:
    """Whether as many rows as there are samples, of `spent` seconds together, are enough on the CPU.

    `taken`: seconds with all that it takes to make inputs, and to check outputs.
    """
    much = spent >= SECONDS_PER_CASE or len(samples) * row.launches >= MOST_LAUNCHES_TIMED
    slow = taken > MOST_SECONDS_PER_CASE and len(samples) >= SAMPLES_IF_SLOW
    return len(samples) >= LEAST_SAMPLES and (much or slow)


def expected_rows(each: float, row: Row) -> int:
    """About how many rows it takes on the CPU until they are enough, where a launch takes `each` seconds."""
    by_time = SECONDS_PER_CASE / max(each * row.launches, 1e-7)
    return max(LEAST_SAMPLES, math.ceil(min(by_time, MOST_LAUNCHES_TIMED / row.launches)))
