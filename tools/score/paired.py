"""The comparison of candidate and incumbent: launches in ABBA blocks, paired ratios, bootstrap intervals.

Neither side can know which one it is: both sit the same exam, take turns in an order drawn for each block, on slots
that are drawn, see the same data, and are checked alike.
"""

from __future__ import annotations

import contextlib
import math
import random
import secrets
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from avo.tools.build.builder import Build
from avo.tools.launch.arena import Arena
from avo.tools.launch.launcher import Loaded
from avo.tools.score.batches import Row
from avo.tools.score.exam import Exam, examine
from avo.tools.score.judge import Judge, judged
from avo.tools.score.ratios import LEAST_NOISE, Ratios, enough, summary
from avo.tools.score.timing import KEPT, SLOWER, Fastest, Lot, Player, other_families
from avo.types import Clocks, Comparison, Rejected, Status, geomean, low, unfit, usual_seconds

INCUMBENT, CANDIDATE = 0, 1
"""Indices of the two sides."""
LEAST_BLOCKS, MOST_BLOCKS = {"cpu": 6, "cuda": 3}, {"cpu": 40, "cuda": 3}
"""Blocks of a case in a round; the most are divided by the launches of a turn."""
SECONDS_PER_CASE = 0.3
"""Seconds of launches after which one round of a case ends."""
BLOCKS_IF_CLEAR, CLEAR_FACTOR = 2, 1.25
"""Blocks after which it ends if one side was faster in each of them by more than this factor."""
FAMILIES_A_ROUND = 1
"""Other families of inputs that the launches of a case see in a round: a twelfth of the time of slow ones."""
MOST_ANEW = 4
"""Maximum number of launches of a case in a round on data drawn for them alone: one, and more while they are slow."""
UNEXPLAINED_SECONDS = 0.1e-3
"""Seconds of a batch that one side's events may leave out beyond what the other's do, in the mean over a comparison.

An improvement has to exceed this part of the shortest batch. (Honest kernels on an H200: 0.05e-3.)
"""
ALIKE, APART = 1.5, {"cpu": (1.35, 1.35), "cuda": (1.15, 1.35)}
"""APART: factor by which one side may be slower beside the other than alone, relative to the other side's factor; the
first value if their times lie within a factor of ALIKE, else the second. (Kernels of different power share the clock of
a GPU at its limit.)
"""
MOST_ALONE = 3
"""Times that both sides are measured by themselves again before one that seems slower beside the other is refused."""
COLD_SPEED = {"cpu": 20.0, "cuda": math.inf}
"""GB/s at which a launch reloads, beyond its time alone, the data that the other side displaced from caches.

(A matrix of 2 MB: 0.11 ms alone, 0.12 to 0.21 ms beside another process.)
"""

_random = random.SystemRandom()


@dataclass
class Side:
    """One side of a comparison, over all rounds."""

    build: Build
    incumbent: bool
    alone: Mapping[str, float]
    """Seconds of a launch by case, measured without the other side; the lower quartile."""
    decided: dict[str, float] = field(default_factory=dict)
    """Seconds of a launch by case, before the other side was loaded."""
    fastest: dict[str, Fastest] = field(default_factory=dict)
    """Case -> its fastest group of launches."""
    rounds: list[dict[str, float]] = field(default_factory=list)
    """Seconds of a launch by case in each round; the lower quartile of its turns."""
    anew: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds of launches by case on data of which nothing can have been kept."""
    unexplained: list[float] = field(default_factory=list)
    """Seconds of each batch that its events leave out."""

    def blamed(self) -> contextlib.AbstractContextManager[None]:
        """Return a context whose faults are this side's: Rejected for the candidate, Unfit for the incumbent."""
        return unfit() if self.incumbent else contextlib.nullcontext()

    def unsupported(self, case: str) -> float:
        """Return the factor, 1 at least, by which it was faster than launches on data drawn for them alone support."""
        usual = statistics.median(ran[case] for ran in self.rounds)
        return max(1.0, min(self.anew[case], default=0.0) / (KEPT * usual))

    def play(self, player: Player, lot: Lot) -> tuple[list[float], bool]:
        """Run one batch as `Player.play` does, and remember what launches on data drawn for them alone took."""
        with self.blamed():
            times, agrees = player.play(lot)
        if lot.anew is not None and agrees:
            self.anew[player.case.id].append(times[lot.anew])
        return times, agrees


def compare(judge: Judge, incumbent: Build, candidate: Build, alone: Sequence[Mapping[str, float]]) -> Comparison:
    """Compare two builds in one lease: both sit the exam, then take turns in blocks of A B B A or B A A B.

    Each half of a block has fresh inputs. alone: for each side, seconds of a launch by case, the lower quartile, as
    measured by itself on this device. Raises Rejected for a fault of the candidate in any launch, Unfit for one of the
    incumbent.
    """
    sides = (Side(incumbent, True, alone[INCUMBENT]), Side(candidate, False, alone[CANDIDATE]))
    cases, exam = judge.scenario.timed(judge.target), Exam(judge, keep=True)
    longest: dict[str, Row] = {}
    rounds: list[tuple[Ratios, Ratios]] = []
    samples: dict[str, list[tuple[float, ...]]] = {case.id: [] for case in cases}
    clocks: dict[str, list[Clocks]] = {case.id: [] for case in cases}
    shortest = math.inf
    while not enough(rounds, judge.device):
        speed, itself = {}, {}
        for side in sides:
            side.rounds.append({})
        with contextlib.ExitStack() as stack:
            loaded: dict[int, tuple[Loaded, Arena]] = {}
            for which in _drawn_order():
                loaded[which] = stack.enter_context(judge.load(sides[which].build, beside=1))
                if not rounds:
                    with sides[which].blamed():
                        examine(exam, *loaded[which])
                        _decide(judge, sides[which], loaded[which], exam, longest)
            exam.forget()
            for case in cases:
                players = [
                    Player(judge, *loaded[which], case, exam.parts[case.id], side.fastest.get(case.id, Fastest()))
                    for which, side in enumerate(sides)
                ]
                blocks, ran = _blocks(exam, sides, players, longest[case.id])
                shortest = min(shortest, min(map(min, blocks)) * longest[case.id].launches)
                times = np.array(blocks)  # [block, (a1, b1, b2, a2)]
                speed[case.id] = np.log((times[:, 0] + times[:, 3]) / (times[:, 1] + times[:, 2]))
                itself[case.id] = np.log(times[:, 0] / times[:, 3])
                samples[case.id] += [tuple(round(seconds * 1e3, 6) for seconds in block) for block in blocks]
                clocks[case.id] += ran
        rounds.append((speed, itself))
    _settle(judge, sides)
    # Of the candidate alone: other load that slowed the incumbent's few launches on such data is no improvement.
    taken_off = {case.id: math.log(sides[CANDIDATE].unsupported(case.id)) for case in cases}
    rounds = [({case: speed[case] - off for case, off in taken_off.items()}, itself) for speed, itself in rounds]
    least = UNEXPLAINED_SECONDS / shortest if judge.on_gpu else 0.0
    return replace(summary(rounds, max(LEAST_NOISE[judge.device], least)), samples_ms=samples, clocks=clocks)


def _drawn_order() -> tuple[int, int]:
    """Return the two sides in a drawn order."""
    first = secrets.randbelow(2)
    return first, 1 - first


def _decide(judge: Judge, side: Side, loaded: tuple[Loaded, Arena], exam: Exam, longest: dict[str, Row]) -> None:
    """Decide the length of the batches of each case, for both sides: that which the faster one needs."""
    for case in judge.scenario.timed(judge.target):
        player = Player(judge, *loaded, case, exam.parts[case.id])
        row, _, side.decided[case.id] = player.decide(exam.pool(case))
        side.fastest[case.id] = player.fastest
        longest[case.id] = max(row, longest.get(case.id, row), key=lambda one: one.launches)


def _blocks(
    exam: Exam, sides: Sequence[Side], players: Sequence[Player], row: Row
) -> tuple[list[tuple[float, ...]], list[Clocks]]:
    """Return the seconds of a launch in blocks of four turns, and the GPU's clocks after each block.

    A block is (incumbent, candidate, candidate, incumbent), in whatever order they were taken. A turn is the mean of a
    batch of launches, as many for either side, on the same inputs in each half of a block.
    """
    judge, case = exam.judge, players[INCUMBENT].case
    pool = exam.pool(case)
    used = None if judge.on_gpu else max(2, row.launches)
    first = Lot([pool.fresh() for _ in range(used or 1)], 1)
    for which in _drawn_order():  # a first launch in a process pays for pages and caches; it is not counted
        players[which].slots = players[which].slots[:used]
        sides[which].play(players[which], first)
    blocks: list[tuple[float, ...]] = []
    clocks: list[Clocks] = []
    spent, least = 0.0, LEAST_BLOCKS[judge.device]
    families = [*other_families(judge, case)[:FAMILIES_A_ROUND], case.inputs]
    halves = dict(zip(_random.sample(range(2 * least), len(families)), families, strict=True))
    while not _suffice(judge.device, blocks, row.launches, spent):
        turns: tuple[list[float], list[float]] = ([], [])
        agreed, order = True, _drawn_order()
        for turn, which in enumerate((*order, *reversed(order))):
            if turn in (0, 2):  # each side sees data once: a result that was kept is of no use
                lots = players[which].lots(row, pool, halves.get(2 * len(blocks) + turn // 2, ""))
            for lot in lots:
                times, agrees = sides[which].play(players[which], lot)
                agreed = agreed and agrees
                if counted := lot.counted(times):
                    turns[which].append(statistics.fmean(counted))
        if agreed:
            ours, theirs = turns
            blocks.append((ours[0], theirs[0], theirs[1], ours[1]))
            clocks += judge.clocks()
            spent += sum(ours + theirs) * row.launches
    for family in (name for half, name in halves.items() if half // 2 >= len(blocks)):  # it was clear before
        lots = players[INCUMBENT].lots(row, pool, family, enough=True)
        for which in _drawn_order():
            for lot in lots:
                sides[which].play(players[which], lot)
    for side, player, places in zip(sides, players, ((0, 3), (1, 2)), strict=True):
        side.fastest[case.id] = player.fastest
        side.unexplained += player.candidate.unexplained()
        side.rounds[-1][case.id] = low([block[place] for block in blocks for place in places])
    for _ in range(MOST_ANEW - 1):  # other load may have slowed the few so far
        if all(side.unsupported(case.id) == 1 for side in sides):
            break
        (lot,) = players[INCUMBENT].lots(row, pool, case.inputs)
        for which in _drawn_order():
            sides[which].play(players[which], lot)
    return blocks, clocks


def _suffice(device: str, blocks: Sequence[tuple[float, ...]], launches: int, spent: float) -> bool:
    """Return True if these blocks, of turns of `launches`, `spent` seconds together, are enough for a round."""
    if len(blocks) >= BLOCKS_IF_CLEAR:
        ratios = [(first + last) / (second + third) for first, second, third, last in blocks]
        if min(ratios) > CLEAR_FACTOR or max(ratios) < 1 / CLEAR_FACTOR:
            return True
    most = len(blocks) * launches >= MOST_BLOCKS[device]
    return len(blocks) >= LEAST_BLOCKS[device] and (most or spent >= SECONDS_PER_CASE)


def _settle(judge: Judge, sides: Sequence[Side]) -> None:
    """Check what is known of each side only at the end. Raises Rejected or Unfit."""
    cold = _cold(judge)
    for side in sides:
        with side.blamed():
            for case in judge.scenario.timed(judge.target):
                side.fastest[case.id].check(judge, case)
                least = min(taken[case.id] for taken in side.rounds)
                if least > SLOWER * side.decided[case.id] + cold[case.id]:
                    took = f"{least * 1e3:.3f} ms in case {case.id}, {side.decided[case.id] * 1e3:.3f} ms before"
                    raise Rejected(Status.TIMING_MISMATCH, f"a launch takes {took} it was compared")
    left_out = [statistics.fmean(side.unexplained) for side in sides]
    for side, here, there in zip(sides, left_out, reversed(left_out), strict=True):
        if here > there + UNEXPLAINED_SECONDS:
            with side.blamed():
                told = f"its events leave out {here * 1e3:.3f} ms of a row; the other's leave out {there * 1e3:.3f} ms"
                raise Rejected(Status.TIMING_MISMATCH, told)
    alone: Sequence[Mapping[str, float]] = [side.alone for side in sides]
    for number in range(MOST_ALONE):
        if _odd(judge, sides, alone) is None:
            return
        again = [_by_itself(judge, side) for side in sides]
        # The first ones may be another device's by now. Of later ones the quickest: the others may have been disturbed,
        # and who sabotages itself may do so at times alone, too.
        alone = again if not number else [
            {case: min(taken, now[case]) for case, taken in before.items()}
            for before, now in zip(alone, again, strict=True)
        ]  # fmt: skip
    if (found := _odd(judge, sides, alone)) is not None:
        side, here, there = sides[found[0]], *found[1:]
        with side.blamed():
            told = f"takes {here:.2f} times as long beside the other as by itself, the other {there:.2f} times"
            raise Rejected(Status.TIMING_MISMATCH, told)


def _odd(judge: Judge, sides: Sequence[Side], alone: Sequence[Mapping[str, float]]) -> tuple[int, float, float] | None:
    """Return the side that takes longer, or less long, than by itself by more than APART beyond the other side; its
    factor and the other side's. None if there is none.

    It has to show in both halves of the rounds, as an improvement has to: one round may have been disturbed.
    """
    cold = _cold(judge)
    found: list[tuple[int, float, float] | None] = []
    for rounds in zip(*(side.rounds for side in sides), strict=True):
        pairs = list(zip(rounds, alone, strict=True))
        factors = [geomean([taken / by[case] for case, taken in ran.items()]) for ran, by in pairs]
        least = [
            geomean([min(taken / by[case], max((taken - cold[case]) / by[case], 1.0)) for case, taken in ran.items()])
            for ran, by in pairs
        ]
        ratio = geomean([rounds[INCUMBENT][case] / taken for case, taken in rounds[CANDIDATE].items()])
        most = APART[judge.device][not 1 / ALIKE <= ratio <= ALIKE]
        which = 0 if abs(math.log(factors[0])) > abs(math.log(factors[1])) else 1
        apart = max(least[0] / factors[1], least[1] / factors[0]) > most
        found.append((which, factors[which], factors[1 - which]) if apart else None)
    halves = [{entry[0] for entry in found[start::2] if entry} for start in (0, 1)]
    both = halves[0] & halves[1]
    return next((entry for entry in found if entry and entry[0] in both), None)


def _cold(judge: Judge) -> dict[str, float]:
    """Return by case the seconds that a launch may take longer because caches hold less of its data."""
    speed = COLD_SPEED[judge.device]
    return {case.id: judge.scenario.work_of("GB/s", case) / speed for case in judge.scenario.timed(judge.target)}


def _by_itself(judge: Judge, side: Side) -> dict[str, float]:
    """Return the seconds of a launch by case, the lower quartile, measured in the way of an evaluation."""
    with side.blamed():
        return usual_seconds(judged(judge, side.build)[0])
