"""Is the candidate faster? Launches of both in ABBA blocks, paired ratios, bootstrap intervals."""

from __future__ import annotations

import math
import secrets
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from avo.scenarios.loader import Case
from avo.tools.score.arena import Arena
from avo.tools.score.builder import Build
from avo.tools.score.check import Tensors, error_ratio
from avo.tools.score.judge import BASES, Judge
from avo.tools.score.loaded import Loaded
from avo.tools.score.rows import Row, a_launch_of_the_fastest, longer_row
from avo.types import Clocks, Comparison, Rejected, Status

LEAST_ROUNDS, MOST_ROUNDS = {"cpu": 2, "cuda": 3}, {"cpu": 4, "cuda": 9}
"""Each has processes of its own: where their pages lie is worth up to 1 %. There are more of them where the incumbent
differs much from itself, as it does on a GPU at its power limit; what the ratio is has no say in that.
"""
LEAST_BLOCKS, MOST_BLOCKS = {"cpu": 6, "cuda": 3}, {"cpu": 40, "cuda": 3}
"""Of a case in a round; the most where a turn is one launch, and so many fewer where it is several."""
LAUNCHES_A_CHECK = 32
"""In longer rows of a candidate more launches are checked, so that one that skips some is found as surely."""
SECONDS_PER_CASE = 0.3
"""CPU time of launches that one round of a case goes on for."""
UNEXPLAINED_SECONDS = 0.1e-3
"""Time of a row that a candidate's events may leave out beyond what the incumbent's do, in the mean of a comparison.

An improvement has to exceed what part of the shortest row that is. (An H200 with honest kernels: 0.05e-3.)
"""
RESAMPLES = 2000
LEAST_NOISE, MOST_NOISE = {"cpu": 0.01, "cuda": 0.005}, 0.03
"""The noise that a match may hide in: never less than can be told apart, never so much that matches drift."""

Ratios = Mapping[str, "np.ndarray[Any, np.dtype[np.float64]]"]
"""By case: one logarithm of a ratio per block."""


def compare(judge: Judge, incumbent: Build, candidate: Build) -> Comparison:
    """Check the candidate in full, then time both in one lease, in blocks of A B B A, each half on fresh inputs.

    Raises Rejected for a wrong answer in any case or launch.
    """
    rounds: list[tuple[Ratios, Ratios]] = []
    samples: dict[str, list[tuple[float, ...]]] = {case.id: [] for case in judge.scenario.timed(judge.target)}
    clocks: dict[str, list[Clocks]] = {case: [] for case in samples}
    unexplained: list[list[list[float]]] = []
    shortest = math.inf
    while not enough(rounds, judge.device):
        speed, itself = {}, {}
        with judge.load(incumbent, beside=1) as first, judge.load(candidate, beside=1) as second:
            if not rounds:
                judge.check(*second)  # whatever an earlier verdict says, which may be another machine's
            for case in judge.scenario.timed(judge.target):
                blocks, ran, taken = _blocks(judge, case, (first, second))
                shortest = min(shortest, taken)
                times = np.array(blocks)  # [block, (a1, b1, b2, a2)]
                speed[case.id] = np.log((times[:, 0] + times[:, 3]) / (times[:, 1] + times[:, 2]))
                itself[case.id] = np.log(times[:, 0] / times[:, 3])
                samples[case.id] += [tuple(round(seconds * 1e3, 6) for seconds in block) for block in blocks]
                clocks[case.id] += ran
                unexplained.append([side.unexplained() for side, _ in (first, second)])
        rounds.append((speed, itself))
    usual, here = (float(np.mean([rows for pair in unexplained for rows in pair[which]])) for which in (0, 1))
    if here > usual + UNEXPLAINED_SECONDS:
        left_out = f"{here * 1e3:.3f} ms of a row; the incumbent's leave out {usual * 1e3:.3f} ms"
        raise Rejected(Status.TIMING_MISMATCH, f"its events leave out {left_out}")
    least = UNEXPLAINED_SECONDS / shortest if judge.on_gpu else 0.0
    return replace(summary(rounds, max(LEAST_NOISE[judge.device], least)), samples_ms=samples, clocks=clocks)


def _blocks(
    judge: Judge, case: Case, sides: Sequence[tuple[Loaded, Arena]]
) -> tuple[list[tuple[float, ...]], list[Clocks], float]:
    """Times of blocks of four turns, how hard a GPU ran after each, and the seconds of the shortest row.

    A turn is the mean of a row of launches, as many for either side; one of them where it lasts long enough.
    """
    slots = [arena.slots(case, candidate.base) for candidate, arena in sides]
    bases = [judge.draw(case) for _ in range(BASES if judge.on_gpu else 1)]
    row = Row(2 if judge.on_gpu else 1)
    blocks: list[tuple[float, ...]] = []
    clocks: list[Clocks] = []
    fastest, suspect = math.inf, (bases[0], bases[0])
    for which in (0, 1):  # a first launch pays for pages and caches; it is not counted
        touched = slots[which][: 1 if judge.on_gpu else None]
        sets = [judge.fresh(bases[0]) for _ in touched]
        judge.launch(*sides[which], touched, sets, timed=False)
        sides[which][1].take(touched, sets, ())
    spent = 0.0
    least, most = LEAST_BLOCKS[judge.device], MOST_BLOCKS[judge.device]
    while len(blocks) < least or (spent < SECONDS_PER_CASE and len(blocks) * row.launches < most):
        turns: list[float] = []
        quickest: list[tuple[float, Tensors, Tensors]] = []
        agreed = True
        for turn, which in enumerate((0, 1, 1, 0)):
            if turn in (0, 2):  # each side sees data once: a result that was kept is of no use
                sets = [judge.fresh(bases[i % len(bases)]) for i in range(row.launches)]
            first = (len(blocks) + turn) % (len(slots[which]) - row.launches + 1)
            used = slots[which][first : first + row.launches]
            times = judge.launch(*sides[which], used, sets, group=row.group)
            quick, some = a_launch_of_the_fastest(times, row), secrets.randbelow(row.launches)
            outputs = sides[which][1].take(used, sets, {quick, some})
            turns.append(statistics.fmean(times))
            agreed = sides[which][0].agrees() and agreed
            if which == 1:
                quickest.append((min(times), sets[quick], outputs[quick]))
            if which == 1 and secrets.randbelow(2 * least) < max(1, row.launches // LAUNCHES_A_CHECK):
                error_ratio(judge.scenario, case, sets[some], outputs[some])
        if longer := longer_row(row, min(turns) * row.launches, len(slots[0]), judge.device):
            row = longer
            continue
        if not agreed:
            continue
        blocks.append(tuple(turns))
        seconds, given, answered = min(quickest, key=lambda one: one[0])
        if seconds < fastest:
            fastest, suspect = seconds, (given, answered)
        clocks += judge.clocks()
        spent += sum(turns) * row.launches
    error_ratio(judge.scenario, case, *suspect)
    return blocks, clocks, min(map(min, blocks)) * row.launches


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
