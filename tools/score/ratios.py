"""What paired times say: the ratio, its bootstrap interval, and the noise that it has to exceed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avo.types import Comparison

LEAST_ROUNDS, MOST_ROUNDS = {"cpu": 2, "cuda": 3}, {"cpu": 4, "cuda": 9}
"""Each has processes of its own: where their pages lie is worth up to 1 %. There are more of them where the incumbent
differs much from itself, as it does on a GPU at its power limit; what the ratio is has no say in that.
"""
RESAMPLES = 2000
LEAST_NOISE, MOST_NOISE = {"cpu": 0.01, "cuda": 0.005}, 0.03
"""The noise that a match may hide in: never less than can be told apart, never so much that matches drift."""

Ratios = Mapping[str, "np.ndarray[Any, np.dtype[np.float64]]"]
"""By case: one logarithm of a ratio per block."""


def enough(rounds: list[tuple[Ratios, Ratios]], device: str) -> bool:
    """Whether the incumbent was measured as exactly as it can be, or often enough."""
    least, most = LEAST_ROUNDS[device], MOST_ROUNDS[device]
    return len(rounds) >= least and (len(rounds) >= most or summary(rounds, 0.0).noise <= LEAST_NOISE[device])


def summary(rounds: list[tuple[Ratios, Ratios]], least_noise: float) -> Comparison:
    """The comparison that the blocks of all rounds add up to; every other round for itself, to confirm."""
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
    """95 % percentile bootstrap of the geomean over cases of the median ratio.

    Rounds are redrawn, and blocks within a round and case: processes differ from each other as launches do.
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
