"""Candidates against baselines in one lease of the device: turns in an order that is balanced over them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from avo.scenarios.abi import ITEM_BYTES
from avo.scenarios.loader import Case, shape_of
from avo.tools.bench import paper
from avo.tools.build.builder import Build
from avo.tools.launch.arena import Arena, Slot
from avo.tools.launch.launcher import Loaded
from avo.tools.reference.check import Tensors, error_ratio, errors, expected
from avo.tools.reference.parts import Parts
from avo.tools.score.baselines import Absent, calls
from avo.tools.score.judge import Judge
from avo.types import AvoError, Clocks, Rejected

TURNS = {"cpu": 7, "cuda": 12}
"""Turns of each contestant on a case."""
ROW = {"cpu": 1, "cuda": 4}
"""Launches of a turn: one batch, each on inputs of its own."""
STAGES = {"cpu": 3, "cuda": 8}
"""Input sets that a baseline's turns rotate through, as a candidate's rotate through its buffers."""


@dataclass
class Record:
    """The measurements of one contestant."""

    name: str
    candidate: bool
    """False for a baseline."""
    seconds: dict[str, list[list[float]]] = field(default_factory=dict)
    """Case -> for each turn, seconds of each launch: CPU time, or time between two events."""
    errors: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Case -> largest |o - r| over the allowed error, and ||o - r|| / ||r||, at the case's full size."""
    paper: dict[str, list[float]] = field(default_factory=dict)
    """Case -> seconds of a launch by each measurement of the paper's protocol."""
    clocks: dict[str, list[Clocks]] = field(default_factory=dict)
    """Case -> clocks of the GPU after each turn."""


@dataclass(frozen=True)
class Contest:
    """The result: records of all contestants that took part to the end."""

    records: Sequence[Record]
    missing: Mapping[str, str]
    """Baseline that could not be measured -> reason."""
    rejected: Mapping[str, str]
    """Candidate that was rejected -> reason."""
    rotating_bytes: Mapping[str, int]
    """Case -> least bytes that one turn reads and writes."""
    l2_bytes: int
    """Size of the GPU's L2; 0 on the CPU."""


class Contestant(Protocol):
    """A candidate or a baseline that takes turns."""

    record: Record

    def start(self, case: Case, inputs: Tensors) -> Tensors:
        """Prepare for a case; return the outputs by name of a first launch, which is not timed."""
        ...

    def turn(self, sets: Sequence[Tensors], number: int) -> tuple[list[tuple[float, Tensors]], bool]:
        """Launch once on each of the sets; return seconds and outputs of each, and True if the clocks agree on them.

        number: of the turn, by which buffers are chosen.
        """
        ...

    def end(self) -> None:
        """Free what the case needed; called after its last turn."""
        ...

    def paper(self, case: Case) -> list[float]:
        """Return the seconds of a launch by each measurement of the paper's protocol."""
        ...


class Candidate:
    """A candidate in its runner."""

    def __init__(self, judge: Judge, name: str, loaded: Loaded, arena: Arena) -> None:
        self.record = Record(name, candidate=True)
        self._judge, self._loaded, self._arena = judge, loaded, arena
        self._slots: list[Slot] = []

    def start(self, case: Case, inputs: Tensors) -> Tensors:
        """Lay the arena out for the case; return the outputs of a launch that is not timed. Raises Rejected."""
        self._slots = self._arena.slots(case, self._loaded.base)
        return self._judge.launch_once(self._loaded, self._arena, self._slots[0], inputs)

    def turn(self, sets: Sequence[Tensors], number: int) -> tuple[list[tuple[float, Tensors]], bool]:
        """See `Contestant.turn`. Raises Rejected."""
        first = number % (len(self._slots) - len(sets) + 1)
        slots = self._slots[first : first + len(sets)]
        times = self._judge.launch(self._loaded, self._arena, slots, sets)
        outputs = self._arena.take(slots, sets, range(len(slots)))
        return [(seconds, outputs[index]) for index, seconds in enumerate(times)], self._loaded.agrees()

    def end(self) -> None:
        """Forget the times that the events of its batches left out."""
        self._loaded.unexplained()

    def paper(self, case: Case) -> list[float]:
        """See `Contestant.paper`. Raises Rejected."""
        return paper.of_candidate(self._judge, self._loaded, self._arena, case)


class Baseline:
    """A library, called in this process on buffers of its own."""

    def __init__(self, judge: Judge, name: str) -> None:
        self.record = Record(name, candidate=False)
        self._judge, self._stages = judge, list[Tensors]()
        self._case: Case | None = None

    def start(self, case: Case, inputs: Tensors) -> Tensors:
        """Allocate input buffers for the case; return the outputs of a call that is not timed. Raises Absent."""
        ((_, outputs),) = calls(self._judge, self.record.name, case, [inputs])
        self._case = case
        self._stages = [
            {name: torch.empty_like(tensor) for name, tensor in inputs.items()}
            for _ in range(STAGES[self._judge.device])
        ]
        return outputs

    def turn(self, sets: Sequence[Tensors], number: int) -> tuple[list[tuple[float, Tensors]], bool]:
        """See `Contestant.turn`; the clocks always agree. Raises Absent."""
        assert self._case
        first = number % (len(self._stages) - len(sets) + 1)
        stages = self._stages[first : first + len(sets)]
        for stage, inputs in zip(stages, sets, strict=True):
            for name, tensor in inputs.items():
                stage[name].copy_(tensor)
        return calls(self._judge, self.record.name, self._case, stages), True

    def end(self) -> None:
        """Free the input buffers."""
        self._stages = []

    def paper(self, case: Case) -> list[float]:
        """See `Contestant.paper`. Raises Absent."""
        return paper.of_baseline(self._judge, self.record.name, case)


def order(count: int, turn: int) -> list[int]:
    """Return the order of `count` contestants in a turn, a balanced Latin square by Williams (1949).

    Over `count` turns, or twice as many if `count` is odd, each contestant is equally often in each place, and equally
    often right behind each other one: a GPU at its power limit is slower for whoever follows one that heats it.
    """
    # On an H200 a kernel behind a slow one ran at 1905 MHz, behind a fast one at 1470 to 1620.
    zigzag = [(place + 1) // 2 * (1 if place % 2 else -1) for place in range(count)]
    mirrored = count % 2 and turn // count % 2
    return [(turn + step) % count for step in (reversed(zigzag) if mirrored else zigzag)]


def contest(
    judge: Judge, builds: Mapping[str, Build], baselines: Sequence[str], *, as_in_paper: bool = False
) -> Contest:
    """Measure these baselines, and every build by its name, which is checked in full before it takes part.

    Raises AvoError when the GPU's memory does not hold all of them at once, or for the paper's protocol on the CPU.
    """
    if as_in_paper and not judge.on_gpu:
        raise AvoError("the paper's protocol is one for GPUs")
    missing: dict[str, str] = {}
    rejected: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        playing: list[Contestant] = [Baseline(judge, name) for name in baselines]
        for name, build in builds.items():
            with _dropped(name, rejected, missing):
                loaded, arena = stack.enter_context(judge.load(build, beside=len(builds) - 1))
                judge.check(loaded, arena)
                playing.append(Candidate(judge, name, loaded, arena))
        cases = judge.scenario.timed(judge.target)
        for case in cases:
            try:
                playing = _play(judge, case, playing, rejected, missing)
            except torch.OutOfMemoryError as error:
                raise AvoError(
                    f"the GPU has too little memory for {len(builds)} candidates at a time: bench fewer"
                ) from error
        for case in cases if as_in_paper else ():
            for one in playing:
                with _dropped(one.record.name, rejected, missing):
                    one.record.paper[case.id] = one.paper(case)
    l2_bytes = torch.cuda.get_device_properties(judge.index).L2_cache_size if judge.on_gpu else 0
    left = [one.record for one in playing if one.record.name not in (missing | rejected)]
    return Contest(left, missing, rejected, {case.id: _rotating(judge, case) for case in cases}, l2_bytes)


def _play(
    judge: Judge, case: Case, playing: list[Contestant], rejected: dict[str, str], missing: dict[str, str]
) -> list[Contestant]:
    """Run all turns on one case; return the contestants that are left."""
    row = ROW[judge.device]
    pool = judge.pool(case, max(2, row))
    first = pool.sets[0]
    wanted = expected(judge.scenario, case, first)
    parts = Parts(judge.scenario, case, first, wanted)
    left = []
    for one in playing:
        with _dropped(one.record.name, rejected, missing):
            one.record.errors[case.id] = errors(judge.scenario, wanted, one.start(case, first))
            one.record.seconds[case.id], one.record.clocks[case.id] = [], []
            left.append(one)
    del wanted
    fastest: dict[str, tuple[float, Tensors, Tensors]] = {}
    turns = number = 0
    while left and turns < TURNS[judge.device]:
        sets = [pool.fresh() for _ in range(row)]
        played, all_agree = [], True
        for one in [left[index] for index in order(len(left), turns)]:
            with _dropped(one.record.name, rejected, missing):
                done, agree = one.turn(sets, number)
                if one.record.candidate:
                    parts.check([(inputs, outputs) for inputs, (_, outputs) in zip(sets, done, strict=True)])
                played.append((one.record, done, judge.clocks()))
                all_agree = all_agree and agree
        left = [one for one in left if one.record.name not in (rejected | missing)]
        number += 1
        if not all_agree:
            continue  # what is no measurement of one is none of any: they are compared by turns
        for record, done, clocks in played:
            record.seconds[case.id].append([seconds for seconds, _ in done])
            record.clocks[case.id] += clocks
            for inputs, (seconds, outputs) in zip(sets, done, strict=True):
                if record.candidate and seconds < fastest.get(record.name, (math.inf,))[0]:
                    fastest[record.name] = (seconds, inputs, outputs)
        turns += 1
    for one in left:
        with _dropped(one.record.name, rejected, missing):
            if one.record.candidate:
                error_ratio(judge.scenario, case, *fastest[one.record.name][1:])
            one.end()
    return [one for one in left if one.record.name not in (rejected | missing)]


@contextlib.contextmanager
def _dropped(name: str, rejected: dict[str, str], missing: dict[str, str]) -> Iterator[None]:
    """Drop whoever fails in the block, with the reason; the others go on."""
    try:
        yield
    except Rejected as error:
        rejected[name] = str(error)
    except Absent as error:
        missing[name] = str(error)


def _rotating(judge: Judge, case: Case) -> int:
    sizes = (
        math.prod(shape_of(t, case)) * ITEM_BYTES[t.dtype] for t in judge.scenario.tensors if t.role != "workspace"
    )
    return ROW[judge.device] * sum(sizes)
