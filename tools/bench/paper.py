"""The measurement protocol of the AVO paper: ten times, a second of sleep and then Triton's do_bench.

do_bench(fn, warmup=5, rep=10) counts milliseconds: it estimates the time of a call over 5 calls, warms up for 5 ms, and
takes the mean over calls that fill 10 ms (at least one), each after 256 MB were cleared, so that L2 is cold.

A baseline is called in this process, as do_bench would: its calls are queued behind each other, an event on either
side. A candidate is launched in its runner, one launch at a time: the judge clears the same 256 MB, waits for the GPU,
requests one launch and takes the time between the runner's events.
"""

from __future__ import annotations

import statistics
import time

import torch

from avo.scenarios.loader import Case
from avo.tools.launch.arena import Arena, Slot
from avo.tools.launch.launcher import Loaded
from avo.tools.reference.check import Tensors, error_ratio
from avo.tools.score.baselines import answer, clear
from avo.tools.score.judge import Judge

REPEATS = 10
"""Measurements of a case."""
SLEEP_SECONDS = 1.0
"""Seconds of sleep before each."""
ESTIMATED_OVER = 5
"""Calls over which the time of one is estimated."""
WARMUP_MS, REP_MS = 5.0, 10.0
"""Milliseconds of warm-up, and of timed calls."""


def repeats(estimate_ms: float) -> tuple[int, int]:
    """Return the numbers of calls to warm up with and to time, given the estimated milliseconds of a call."""
    estimate_ms = max(estimate_ms, 1e-4)
    return max(1, int(WARMUP_MS / estimate_ms)), max(1, int(REP_MS / estimate_ms))


def of_baseline(judge: Judge, name: str, case: Case) -> list[float]:
    """Return the seconds of a call by each of the ten measurements. Raises Absent."""
    inputs = judge.draw(case)
    answer(judge.scenario, name, case, inputs)
    results = []
    for _ in range(REPEATS):
        time.sleep(SLEEP_SECONDS)
        results.append(_do_bench(judge, name, case, inputs) / 1e3)
    return results


def _do_bench(judge: Judge, name: str, case: Case, inputs: Tensors) -> float:
    """Return the milliseconds of a call."""
    answer(judge.scenario, name, case, inputs)
    torch.cuda.synchronize()
    begin, end = _events(2)
    begin.record()
    for _ in range(ESTIMATED_OVER):
        clear()
        answer(judge.scenario, name, case, inputs)
    end.record()
    torch.cuda.synchronize()
    warmup, timed = repeats(begin.elapsed_time(end) / ESTIMATED_OVER)
    for _ in range(warmup):
        answer(judge.scenario, name, case, inputs)
    begins, ends = _events(timed), _events(timed)
    for first, last in zip(begins, ends, strict=True):
        clear()
        first.record()
        answer(judge.scenario, name, case, inputs)
        last.record()
    torch.cuda.synchronize()
    return statistics.fmean(first.elapsed_time(last) for first, last in zip(begins, ends, strict=True))


def of_candidate(judge: Judge, candidate: Loaded, arena: Arena, case: Case) -> list[float]:
    """Return the seconds of a launch by each of the ten measurements. Raises Rejected."""
    slot, inputs = arena.slots(case, candidate.base)[0], judge.draw(case)
    arena.prepare([slot], [inputs])
    results = []
    for _ in range(REPEATS):
        time.sleep(SLEEP_SECONDS)
        estimate = statistics.fmean(_launch(candidate, slot) for _ in range(ESTIMATED_OVER))
        warmup, timed = repeats(estimate * 1e3)
        for _ in range(warmup):
            candidate.launch([slot.arguments], timed=False)
        results.append(statistics.fmean(_launch(candidate, slot) for _ in range(timed)))
    error_ratio(judge.scenario, case, inputs, arena.take([slot], [inputs], {0})[0])
    return results


def _launch(candidate: Loaded, slot: Slot) -> float:
    clear()
    torch.cuda.synchronize()
    (seconds,) = candidate.launch([slot.arguments], timed=False)
    return seconds


def _events(count: int) -> list[torch.cuda.Event]:
    return [torch.cuda.Event(enable_timing=True) for _ in range(count)]  # type: ignore[no-untyped-call]
