"""Batches of launches (rows): their length, the launches that are timed as one, and how many batches suffice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROW_SECONDS = {"cpu": 1e-3, "cuda": 20e-3}
"""Minimum seconds of a batch, if there are buffers enough: compared with it, waking a runner on the CPU (11 to 60 us)
and the difference between the clocks on a GPU are small.
"""
# CPU: one launch of 0.1 ms a turn gave ratios from 1.9 to 4.5 for one pair within a minute; several as one give
# quartiles within 4 %.
GROUP_SECONDS = {"cpu": 1e-3, "cuda": 0.2e-3}
"""Minimum seconds of a group of launches that is timed as one; on a GPU, between two events."""

DECIDING = {"cpu": 1, "cuda": 2}
"""Launches of the first batch, whose time decides the length of the others."""
LEAST_SAMPLES, MOST_LAUNCHES_TIMED = 3, 24
"""Minimum number of batches; number of launches after which those suffice.

(Scores of one kernel from 16, 24 and 64 launches spread by 2.5, 4.6 and 4.0 %: what differs is the minute.)
"""
SECONDS_PER_CASE = 0.16
"""Seconds of CPU time in launches after which a case has been timed enough."""
MOST_SECONDS_PER_CASE, SAMPLES_IF_SLOW = 4.0, 12
"""Seconds after which SAMPLES_IF_SLOW batches suffice, if making inputs takes much longer than launches."""


@dataclass(frozen=True)
class Row:
    """A batch of launches that follow each other without a pause."""

    launches: int
    """Number of launches."""
    group: int = 1
    """Number of launches that are timed as one; a divisor of `launches`."""


def longer_row(row: Row, taken: float, most: int, device: str) -> Row | None:
    """Return a batch of at most `most` launches that lasts long enough, given one that took `taken` seconds.

    Returns None if no longer one is needed or possible.
    """
    each = max(taken / row.launches, 1e-7)
    # A fifth more than it needs: a row that came out too short would have to be made once more.
    launches = min(most, math.ceil(1.2 * ROW_SECONDS[device] / each))
    group = min(launches, math.ceil(GROUP_SECONDS[device] / each))
    longer = Row(launches // group * group, group)
    return longer if taken < ROW_SECONDS[device] and longer.launches > row.launches else None


def enough(spent: float, samples: Sequence[float], row: Row, taken: float) -> bool:
    """Return True if the batches timed so far suffice on the CPU: one for each sample, `spent` seconds together.

    taken: seconds including the making of inputs and the check of outputs.
    """
    much = spent >= SECONDS_PER_CASE or len(samples) * row.launches >= MOST_LAUNCHES_TIMED
    slow = taken > MOST_SECONDS_PER_CASE and len(samples) >= SAMPLES_IF_SLOW
    return len(samples) >= LEAST_SAMPLES and (much or slow)


def expected_rows(each: float, row: Row) -> int:
    """Return an estimate of the batches that suffice on the CPU, if a launch takes `each` seconds."""
    by_time = SECONDS_PER_CASE / max(each * row.launches, 1e-7)
    return max(LEAST_SAMPLES, math.ceil(min(by_time, MOST_LAUNCHES_TIMED / row.launches)))
