"""Timing of one case: batches of launches on new data, each of which is checked."""

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
    from avo.tools.score.exam import Exam
    from avo.tools.score.judge import Judge

ROWS = 6
"""Batches of a case on a GPU."""
MOST_FAMILIES = 4
"""Maximum number of other families of inputs that the launches of a case see, if the case names none itself."""
SLOW_SECONDS, FAMILIES_IF_SLOW = 0.05, 2
"""Seconds on the CPU of a launch, or of drawing its inputs, above which it sees fewer of them in one evaluation, drawn
anew for each.
"""
PARTS_OF_OTHERS = 3
"""Additional parts that are checked of a launch on another family."""
MOST_WHOLE = {"cpu": 4, "cuda": 2}
"""Largest batch, of those that decide the length of batches, whose launches are all checked whole."""
SLOWER = 2.0
"""Factor over the time of a launch in the deciding batch that the quickest of the later launches may take."""
ANEW, MOST_ANEW = 2, 8
"""Batches of a case with launches on data drawn for them alone: elsewhere each position holds one of a few drawn
values, so that an order or a maximum could be kept. ANEW of them are timed, or one where drawing is slow; more while
they are slow, up to MOST_ANEW, because other load on the machine slows some but not all.
"""
KEPT, KEPT_AT_BEST = 1.15, 1.6
"""Factor over the median, and over the quickest, of all launches that the quickest of those may take. (Kernels that
keep nothing, on two busy cores: at most 1.05 and 1.4 in all but one of a hundred.)
"""
_random = secrets.SystemRandom()


@dataclass(frozen=True)
class Lot:
    """The inputs of a batch: of one family, except for one group that may be of another and does not count."""

    sets: Sequence[Tensors]
    """Inputs of each launch."""
    group: int
    """Launches that are timed as one."""
    other: int | None = None
    """Index of the group that is of another family."""
    anew: int | None = None
    """Index of the group that is of the same family but drawn for it alone."""

    def counted(self, times: Sequence[float]) -> list[float]:
        """Return the times of the groups that count."""
        return [seconds for place, seconds in enumerate(times) if place != self.other]


@dataclass(frozen=True)
class Fastest:
    """The fastest group of launches that counted so far."""

    seconds: float = math.inf
    """Seconds of a launch, the mean of the group."""
    launches: Sequence[tuple[Tensors, Tensors]] = ()
    """Inputs and outputs of its launches that have yet to be checked whole."""

    def check(self, judge: Judge, case: Case) -> float:
        """Check the launches whole; return the largest error ratio. Raises Rejected."""
        return max((error_ratio(judge.scenario, case, *launch) for launch in self.launches), default=0.0)


@dataclass(frozen=True)
class Timing:
    """The measured launches of one case."""

    samples: list[float]
    """Seconds of a launch, the mean of each group, in order."""
    first: int
    """Number of leading samples that belong to the batch that decided the length of the others."""
    rows: list[float]
    """Seconds of a launch, the mean of each batch: the judge's clock confirms the sum."""
    decided: float
    """Seconds of a launch in the batch that decided the length of the others."""
    worst: float
    """Largest error ratio of the launches that were checked whole."""
    families: Mapping[str, float]
    """Other family of inputs -> seconds of a launch."""
    anew: list[float]
    """Seconds of launches on data no value of which an earlier launch saw."""
    clocks: list[Clocks]
    """Clocks of the GPU after each batch; empty on the CPU."""
    row: Row
    """The batch that was repeated."""

    @property
    def noise(self) -> float:
        """median / min of the samples."""
        return statistics.median(self.samples) / min(self.samples)

    @property
    def slowed(self) -> bool:
        """True if launches took much longer once the length of batches was decided."""
        return min(self.samples[self.first :]) > SLOWER * self.decided

    @property
    def supported(self) -> float:
        """Seconds that a launch takes at least, by those on data of which nothing can have been kept."""
        return min(self.anew) / KEPT

    @property
    def kept(self) -> bool:
        """True if launches take longer on data of which nothing can have been kept."""
        return slower(self.anew, self.samples)

    @property
    def valid(self) -> bool:
        """True if this is a measurement of the case: it is neither slowed nor kept."""
        return not (self.slowed or self.kept)


@dataclass
class Player:
    """One candidate on one case: runs batches, of which every launch is checked."""

    judge: Judge
    candidate: Loaded
    arena: Arena
    case: Case
    parts: Parts
    fastest: Fastest = field(default_factory=Fastest)
    """The fastest group so far."""

    def __post_init__(self) -> None:
        self.slots = self.arena.slots(self.case, self.candidate.base)

    def play(self, lot: Lot, *, whole: bool = False) -> tuple[list[float], bool]:
        """Run one batch; return the seconds of a launch, the mean of each group, and True if the clocks agree on them.

        Every launch is checked in part, or `whole`; the fastest group that counts is remembered. Raises Rejected.
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
        """Check a part of each launch, and more of those that are of another family."""
        launches = list(zip(self.arena.given(used), self.arena.written(used), strict=True))
        self.parts.check(launches)
        if lot.other is not None:
            foreign = launches[lot.other * lot.group :][: lot.group]
            self.parts.check(foreign, PARTS_OF_OTHERS)

    def decide(self, pool: Pool) -> tuple[Row, list[float], float]:
        """Return the length of batches, the times of the first one, and the seconds of a launch that decided it.

        Small batches that decide are checked whole. Raises Rejected.
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
        """Return the inputs of a batch. One group is drawn for itself from `family`, if one is named.

        A group of another family does not count. If there is no room for it, and on the CPU, where groups are launched
        one by one anyway, it is a lot of its own, before or behind the batch; the only one if `enough` batches have
        been timed.
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
    """Return the families, other than the case's own, whose inputs its launches see, too, in an unpredictable order.

    All that the case names itself, else MOST_FAMILIES of those of the tests.
    """
    others = judge.scenario.families(case)[1:]
    return _random.sample(others, len(others) if case.families is not None else min(MOST_FAMILIES, len(others)))


def time_case(exam: Exam, side: tuple[Loaded, Arena], case: Case) -> Timing:
    """Time one case. Launches on its own family count; launches on others are among them. Raises Rejected."""
    judge, pool, started = exam.judge, exam.pool(case), time.monotonic()
    player = Player(judge, *side, case, exam.parts[case.id])
    row, times, decided = player.decide(pool)
    first = len(times)
    samples, rows, clocks = list(times), [statistics.mean(times)], judge.clocks()
    families, anew = dict[str, float](), list[float]()
    spent, count = sum(times) * row.group, ROWS if judge.on_gpu else expected_rows(decided, row)
    slow = max(decided, exam.drawing.get(case.id, 0.0)) > SLOW_SECONDS and not judge.on_gpu
    most = FAMILIES_IF_SLOW if slow and case.families is None else None
    waiting = [(secrets.randbelow(count), name) for name in other_families(judge, case)[:most]]
    if count > LEAST_SAMPLES:
        waiting += [(secrets.randbelow(count), case.inputs) for _ in range(1 if slow else ANEW)]
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
        # Other load may have slowed these few: what they do not support is taken off the score.
        if not (waiting or more()) and len(anew) < MOST_ANEW and min(anew) > KEPT * min(samples):
            waiting.append((0, case.inputs))
    # Dropped: in the mean of six rows two honest kernels differ by 0.3 ms here, in that of a comparison by 0.05.
    player.candidate.unexplained()
    return Timing(samples, first, rows, decided, player.fastest.check(judge, case), families, anew, clocks, row)


def slower(anew: Sequence[float], samples: Sequence[float]) -> bool:
    """Return True if all launches on data of which nothing can have been kept take longer than the others."""
    return min(anew) > min(KEPT * statistics.median(samples), KEPT_AT_BEST * min(samples))
