"""The judge: draws the inputs, holds the clock and the expected values, and decides."""

from __future__ import annotations

import contextlib
import math
import secrets
import statistics
import sys
import time
from collections.abc import Iterator, Sequence

import torch

from avo.installation import how_to_install
from avo.scenarios.loader import Case, Scenario, family, shape_of
from avo.tools.build.builder import Build
from avo.tools.build.compilers import compiler_of, runtime_library
from avo.tools.devices.gpu import clocks, identities, require_answer
from avo.tools.devices.roofline import peak
from avo.tools.launch.arena import Arena, Slot, slot_bytes
from avo.tools.launch.buffers import Buffer, DeviceBuffer, HostBuffer
from avo.tools.launch.cuda_runner import MOST_LAUNCHES
from avo.tools.launch.launcher import Loaded, load
from avo.tools.launch.mixed import Masks
from avo.tools.reference.inputs import Tensors, drawn
from avo.tools.reference.memory import require_memory
from avo.tools.reference.refresh import Pool
from avo.tools.reference.steady import require_steady
from avo.tools.score.exam import Exam, examine
from avo.tools.score.timing import Timing, time_case
from avo.types import CaseScore, Clocks, Missing, Rejected, Status

LEAST_SETS, MOST_SETS = 8, {"cpu": 4, "cuda": MOST_LAUNCHES}
"""Number of sets of buffers that launches rotate through, so that no launch sees the addresses of the one before. On
the CPU, more would fill the caches that are shared with other cores; a GPU has LEAST_SETS at least.
"""
SETS_MEMORY = 0.3
"""Part of a GPU's memory that one candidate's buffers may take. A memory-bound kernel reads all of it in some 10 ms."""
MOST_MEMORY = 0.5
"""Part of a GPU's memory that the buffers of all loaded candidates may take together."""
LEAST_FREE = 0.2
"""Part of a GPU's memory that stays free beside the buffers, unless somebody else uses the GPU."""
BEYOND_CACHES = 1.0
"""GB that a batch has to read and write for the speed of memory, not of caches, to be its limit."""
NOISY = 1.3
"""median / min of a case above which it is measured again."""
ROUNDS, ROUNDS_IF_ODD = 3, 6
"""Maximum number of measurements of a noisy case, and of one of which none is valid so far: other load on the machine
makes some invalid, but what a candidate does each time makes all of them so, and only valid ones count.
"""
PAUSE_SECONDS = 0.25
"""Seconds before the second measurement of a case none of which is valid so far; doubled before each further one."""

# Baselines on the CPU are timed by the clock of this thread, and have one core, as candidates do.
torch.set_num_threads(1)
sys.setswitchinterval(1e-4)
"""The judges of other GPUs are threads: at Python's 5e-3 s the clock of one would wait for them."""


class Judge:
    """Judges candidates of one scenario on one target. Not thread-safe."""

    def __init__(self, scenario: Scenario, target: str, index: int = 0) -> None:
        """Check that the scenario fits into memory and is deterministic. Raises ScenarioError or Missing.

        index: number of the GPU.
        """
        self.scenario, self.target, self.index = scenario, target, index
        self.settings = scenario.target(target)
        self._spent: dict[str, float] = {}
        """Case -> seconds spent on checking and timing the current candidate."""
        self._unfreed: list[Buffer] = []
        self.on_gpu = family(target) == "cuda"
        self.device = "cuda" if self.on_gpu else "cpu"
        self.identity = identities()[index] if self.on_gpu else ""
        inputs = [tensor for tensor in scenario.tensors if tensor.role == "in"]
        largest = max((math.prod(shape_of(t, c)) for t in inputs for c in scenario.timed(target)), default=1)
        with self.on_device():
            require_memory(scenario, target, self.device)
            require_steady(scenario, target, self.device)
            self._masks = Masks(largest, self.device)

    def on_device(self) -> contextlib.AbstractContextManager[object]:
        """Return a context in which this judge's GPU is the current one."""
        return torch.cuda.device(self.index) if self.on_gpu else contextlib.nullcontext()

    @contextlib.contextmanager
    def load(self, build: Build, beside: int = 0) -> Iterator[tuple[Loaded, Arena]]:
        """Yield a candidate in its runner, and the arena that both sides see. Raises Missing when it broke the GPU.

        beside: number of other candidates that are loaded at the same time.
        """
        kind = DeviceBuffer if self.on_gpu else HostBuffer
        cases = (*self.scenario.timed(self.target), *self.scenario.checked(self.target))
        cudart = runtime_library(compiler_of(self.target))
        if self.on_gpu and not cudart:
            raise Missing(f"no libcudart.so beside nvcc: install a CUDA toolkit, or: {how_to_install('nvcc')}")
        self._free()
        arena = Arena(self.scenario, cases, kind, self._sets(cases, beside), MOST_SETS[self.device])
        try:
            with load(build.library, arena.buffer, self.settings.launch_seconds, cudart) as candidate:
                yield candidate, arena
        except torch.OutOfMemoryError as error:
            free, total = torch.cuda.mem_get_info(self.index)
            if free < LEAST_FREE * total:
                raise  # the candidate has ended, and what is missing is so still
            raise Rejected(Status.RUNTIME_ERROR, "the GPU ran out of memory while this candidate was loaded") from error
        finally:
            self._unfreed.append(arena.buffer)
            self._free()

    def _free(self) -> None:
        """Free the buffers of candidates that have ended. Raises Missing when one of them broke the GPU.

        Freeing memory of a GPU that hangs would hang as well, so the next call tries again.
        """
        if self.on_gpu and self._unfreed:
            require_answer(self.index)
        while self._unfreed:
            self._unfreed.pop().close()

    def _sets(self, cases: Sequence[Case], beside: int) -> int:
        """Return how many sets of buffers for the largest case fit: the same for every candidate."""
        if not self.on_gpu:
            return MOST_SETS["cpu"]
        part = min(SETS_MEMORY, MOST_MEMORY / (beside + 1))
        memory = torch.cuda.get_device_properties(self.index).total_memory * part
        return max(LEAST_SETS, min(MOST_SETS["cuda"], int(memory / slot_bytes(self.scenario, cases))))

    @contextlib.contextmanager
    def counted(self, case: Case) -> Iterator[None]:
        """Add the time of the block to the cost of the case."""
        started = time.monotonic()
        yield
        self._spent[case.id] = self._spent.get(case.id, 0.0) + time.monotonic() - started

    def check(self, candidate: Loaded, arena: Arena) -> Exam:
        """Examine a candidate on every test and every timed case. Raises Rejected."""
        self._spent = {}
        exam = Exam(self)
        examine(exam, candidate, arena)
        return exam

    def time(self, candidate: Loaded, arena: Arena, exam: Exam) -> list[CaseScore]:
        """Return the score of every timed case. Raises Rejected for a wrong or impossibly fast timed launch."""
        scores = []
        for case in self.scenario.timed(self.target):
            with self.counted(case):
                rounds = [time_case(exam, (candidate, arena), case)]
                while _doubtful(rounds[-1]):
                    any_valid = any(timing.valid for timing in rounds)
                    if len(rounds) >= (ROUNDS if any_valid else ROUNDS_IF_ODD):
                        break
                    if not any_valid:
                        time.sleep(PAUSE_SECONDS * 2 ** (len(rounds) - 1))
                    rounds.append(time_case(exam, (candidate, arena), case))
                valid = [timing for timing in rounds if timing.valid]
                if not valid:
                    raise _mismatch(case, rounds[-1])
                best = min(valid, key=lambda timing: timing.noise)
                supported = min(timing.supported for timing in rounds)
                worst = max(exam.ratios[case.id], *(timing.worst for timing in rounds))
            scores.append(self._score(case, best, supported, worst))
        return scores

    def clocks(self) -> list[Clocks]:
        """Return the GPU's present clocks as a list of one; empty on the CPU, and where NVML reports none."""
        now = clocks(self.identity) if self.on_gpu else None
        return [now] if now else []

    def _score(self, case: Case, timing: Timing, supported: float, worst: float) -> CaseScore:
        shortest = min(timing.samples)
        taken = max(statistics.median(timing.rows) if self.on_gpu else shortest, supported)
        value = self.scenario.work_of(self.settings.unit, case) / taken
        most = peak(self.settings.unit, self.target)
        through_memory = self.scenario.work_of("GB/s", case) * timing.row.launches > BEYOND_CACHES
        if most and value > most and (self.settings.unit != "GB/s" or through_memory):
            what = self.target if self.on_gpu else "one core"
            reason = f"{value:.4g} {self.settings.unit} in case {case.id}; {what} can do at most {most:.4g}"
            raise Rejected(Status.ABOVE_ROOFLINE, reason)
        return CaseScore(
            case.id, value, statistics.median(timing.samples) * 1e3, shortest * 1e3, timing.noise, worst,
            tuple(round(sample * 1e3, 6) for sample in timing.samples), tuple(timing.clocks),
            round(self._spent[case.id], 3),
            {name: seconds / taken for name, seconds in timing.families.items()},
        )  # fmt: skip

    def launch(
        self, candidate: Loaded, arena: Arena, slots: Sequence[Slot], sets: Sequence[Tensors], *,
        group: int = 1, timed: bool = True,
    ) -> list[float]:  # fmt: skip
        """Prepare the slots with the inputs `sets`, and launch once on each; return the seconds of a launch.

        They are the mean of each `group`. Raises Rejected. The results are checked by `arena.take`.
        """
        arena.prepare(slots, sets)
        self._wait()
        try:
            arguments = [slot.arguments for slot in slots]
            return candidate.launch(arguments, timed=timed, group=group, fences=slots[0].fences)
        except Rejected as rejected:
            raise Rejected(rejected.status, f"{rejected.reason} (case {slots[0].case.label})") from None

    def launch_once(self, candidate: Loaded, arena: Arena, slot: Slot, inputs: Tensors) -> Tensors:
        """Return the outputs by name of one launch that is not timed. Raises Rejected."""
        self.launch(candidate, arena, [slot], [inputs], timed=False)
        return arena.take([slot], [inputs], {0})[0]

    def draw(self, case: Case) -> Tensors:
        """Return inputs of the case by name, drawn with a secret seed. Raises ScenarioError."""
        return drawn(self.scenario, case, secrets.randbits(62), self.device)

    def _wait(self) -> None:
        """Wait until the GPU has finished the work of this process."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def pool(self, case: Case, count: int, *sets: Tensors) -> Pool:
        """Return a pool of `count` drawn sets, two at least, from which the inputs of launches are made.

        sets: drawn ones that are among them.
        """
        drawn_now = [self.draw(case) for _ in range(count - len(sets))]
        return Pool(self.scenario, case, [*sets, *drawn_now], self._masks)


def _doubtful(timing: Timing) -> bool:
    return timing.noise > NOISY or not timing.valid or timing.supported > min(timing.samples)


def _mismatch(case: Case, timing: Timing) -> Rejected:
    """Return the rejection of a candidate none of whose rounds is a valid measurement of the case."""
    if timing.slowed:
        took, decided = min(timing.samples[timing.first :]) * 1e3, timing.decided * 1e3
        told = f"a launch takes {took:.3f} ms in case {case.id}, {decided:.3f} ms while it is decided"
        return Rejected(Status.TIMING_MISMATCH, f"{told} how many are timed as one")
    seen, best, anew = (
        seconds * 1e3 for seconds in (statistics.median(timing.samples), min(timing.samples), min(timing.anew))
    )
    told = (
        f"a launch takes {seen:.3f} ms in case {case.id} and {best:.3f} ms at best, but {anew:.3f} ms at best on data "
        "that it saw nothing of before"
    )
    return Rejected(Status.TIMING_MISMATCH, told)


def judged(judge: Judge, build: Build) -> tuple[list[CaseScore], dict[str, float]]:
    """Check and time one build; return its scores, and the seconds by phase (check, time, kernel). Raises Rejected."""
    with judge.load(build) as (candidate, arena):
        started = time.monotonic()
        exam = judge.check(candidate, arena)
        checked = time.monotonic()
        scores = judge.time(candidate, arena, exam)
        ended = time.monotonic()
        cost = {"check": checked - started, "time": ended - checked, "kernel": candidate.kernel_seconds}
        return scores, cost
