"""Statistics of paired times: the ratio, its bootstrap interval, and the noise that it has to exceed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avo.types import Comparison

LEAST_ROUNDS, MOST_ROUNDS = {"cpu": 2, "cuda": 3}, {"cpu": 4, "cuda": 9}
"""Rounds of a comparison, each with processes of its own: the placement of their pages changes times by up to 1 %. More
are run while the incumbent differs much from itself, as on a GPU at its power limit, unless the ratio is CLEAR.
"""
RESAMPLES = 2000
"""Bootstrap samples."""
LEAST_NOISE, MOST_NOISE = {"cpu": 0.01, "cuda": 0.005}, 0.03
"""Minimum of a comparison's noise, by device, and its maximum: with more, a series of matches could drift."""
CLEAR = 2 * MOST_NOISE
"""Distance of a ratio's whole interval from 1 at which no more rounds are needed: they could not change the result.

(Nearer to 1 the ratio has no say in the number of rounds: who stops when it pleases finds gains in noise.)
"""

Ratios = Mapping[str, "np.ndarray[Any, np.dtype[np.float64]]"]
"""Case -> logarithm of a ratio for each block, float64 [blocks]."""


def enough(rounds: list[tuple[Ratios, Ratios]], device: str) -> bool:
    """Return True if the incumbent has been measured as exactly as possible, or often enough, or the ratio is clear."""
    if not LEAST_ROUNDS[device] <= len(rounds) < MOST_ROUNDS[device]:
        return len(rounds) >= MOST_ROUNDS[device]
    found = summary(rounds, 0.0)
    faster, slower = found.confirmed and found.low > 1 + CLEAR, found.high < 1 - CLEAR
    return faster or slower or found.noise <= LEAST_NOISE[device]


def summary(rounds: list[tuple[Ratios, Ratios]], least_noise: float) -> Comparison:
    """Return the comparison from the blocks of all rounds; confirmed if odd and even rounds show it separately."""
    low, high = interval([speed for speed, _ in rounds])
    same_low, same_high = interval([itself for _, itself in rounds])
    noise = min(max((same_high - same_low) / 2, least_noise), MOST_NOISE)
    speed = {case: np.concatenate([speed[case] for speed, _ in rounds]) for case in rounds[0][0]}
    halves = [[speed for speed, _ in rounds[start::2]] for start in (0, 1)]
    return Comparison(
        ratio=float(np.exp(np.mean([np.median(values) for values in speed.values()]))),
        low=low, high=high, noise=noise, confirmed=all(interval(half)[0] > 1 for half in halves),
        cases={case: float(np.exp(np.median(values))) for case, values in speed.items()},
        blocks=sum(len(values) for values in speed.values()),
    )  # fmt: skip


def interval(rounds: Sequence[Ratios]) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the geomean over cases of the median ratio.

    Both rounds and blocks within a round and case are resampled, because processes differ as launches do.
    """
    # The same samples always come to the same interval.
    rng = np.random.default_rng(0)
    total = np.zeros(RESAMPLES)
    chosen = rng.integers(0, len(rounds), (RESAMPLES, len(rounds)))
    for case in rounds[0]:
        size = min(len(ratios[case]) for ratios in rounds)
        redrawn = np.stack([ratios[case][rng.integers(0, len(ratios[case]), (RESAMPLES, size))] for ratios in rounds])
        drawn = [redrawn[chosen[:, place], np.arange(RESAMPLES)] for place in range(len(rounds))]
        total += np.median(np.concatenate(drawn, axis=1), axis=1)
    low, high = np.exp(np.percentile(total / len(rounds[0]), [2.5, 97.5]))
    return float(low), float(high)
