"""Is the candidate faster? Launches of both in ABBA blocks, paired ratios, bootstrap intervals."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avo.scenarios.loader import Case
from avo.tools.score.arena import Arena
from avo.tools.score.builder import Build
from avo.tools.score.check import error_ratio
from avo.tools.score.judge import Judge
from avo.tools.score.loaded import Loaded
from avo.types import Comparison

ROUNDS = 2
"""An improvement has to show in each. Each has processes of its own: where their pages lie is worth up to 1 %."""
LEAST_BLOCKS, MOST_BLOCKS = 6, 40
SECONDS_PER_CASE = 0.3
"""CPU time of launches that one round of a case goes on for."""
ROW = 4
"""Launches in a row on a GPU."""
RESAMPLES = 2000
LEAST_NOISE, MOST_NOISE = {"cpu": 0.01, "cuda": 0.005}, 0.03
"""The noise that a match may hide in: never less than can be told apart, never so much that matches drift."""

Ratios = Mapping[str, "np.ndarray[Any, np.dtype[np.float64]]"]
"""By case: one logarithm of a ratio per block."""


def compare(judge: Judge, incumbent: Build, candidate: Build) -> Comparison:
    """Time both in one lease, in blocks of A B B A, each half on fresh inputs. Raises Rejected for a wrong launch."""
    rounds: list[tuple[Ratios, Ratios]] = []
    for _ in range(ROUNDS):
        speed, itself = {}, {}
        with judge.load(incumbent) as first, judge.load(candidate) as second:
            for case in judge.scenario.timed(judge.target):
                times = np.array(_blocks(judge, case, (first, second)))  # [block, (a1, b1, b2, a2)]
                speed[case.id] = np.log((times[:, 0] + times[:, 3]) / (times[:, 1] + times[:, 2]))
                itself[case.id] = np.log(times[:, 0] / times[:, 3])
        rounds.append((speed, itself))
    return summary(rounds, LEAST_NOISE[judge.device])


def _blocks(judge: Judge, case: Case, sides: Sequence[tuple[Loaded, Arena]]) -> list[tuple[float, ...]]:
    """Times of blocks of four turns. A turn is one launch on the CPU and a row of ROW on a GPU: its median."""
    row = ROW if judge.on_gpu else 1
    slots = [arena.slots(case, candidate.base) for candidate, arena in sides]
    base = [judge.draw(case) for _ in range(row)]
    blocks: list[tuple[float, ...]] = []
    fastest, suspect = float("inf"), (base[0], base[0])
    for which in (0, 1):  # a first launch pays for pages and caches; it is not counted
        judge.launch(*sides[which], slots[which][:1], base[:1])
    while len(blocks) < LEAST_BLOCKS or (np.sum(blocks) < SECONDS_PER_CASE and len(blocks) < MOST_BLOCKS):
        times: list[float] = []
        for turn, which in enumerate((0, 1, 1, 0)):
            if turn in (0, 2):  # each side sees data once: a result that was kept is of no use
                sets = [judge.fresh(inputs) for inputs in base]
            first = (len(blocks) + turn) % (len(slots[which]) - row + 1)
            done = judge.launch(*sides[which], slots[which][first : first + row], sets, timed=True)
            times.append(float(np.median([seconds for seconds, _ in done])))
            for inputs, (seconds, outputs) in zip(sets, done, strict=True):
                if which == 1 and seconds < fastest:
                    fastest, suspect = seconds, (inputs, outputs)
                if which == 1 and secrets.randbelow(LEAST_BLOCKS * row) == 0:
                    error_ratio(judge.scenario, case, inputs, outputs)
        blocks.append(tuple(times))
    error_ratio(judge.scenario, case, *suspect)
    for candidate, _ in sides:
        candidate.agree()
    return blocks


def summary(rounds: list[tuple[Ratios, Ratios]], least_noise: float) -> Comparison:
    """The comparison that the blocks of all rounds add up to; each round also for itself, to confirm."""
    speed, itself = (
        {case: np.concatenate([r[kind][case] for r in rounds]) for case in rounds[0][0]} for kind in (0, 1)
    )
    low, high = interval(speed)
    same_low, same_high = interval(itself)
    noise = min(max((same_high - same_low) / 2, least_noise), MOST_NOISE)
    cases = {case: float(np.exp(np.median(values))) for case, values in speed.items()}
    return Comparison(
        ratio=float(np.exp(np.mean([np.median(values) for values in speed.values()]))),
        low=low, high=high, noise=noise, confirmed=all(interval(r[0])[0] > 1 for r in rounds),
        cases=cases, blocks=sum(len(values) for values in speed.values()),
    )  # fmt: skip


def interval(ratios: Ratios) -> tuple[float, float]:
    """95 % percentile bootstrap of the geomean over cases of the median ratio, blocks redrawn within a case."""
    rng = np.random.default_rng(0)
    total = np.zeros(RESAMPLES)
    for values in ratios.values():
        total += np.median(values[rng.integers(0, len(values), (RESAMPLES, len(values)))], axis=1)
    low, high = np.exp(np.percentile(total / len(ratios), [2.5, 97.5]))
    return float(low), float(high)
