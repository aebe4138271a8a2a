"""Baselines, the libraries to beat: their outputs, and the times of their calls in this process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from avo.installation import how_to_install
from avo.scenarios.blame import wrong
from avo.scenarios.loader import Case, Scenario, shape_of
from avo.tools.reference.asked import as_foreign, fault
from avo.tools.reference.check import Tensors
from avo.types import ScenarioError

if TYPE_CHECKING:
    from avo.tools.score.judge import Judge

CALLS = 5
"""Timed calls of a case."""
HEAD_START, LONGEST_HEAD_START = 8, 128
"""Times that a GPU clears SCRATCH_BYTES before a batch of calls; meanwhile this process enqueues the whole batch. The
number is doubled while the GPU finishes first (0.6 to 9e-3 s on an H200), up to the longest.
"""
SCRATCH_BYTES = 256 << 20
"""Bytes that are cleared: more than twice the L2 of any GPU, so that no input stays in it."""


class Absent(Exception):
    """A baseline that cannot be measured here: its name, the reason, and what helps."""


def answer(scenario: Scenario, name: str, case: Case, inputs: Tensors) -> Tensors:
    """Return the outputs of one call by name, in scenario.toml's shapes.

    Raises Absent, or ScenarioError for what the scenario's author can correct.
    """
    function = getattr(scenario.reference, name, None)
    if function is None:
        missing = "no such function, which a target names as a baseline: define it, or leave it out"
        raise wrong(scenario.path, name, missing)
    given = dict(inputs)
    versions = {key: tensor._version for key, tensor in given.items()}
    try:
        with torch.no_grad(), as_foreign(scenario, name, case):
            result = function(case, dict(given))
    except ModuleNotFoundError as error:
        raise Absent(f"{name}: no module {error.name}: {how_to_install('baselines')}") from error
    except ScenarioError:
        raise
    except (Exception, SystemExit) as error:  # a library of somebody else's: the others can be measured
        lines = str(error).strip().splitlines() or [""]
        raise Absent(f"{name}: {type(error).__name__}: {lines[0][:200]}") from error
    if changed := [key for key, tensor in given.items() if tensor._version != versions[key]]:
        raise fault(scenario, name, case, f"changes its input {changed[0]}: work on a copy")
    shapes = {tensor.name: shape_of(tensor, case) for tensor in scenario.tensors if tensor.role == "out"}
    outputs: Tensors = result if isinstance(result, Mapping) else dict.fromkeys(shapes, result)
    if set(outputs) != set(shapes) or any(tuple(getattr(outputs[o], "shape", ())) != s for o, s in shapes.items()):
        raise fault(scenario, name, case, f"must return {', '.join(shapes)} in the scenario's shapes")
    return outputs


def calls(judge: Judge, name: str, case: Case, sets: Sequence[Tensors]) -> list[tuple[float, Tensors]]:
    """Call a baseline once on each of the sets; return the seconds and the outputs of each call. Raises Absent.

    On the CPU the seconds are CPU time of this thread; on a GPU, time between two events, in a batch behind a head
    start.
    """
    clears, late = HEAD_START, True
    with as_foreign(judge.scenario, name, case):  # once for all calls: to begin takes some microseconds
        if not judge.on_gpu:
            return [_timed(judge, name, case, inputs) for inputs in sets]
        while late and clears <= LONGEST_HEAD_START:
            results, late = _row(judge, name, case, sets, clears)
            clears *= 2
    return results


def _timed(judge: Judge, name: str, case: Case, inputs: Tensors) -> tuple[float, Tensors]:
    started = time.thread_time()
    outputs = answer(judge.scenario, name, case, inputs)
    return time.thread_time() - started, outputs


def _row(
    judge: Judge, name: str, case: Case, sets: Sequence[Tensors], clears: int
) -> tuple[list[tuple[float, Tensors]], bool]:
    """Call a baseline once on each of the sets behind a head start. Also return True if the GPU finished the head start
    before all calls were enqueued.
    """
    events = [(_event(), _event()) for _ in sets]
    answers = []
    torch.cuda.synchronize()
    for _ in range(clears):
        clear()
    for inputs, (begin, end) in zip(sets, events, strict=True):
        begin.record()
        answers.append(answer(judge.scenario, name, case, inputs))
        end.record()
    late = bool(events[0][0].query())  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    times = [float(begin.elapsed_time(end)) / 1e3 for begin, end in events]
    return list(zip(times, answers, strict=True)), late


def measured(judge: Judge) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Return the throughput of each baseline that is available, in the target's unit by case, by its name, and the
    reasons why the others are not, by theirs.

    The least CPU time of CALLS calls counts; on a GPU the median.
    """
    values, missing = dict[str, dict[str, float]](), dict[str, str]()
    for name in judge.settings.baselines:
        try:
            values[name] = _throughput(judge, name)
        except Absent as absent:
            missing[name] = str(absent)
    return values, missing


def _throughput(judge: Judge, name: str) -> dict[str, float]:
    result = {}
    for case in judge.scenario.timed(judge.target):
        inputs = judge.draw(case)
        calls(judge, name, case, [inputs])
        samples = [seconds for seconds, _ in calls(judge, name, case, [inputs] * CALLS)]
        taken = statistics.median(samples) if judge.on_gpu else min(samples)
        result[case.id] = judge.scenario.work_of(judge.settings.unit, case) / taken
    return result


_scratch: dict[int, torch.Tensor] = {}
"""Device number -> uint8 [SCRATCH_BYTES]."""


def clear() -> None:
    """Make the current GPU overwrite more memory than its L2 holds, without waiting for it."""
    device = torch.cuda.current_device()
    if device not in _scratch:
        _scratch[device] = torch.empty(SCRATCH_BYTES, dtype=torch.uint8, device="cuda")
    _scratch[device].zero_()


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
