"""The judge: draws the inputs, holds the clock and the expected values, and decides."""

from __future__ import annotations

import contextlib
import math
import secrets
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from avo.scenarios.loader import Case, Scenario, family, shape_of
from avo.tools.score.arena import Arena, Slot, slot_bytes
from avo.tools.score.buffers import DeviceBuffer, HostBuffer
from avo.tools.score.builder import Build
from avo.tools.score.check import Tensors, asked, error_ratio
from avo.tools.score.compilers import compiler_of, runtime_library
from avo.tools.score.gpu import clocks, identities, require_answer
from avo.tools.score.loaded import Loaded, load
from avo.tools.score.roofline import peak
from avo.types import AvoError, CaseScore, Clocks, Rejected, Status

CPU_SETS = 3
"""Buffers that launches rotate through: no launch sees the addresses of the one before."""
LEAST_SETS, MOST_SETS = 8, 32
"""On a GPU, which launches on many of them in a row."""
SETS_MEMORY = 0.12
"""Part of a GPU's memory that these may take."""
MOST_MEMORY = 0.5
"""Part of it that those of all candidates may take together."""
ROWS = 6
"""Of a case on a GPU."""
ROW_SECONDS = 20e-3
"""Least that a row of launches takes on a GPU: beside it, what the clocks may differ by is little."""
BASES = 4
"""Input sets that are drawn for the launches of a case; each launch gets one of them under fresh signs."""
SEEDS = 3
"""Secret input sets per timed case."""
LEAST_SAMPLES, MOST_SAMPLES = 3, 64
SECONDS_PER_CASE = 0.25
"""CPU time of launches that one timing goes on for."""
NOISY = 1.3
"""median / min above which a case is measured again."""
ROUNDS = 3
"""Times that a noisy case is measured at most."""

torch.set_num_threads(1)


@dataclass(frozen=True)
class Timing:
    """The launches of one case."""

    samples: list[float]
    """Seconds of each launch, in order."""
    rows: list[float]
    """Seconds of a launch in the mean of its row, by row: a sum is what the judge's clock confirms."""
    kept: list[tuple[Tensors, Tensors]]
    """Inputs and outputs of the fastest launch and of one drawn at random."""
    clocks: list[Clocks]
    """Of a GPU, after each row."""

    @property
    def noise(self) -> float:
        return statistics.median(self.samples) / min(self.samples)


class Judge:
    """Judges candidates of one scenario on one target. Not for several threads at a time."""

    def __init__(self, scenario: Scenario, target: str, index: int = 0) -> None:
        """`index`: which GPU."""
        self.scenario, self.target, self.index = scenario, target, index
        self.settings = scenario.target(target)
        self._spent: dict[str, float] = {}
        """Seconds that checking and timing the candidate under way has cost, by case."""
        self.on_gpu = family(target) == "cuda"
        self.device = "cuda" if self.on_gpu else "cpu"
        self.identity = identities()[index] if self.on_gpu else ""
        largest = max(math.prod(shape_of(t, c)) for t in scenario.tensors for c in scenario.timed(target))
        with self.on_device():
            generator = torch.Generator(self.device).manual_seed(secrets.randbits(62))
            drawn = torch.randint(0, 2, (2 * largest,), dtype=torch.int32, generator=generator, device=self.device)
            self._signs = {2: drawn.to(torch.int16) << 15, 4: drawn << 31}

    def on_device(self) -> contextlib.AbstractContextManager[object]:
        """Makes this judge's GPU the current one."""
        return torch.cuda.device(self.index) if self.on_gpu else contextlib.nullcontext()

    @contextlib.contextmanager
    def load(self, build: Build, beside: int = 0) -> Iterator[tuple[Loaded, Arena]]:
        """A candidate in its runner, and the buffers that both sides see. Raises Missing when it broke the GPU.

        beside: other candidates that are loaded meanwhile.
        """
        kind = DeviceBuffer if self.on_gpu else HostBuffer
        cases = (*self.scenario.timed(self.target), *self.scenario.checked(self.target))
        arena = Arena(self.scenario, cases, kind, self._sets(cases, beside))
        cudart = runtime_library(compiler_of(self.target))
        try:
            with load(build.library, arena.buffer, self.settings.launch_seconds, cudart) as candidate:
                yield candidate, arena
        except torch.cuda.OutOfMemoryError as error:
            raise Rejected(Status.RUNTIME_ERROR, "the GPU ran out of memory while this candidate was loaded") from error
        finally:
            if self.on_gpu:
                require_answer(self.index)
            arena.buffer.close()

    def _sets(self, cases: Sequence[Case], beside: int) -> int:
        """How many sets of buffers fit: the same for every candidate."""
        if not self.on_gpu:
            return CPU_SETS
        part = min(SETS_MEMORY, MOST_MEMORY / (beside + 1))
        memory = torch.cuda.get_device_properties(self.index).total_memory * part
        return max(LEAST_SETS, min(MOST_SETS, int(memory / slot_bytes(self.scenario, cases))))

    def check(self, candidate: Loaded, arena: Arena) -> dict[str, float]:
        """Correctness of every test and every timed case; the worst error ratio of each. Raises Rejected."""
        ratios = {}
        for case in self.scenario.checked(self.target):
            ratios[case.id] = self._check_case(candidate, arena, case.drawn(secrets.SystemRandom()), seeds=1)
        self._spent = {}
        for case in self.scenario.timed(self.target):
            with self._counted(case):
                ratios[case.id] = self._check_case(candidate, arena, case, seeds=SEEDS)
        return ratios

    @contextlib.contextmanager
    def _counted(self, case: Case) -> Iterator[None]:
        """Add the time of the block to what the case has cost."""
        started = time.monotonic()
        yield
        self._spent[case.id] = self._spent.get(case.id, 0.0) + time.monotonic() - started

    def _check_case(self, candidate: Loaded, arena: Arena, case: Case, seeds: int) -> float:
        slots, worst = arena.slots(case, candidate.base), 0.0
        for index in range(seeds):
            slot, inputs = slots[index % len(slots)], self.draw(case)
            ((_, outputs),) = self.launch(candidate, arena, [slot], [inputs])
            worst = max(worst, error_ratio(self.scenario, case, inputs, outputs))
            if index == 0:
                ((_, again),) = self.launch(candidate, arena, [slots[1]], [inputs])
                for name, tensor in outputs.items():
                    if not torch.equal(tensor, again[name]):
                        reason = f"{name} differs between two launches on the same inputs (case {case.label})"
                        raise Rejected(Status.NON_DETERMINISTIC, reason)
        return worst

    def time(self, candidate: Loaded, arena: Arena, ratios: Mapping[str, float]) -> list[CaseScore]:
        """Throughput of every timed case. Raises Rejected when a timed launch was wrong or impossibly fast."""
        scores = []
        for case in self.scenario.timed(self.target):
            with self._counted(case):
                rounds = [self._time_case(candidate, arena, case)]
                while rounds[-1].noise > NOISY and len(rounds) < ROUNDS:
                    rounds.append(self._time_case(candidate, arena, case))
                best = min(rounds, key=lambda timing: timing.noise)
                worst = ratios[case.id]
                for inputs, outputs in best.kept:
                    worst = max(worst, error_ratio(self.scenario, case, inputs, outputs))
            scores.append(self._score(case, best, worst))
        return scores

    def _time_case(self, candidate: Loaded, arena: Arena, case: Case) -> Timing:
        slots = arena.slots(case, candidate.base)
        bases = [self.draw(case) for _ in range(min(BASES, len(slots)))]
        row = LEAST_SAMPLES
        samples: list[float] = []
        rows: list[float] = []
        clocks: list[Clocks] = []
        fastest = drawn = None
        while not self._enough(samples, rows):
            sets = [self.fresh(bases[i % len(bases)]) for i in range(row)]
            done = self.launch(candidate, arena, slots[:row], sets, timed=True)
            if longer := self.longer_row(row, sum(seconds for seconds, _ in done), len(slots)):
                row = longer
                continue
            if not candidate.agrees():
                continue
            rows.append(statistics.mean(seconds for seconds, _ in done))
            for inputs, (seconds, outputs) in zip(sets, done, strict=True):
                samples.append(seconds)
                if seconds == min(samples):
                    fastest = (inputs, outputs)
                if secrets.randbelow(len(samples)) == 0:
                    drawn = (inputs, outputs)
            clocks += self.clocks()
        candidate.unexplained()
        return Timing(samples, rows, [kept for kept in (fastest, drawn) if kept is not None], clocks)

    def _enough(self, samples: list[float], rows: list[float]) -> bool:
        if self.on_gpu:
            return len(rows) == ROWS
        spent = sum(samples) >= SECONDS_PER_CASE or len(samples) >= MOST_SAMPLES
        return spent and len(samples) >= LEAST_SAMPLES

    def longer_row(self, row: int, taken: float, most: int) -> int:
        """How many launches to make in a row instead of `row`, which took `taken` seconds; 0: as many as that."""
        if not self.on_gpu or row == most or taken >= ROW_SECONDS:
            return 0
        return min(most, math.ceil(1.2 * row * ROW_SECONDS / max(taken, 1e-6)))

    def clocks(self) -> list[Clocks]:
        """How hard the GPU runs now: one entry, or none where that is not told."""
        now = clocks(self.identity) if self.on_gpu else None
        return [now] if now else []

    def _score(self, case: Case, timing: Timing, worst: float) -> CaseScore:
        shortest = min(timing.samples)
        taken = statistics.median(timing.rows) if self.on_gpu else shortest
        value = self.scenario.work_of(self.settings.unit, case) / taken
        most = peak(self.settings.unit, self.target)
        if most and value > most:
            what = self.target if self.on_gpu else "one core"
            reason = f"{value:.4g} {self.settings.unit} in case {case.id}; {what} can do at most {most:.4g}"
            raise Rejected(Status.ABOVE_ROOFLINE, reason)
        return CaseScore(
            case.id, value, statistics.median(timing.samples) * 1e3, shortest * 1e3, timing.noise, worst,
            tuple(round(sample * 1e3, 6) for sample in timing.samples), tuple(timing.clocks),
            round(self._spent[case.id], 3),
        )  # fmt: skip

    def launch(
        self, candidate: Loaded, arena: Arena, slots: Sequence[Slot], sets: Sequence[Tensors], *, timed: bool = False
    ) -> list[tuple[float, Tensors]]:
        """One launch on each of the slots, poisoned before: its seconds and its outputs. Raises Rejected."""
        for slot, inputs in zip(slots, sets, strict=True):
            arena.prepare(slot, inputs)
        self._wait()
        try:
            times = candidate.launch([slot.arguments for slot in slots], timed=timed)
        except Rejected as rejected:
            raise Rejected(rejected.status, f"{rejected.reason} (case {slots[0].case.label})") from None
        return list(zip(times, arena.take(slots, sets), strict=True))

    def draw(self, case: Case) -> Tensors:
        drawn: Tensors = asked(self.scenario, "make_inputs", case, secrets.randbits(62), self.device)
        for tensor in self.scenario.tensors:
            shape = shape_of(tensor, case)
            if tensor.role == "in" and (tensor.name not in drawn or tuple(drawn[tensor.name].shape) != shape):
                where = f"{self.scenario.path / 'reference.py'}: make_inputs(case '{case.id}')"
                raise AvoError(f"{where} must return {tensor.name} with the shape {list(shape)}")
        return drawn

    def _wait(self) -> None:
        """Until the GPU has done what this process asked of it."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def fresh(self, inputs: Tensors) -> Tensors:
        """The same magnitudes under fresh random signs: new data for a launch, in a tenth of the time."""
        fresh = {}
        for name, tensor in inputs.items():
            if not tensor.is_floating_point():
                fresh[name] = tensor
                continue
            signs = self._signs[tensor.element_size()]
            bits = tensor.flatten().view(signs.dtype)
            start = secrets.randbelow(len(signs) - len(bits))
            fresh[name] = (bits ^ signs[start : start + len(bits)]).view(tensor.dtype).view(tensor.shape)
        return fresh


def judged(judge: Judge, build: Build) -> tuple[list[CaseScore], dict[str, float]]:
    """Check and time one build: its scores, and the seconds by phase. Raises Rejected."""
    with judge.load(build) as (candidate, arena):
        started = time.monotonic()
        ratios = judge.check(candidate, arena)
        checked = time.monotonic()
        scores = judge.time(candidate, arena, ratios)
        ended = time.monotonic()
        cost = {"check": checked - started, "time": ended - checked, "kernel": candidate.kernel_seconds}
        return scores, cost
