"""Timing of one case: rows of launches on new data, all of which are checked, and how long one takes."""

from __future__ import annotations

import math
import secrets
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from avo.scenarios.loader import Case
from avo.tools.launch.arena import Arena, Slot
from avo.tools.launch.launcher import Loaded
from avo.tools.reference.check import Tensors, error_ratio
from avo.tools.reference.parts import Parts
from avo.tools.reference.refresh import Pool
from avo.tools.score.batches import DECIDING, LEAST_SAMPLES, Row, enough, expected_rows, longer_row
from avo.types import Clocks

if TYPE_CHECKING:
    from avo.tools.score.judge import Judge

ROWS = 6
"""Of a case on a GPU."""
SETS = 3
"""Input sets that are drawn for the launches of a case; each launch gets a mixture of two of them."""
MOST_FAMILIES = 4
"""Other families of inputs that the launches of a case see, where the case does not name its own."""
PARTS_OF_OTHERS = 3
"""More parts of a launch on another family that are checked."""
MOST_WHOLE = {"cpu": 4, "cuda": 2}
"""Launches of a row that decides how long rows are: so many are checked whole."""
SLOWER = 2.0
"""Times what a launch of the deciding row took: the quickest of the others may not take longer."""
ANEW, MOST_ANEW = 2, 8
"""Rows of a case with launches on data that is drawn for them alone: where one of a few drawn values stands at each
place, an order or a largest one could be kept. While they are slow there are more of them, up to the most, for a
neighbour on the machine slows some and not all.
"""
KEPT, KEPT_AT_BEST = 1.15, 1.6
"""How many times as long as the median and the quickest of all launches the quickest of those may take. (Kernels that
keep nothing, on two busy cores: 1.05 and 1.4 at most in all but one of a hundred.)
"""
_random = secrets.SystemRandom()


@dataclass(frozen=True)
class Lot:
    """The inputs of a row: of one family, but for one group that may be of another and does not count."""

    sets: Sequence[Tensors]
    group: int
    other: int | None = None
    """Which group is of another family."""
    anew: int | None = None
    """Which group is of the same family, but of data that was drawn for it alone."""

    def counted(self, times: Sequence[float]) -> list[float]:
        """The times of the groups that count."""
        return [seconds for place, seconds in enumerate(times) if place != self.other]


@dataclass(frozen=True)
class Fastest:
    """The fastest group of launches that counted so far."""

    seconds: float = math.inf
    launches: Sequence[tuple[Tensors, Tensors]] = ()
    """Inputs and outputs of those that are yet to be checked whole."""

    def check(self, judge: Judge, case: Case) -> float:
        """The worst error ratio. Raises Rejected."""
        return max((error_ratio(judge.scenario, case, *launch) for launch in self.launches), default=0.0)


@dataclass(frozen=True)
class Timing:
    """The launches of one case."""

    samples: list[float]
    """Seconds of each launch, or of one in the mean of a group, in order."""
    first: int
    """How many of them, from the first on, are of the row by whose time the length of the others was decided."""
    rows: list[float]
    """Seconds of a launch in the mean of its row, by row: a sum is what the judge's clock confirms."""
    decided: float
    """Seconds of a launch in the row by whose time the length of the others was decided."""
    worst: float
    """Worst error ratio of the launches that were checked whole."""
    families: Mapping[str, float]
    """By other family of inputs: seconds of a launch."""
    anew: list[float]
    """Seconds of launches on data of which no launch before saw a single value."""
    clocks: list[Clocks]
    """Of a GPU, after each row."""
    row: Row

    @property
    def noise(self) -> float:
        return statistics.median(self.samples) / min(self.samples)

    @property
    def slowed(self) -> bool:
        """Whether launches took much longer once it was decided how many there are."""
        return min(self.samples[self.first :]) > SLOWER * self.decided

    @property
    def kept(self) -> bool:
        """Whether launches take longer on data of which nothing can have been kept."""
        return slower(self.anew, self.samples)


@dataclass
class Player:
    """One candidate on one case: plays lots, of which every launch is checked."""

    judge: Judge
    candidate: Loaded
    arena: Arena
    case: Case
    parts: Parts
    fastest: Fastest = field(default_factory=Fastest)

    def __post_init__(self) -> None:
        self.slots = self.arena.slots(self.case, self.candidate.base)

    def play(self, lot: Lot, *, whole: bool = False) -> tuple[list[float], bool]:
        """Seconds of a launch in the mean of each group, and whether the clocks agree on them.

        Every launch is checked in part, or `whole`; of what counts the fastest group is kept. Raises Rejected.
        """
        first = secrets.randbelow(len(self.slots) - len(lot.sets) + 1)
        used = self.slots[first : first + len(lot.sets)]
        times = self.judge.launch(self.candidate, self.arena, used, lot.sets, group=lot.group)
        best = min(lot.counted(times), default=math.inf)
        kept = range(0)
        if whole:
            kept = range(len(used))
        elif best < self.fastest.seconds:
            place = next(place for place, seconds in enumerate(times) if seconds == best and place != lot.other)
            kept = range(place * lot.group, (place + 1) * lot.group)
        outputs = self.arena.take(used, lot.sets, kept)
        if whole:
            for index, inputs in enumerate(lot.sets):
                error_ratio(self.judge.scenario, self.case, inputs, outputs[index])
        else:
            self._check(lot, used)
        agrees = self.candidate.agrees()
        if agrees and best < self.fastest.seconds:
            launches = [] if whole else [(lot.sets[index], outputs[index]) for index in kept]
            self.fastest = Fastest(best, launches)
        return times, agrees

    def _check(self, lot: Lot, used: Sequence[Slot]) -> None:
        """A part of each launch, and more of those that are of another family."""
        launches = [(self.arena.given(slot), self.arena.written(slot)) for slot in used]
        self.parts.check(launches)
        if lot.other is not None:
            foreign = launches[lot.other * lot.group :][: lot.group]
            self.parts.check(foreign, PARTS_OF_OTHERS)

    def decide(self, pool: Pool) -> tuple[Row, list[float], float]:
        """How long rows are to be, the times of the first of them, and the seconds of a launch that decided it.

        What decides is checked whole.
        """
        judge, row, decided = self.judge, Row(DECIDING[self.judge.device]), math.inf
        # On a GPU a row leaves room for a group on another family of inputs: see `lots`.
        most = len(self.slots) - (max(1, len(self.slots) // 16) if judge.on_gpu else 0)
        while True:
            lot = Lot([pool.fresh() for _ in range(row.launches)], row.group)
            times, agrees = self.play(lot, whole=row.launches <= MOST_WHOLE[judge.device])
            if not agrees:
                continue
            decided = min(decided, statistics.mean(times))
            longer = longer_row(row, sum(times) * row.group, most, judge.device)
            if longer is None:
                return row, times, decided
            row = longer

    def lots(self, row: Row, pool: Pool, family: str = "", *, enough: bool = False) -> list[Lot]:
        """A row of launches, one group of which is drawn for itself, of a family, if one is named.

        A group of another family does not count. Where there is no room for it, and on the CPU, where groups are asked
        for one by one anyway, it is a lot of its own, before the row or behind it; the only one where rows are enough.
        """
        judge, foreign = self.judge, family not in ("", self.case.inputs)
        own = [] if foreign and enough and not judge.on_gpu else [pool.fresh() for _ in range(row.launches)]
        if not family:
            return [Lot(own, row.group)]
        case = self.case.model_copy(update={"inputs": family})
        if row.group == 1:
            group = [judge.draw(case)]
        else:
            mixed = judge.pool(case, 2)
            group = [*mixed.sets, *(mixed.fresh() for _ in range(row.group - 2))]
        groups = row.launches // row.group
        if not foreign:
            place = secrets.randbelow(groups)
            own[place * row.group : (place + 1) * row.group] = group
            return [Lot(own, row.group, anew=place)]
        if judge.on_gpu and row.launches + row.group <= len(self.slots):
            place = secrets.randbelow(groups + 1)
            return [Lot([*own[: place * row.group], *group, *own[place * row.group :]], row.group, place)]
        both = [Lot(own, row.group), Lot(group, row.group, 0)]
        return _random.sample(both, 2) if own else both[1:]


def other_families(judge: Judge, case: Case) -> list[str]:
    """Families beside the case's own whose inputs its launches see too, in an order that nobody can foresee.

    All that the case names itself, else MOST_FAMILIES of those of the tests.
    """
    others = judge.scenario.families(case)[1:]
    return _random.sample(others, len(others) if case.families is not None else min(MOST_FAMILIES, len(others)))


def time_case(judge: Judge, side: tuple[Loaded, Arena], case: Case, parts: Parts) -> Timing:
    """Rows on the case's own family count; among them are launches on others. Raises Rejected."""
    started = time.monotonic()
    player, pool = Player(judge, *side, case, parts), judge.pool(case, SETS)
    row, times, decided = player.decide(pool)
    first = len(times)
    samples, rows, clocks = list(times), [statistics.mean(times)], judge.clocks()
    families, anew = dict[str, float](), list[float]()
    spent, count = sum(times) * row.group, ROWS if judge.on_gpu else expected_rows(decided, row)
    waiting = [(secrets.randbelow(count), name) for name in other_families(judge, case)]
    if count > LEAST_SAMPLES:
        waiting += [(secrets.randbelow(count), case.inputs) for _ in range(ANEW)]
    else:  # so few launches, each so slow, that one on data drawn anew has to do: the last of those that are needed
        waiting.insert(0, (count - 1, case.inputs))

    def more() -> bool:
        return len(rows) < ROWS if judge.on_gpu else not enough(spent, samples, row, time.monotonic() - started)

    while waiting or more():
        over = len(rows) >= count
        due = next((entry for entry in waiting if over or entry[0] <= len(rows)), (0, ""))
        for lot in player.lots(row, pool, due[1], enough=over):
            times, agrees = player.play(lot)
            if not agrees:
                continue
            if lot.other is not None:
                families[due[1]] = times[lot.other]
            if lot.anew is not None:
                anew.append(times[lot.anew])
            if (lot.other, lot.anew) != (None, None):
                waiting.remove(due)
            if counted := lot.counted(times):
                samples += counted
                spent += sum(counted) * row.group
                rows.append(statistics.mean(counted))
                clocks += judge.clocks()
        if not (waiting or more()) and len(anew) < MOST_ANEW and slower(anew, samples):
            waiting.append((0, case.inputs))
    # Dropped: in the mean of six rows two honest kernels differ by 0.3 ms here, in that of a comparison by 0.05.
    player.candidate.unexplained()
    return Timing(samples, first, rows, decided, player.fastest.check(judge, case), families, anew, clocks, row)


def slower(anew: Sequence[float], samples: Sequence[float]) -> bool:
    """Whether launches on data of which nothing can have been kept take longer than the others, all of them."""
    return min(anew) > min(KEPT * statistics.median(samples), KEPT_AT_BEST * min(samples))
