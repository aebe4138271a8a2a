"""The judge: draws the inputs, holds the clock and the expected values, and decides."""

from __future__ import annotations

import contextlib
import math
import secrets
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from avo.scenarios.loader import Case, Scenario, family, shape_of
from avo.tools.score.arena import Arena, Slot
from avo.tools.score.buffers import DeviceBuffer, HostBuffer
from avo.tools.score.builder import Build
from avo.tools.score.check import Tensors, asked, error_ratio
from avo.tools.score.compilers import compiler_of, runtime_library
from avo.tools.score.loaded import Loaded, load
from avo.tools.score.roofline import peak
from avo.types import AvoError, CaseScore, Rejected, Status

SETS = {"cpu": 3, "cuda": 8}
"""Buffers that launches rotate through: no launch sees the addresses of the one before. A GPU launches on all of them
in a row, so that the judge's clock sees milliseconds.
"""
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
    """CPU seconds, in order."""
    kept: list[tuple[Tensors, Tensors]]
    """Inputs and outputs of the fastest launch and of one drawn at random."""

    @property
    def noise(self) -> float:
        return statistics.median(self.samples) / min(self.samples)


class Judge:
    """Judges candidates of one scenario on one target. Not for several threads at a time."""

    def __init__(self, scenario: Scenario, target: str) -> None:
        self.scenario, self.target = scenario, target
        self.settings = scenario.target(target)
        self.on_gpu = family(target) == "cuda"
        self.device = "cuda" if self.on_gpu else "cpu"
        largest = max(math.prod(shape_of(t, c)) for t in scenario.tensors for c in scenario.timed(target))
        generator = torch.Generator(self.device).manual_seed(secrets.randbits(62))
        drawn = torch.randint(0, 2, (2 * largest,), dtype=torch.int32, generator=generator, device=self.device)
        self._signs = {2: drawn.to(torch.int16) << 15, 4: drawn << 31}

    @contextlib.contextmanager
    def load(self, build: Build) -> Iterator[tuple[Loaded, Arena]]:
        """A candidate in its runner, and the buffers that both sides see."""
        kind = DeviceBuffer if self.on_gpu else HostBuffer
        arena = Arena(
            self.scenario,
            (*self.scenario.timed(self.target), *self.scenario.checked(self.target)),
            kind,
            SETS[self.device],
        )
        cudart = runtime_library(compiler_of(self.target))
        try:
            with load(build.library, arena.buffer, self.settings.launch_seconds, cudart) as candidate:
                yield candidate, arena
        finally:
            arena.buffer.close()

    def check(self, candidate: Loaded, arena: Arena) -> dict[str, float]:
        """Correctness of every test and every timed case; the worst error ratio of each. Raises Rejected."""
        ratios = {}
        for case in self.scenario.checked(self.target):
            ratios[case.id] = self._check_case(candidate, arena, case.drawn(secrets.SystemRandom()), seeds=1)
        for case in self.scenario.timed(self.target):
            ratios[case.id] = self._check_case(candidate, arena, case, seeds=SEEDS)
        return ratios

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
        base = [self.draw(case) for _ in slots]
        samples: list[float] = []
        fastest = drawn = None
        while len(samples) < LEAST_SAMPLES or (sum(samples) < SECONDS_PER_CASE and len(samples) < MOST_SAMPLES):
            sets = [self.fresh(inputs) for inputs in base]
            for inputs, (seconds, outputs) in zip(
                sets, self.launch(candidate, arena, slots, sets, timed=True), strict=True
            ):
                samples.append(seconds)
                if seconds == min(samples):
                    fastest = (inputs, outputs)
                if secrets.randbelow(len(samples)) == 0:
                    drawn = (inputs, outputs)
        candidate.agree()
        return Timing(samples, [kept for kept in (fastest, drawn) if kept is not None])

    def _score(self, case: Case, timing: Timing, worst: float) -> CaseScore:
        shortest = min(timing.samples)
        taken = statistics.median(timing.samples) if self.on_gpu else shortest
        value = self.scenario.work_of(self.settings.unit, case) / taken
        most = peak(self.settings.unit, self.target)
        if most and value > most:
            what = self.target if self.on_gpu else "one core"
            reason = f"{value:.4g} {self.settings.unit} in case {case.id}; {what} can do at most {most:.4g}"
            raise Rejected(Status.ABOVE_ROOFLINE, reason)
        return CaseScore(
            case.id, value, statistics.median(timing.samples) * 1e3, shortest * 1e3, timing.noise, worst,
            tuple(round(sample * 1e3, 6) for sample in timing.samples),
        )  # fmt: skip

    def baselines(self) -> dict[str, dict[str, float]]:
        """Throughput of the baselines by case, of 5 calls: least CPU time of a thread; on a GPU the median."""
        results: dict[str, dict[str, float]] = {}
        for name in self.settings.baselines:
            results[name] = {}
            for case in self.scenario.timed(self.target):
                inputs, samples = self.draw(case), []
                asked(self.scenario, name, case, inputs)
                for _ in range(5):
                    samples.append(self._timed(lambda: asked(self.scenario, name, case, inputs)))  # noqa: B023
                taken = statistics.median(samples) if self.on_gpu else min(samples)
                results[name][case.id] = self.scenario.work_of(self.settings.unit, case) / taken
        return results

    def _timed(self, work: Callable[[], object]) -> float:
        """Seconds of a call in this process: CPU time of this thread, or between two events."""
        if not self.on_gpu:
            start = time.thread_time()
            work()
            return time.thread_time() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        work()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

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
        outputs = [arena.take(slot, inputs) for slot, inputs in zip(slots, sets, strict=True)]
        return list(zip(times, outputs, strict=True))

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
