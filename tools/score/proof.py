"""The proofs about a scenario that need tensors: inputs, reference, tolerance and baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from avo.scenarios.loader import Case, Scenario
from avo.tools.score.arena import TORCH
from avo.tools.score.baselines import Absent, answer
from avo.tools.score.check import Tensors, asked, expected, ratio_to
from avo.tools.score.faults import Wanted, accepts, one_element_off, rounded, wrong
from avo.tools.score.judge import Judge
from avo.tools.score.refresh import HOOK
from avo.tools.soundness import Finding, at, of_the_files
from avo.types import AvoError, Rejected

SEED = 1
OTHER_SEEDS = (2, 3)
OWN_ROUNDING = 0.25
"""Part of the allowed error that the reference's own rounding may take."""
REPEATS = 0.9
"""Part of an input that may be the same in two timed launches."""
FEW = 16
"""Elements of an input of which nothing is said."""
REPEATED = 0.01
"""Part of it by which two calls of the reference may differ."""


@dataclass
class Pending:
    """What has to be seen in one case at least."""

    inputs: set[str]
    """Not yet seen to matter."""
    outputs: set[str]
    """In which one element may still be off."""
    told: set[tuple[str, str]]
    """Fault and output that the tolerance was found to accept; and ("", "") once it refused what is right."""


def proofs(judge: Judge) -> Iterator[Finding]:
    """Every case in turn: what is drawn, what is expected of it, and what the tolerance makes of wrong outputs."""
    scenario = judge.scenario
    pending = Pending(
        {tensor.name for tensor in scenario.tensors if tensor.role == "in"},
        {tensor.name for tensor in scenario.tensors if tensor.role == "out"}, set(),
    )  # fmt: skip
    timed = scenario.timed(judge.target)
    for case in (*timed, *scenario.checked(judge.target)):
        inputs = judge_inputs(judge, case, SEED)
        found = [*_drawn(judge, case, inputs), *_typed(scenario, case, inputs)]
        found = found or list(_of_reference(judge, case, inputs))
        yield from found
        if found:
            return  # whatever follows would be said of the wrong thing
        wanted = expected(scenario, case, inputs)
        yield from _of_tolerance(scenario, case, wanted, pending, timed=case in timed)
        _matter(judge, case, inputs, wanted, pending)
    for index, tensor in enumerate(scenario.tensors):
        if tensor.name in pending.inputs:
            problem = f"outputs stay right when '{tensor.name}' alone is redrawn, so a candidate need not read it: "
            yield at(scenario, problem + "let reference() use it, or leave it out", "tensors", index)
    for name in sorted(pending.outputs):
        problem = f"accepts {name} with one element off by 1 %, in every case: lower magnitude, relative or absolute"
        yield at(scenario, problem, "tolerance")


def judge_inputs(judge: Judge, case: Case, seed: int) -> Tensors:
    """What make_inputs answers for a seed."""
    drawn: Tensors = asked(judge.scenario, "make_inputs", case, seed, judge.device)
    return drawn


def _source(scenario: Scenario, key: str, problem: str) -> Finding:
    return Finding(str(scenario.path / "reference.py"), key, problem)


def _drawn(judge: Judge, case: Case, inputs: Tensors) -> Iterator[Finding]:
    """As scenario.toml says, the same for the same seed, others for another."""
    scenario, where = judge.scenario, f"make_inputs(case '{case.id}')"
    if not isinstance(inputs, dict) or not all(isinstance(value, torch.Tensor) for value in inputs.values()):
        yield _source(scenario, where, "must return a dict of tensors by name")
        return
    judge.draw(case)  # raises for names and shapes
    again, other = judge_inputs(judge, case, SEED), judge_inputs(judge, case, OTHER_SEEDS[0])
    if differing := [name for name, tensor in inputs.items() if not _same(tensor, again[name])]:
        problem = f"{differing[0]} differs between two calls with one seed: draw all from one torch.Generator"
        yield _source(scenario, where, problem)
    elif case in scenario.cases and all(_same(tensor, other[name]) for name, tensor in inputs.items()):
        yield _source(scenario, where, "draws the same for every seed: seed the generator with the argument")


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one.nan_to_num(), other.nan_to_num()))


def _typed(scenario: Scenario, case: Case, inputs: Tensors) -> Iterator[Finding]:
    for tensor in scenario.tensors:
        if tensor.role == "in" and tensor.name in inputs and inputs[tensor.name].dtype != TORCH[tensor.dtype]:
            kind = str(inputs[tensor.name].dtype).removeprefix("torch.")
            problem = f"{tensor.name} is {kind}, but scenario.toml says {tensor.dtype}: convert it"
            yield _source(scenario, f"make_inputs(case '{case.id}')", problem)


def _of_reference(judge: Judge, case: Case, inputs: Tensors) -> Iterator[Finding]:
    """Finite, the same twice, precise enough, and bearing what timed launches draw."""
    scenario, where = judge.scenario, f"reference(case '{case.id}')"
    kept = {name: tensor.clone() for name, tensor in inputs.items()}
    wanted = expected(scenario, case, inputs)
    if changed := [name for name, tensor in inputs.items() if not _same(tensor, kept[name])]:
        yield _source(scenario, where, f"changes its input {changed[0]}: work on a copy")
        return
    for name, (value, magnitude) in wanted.items():
        if not value.dtype.is_floating_point or value.dtype.itemsize < 4:
            yield _source(scenario, where, f"{name} is {value.dtype}: return it in float64, or float32")
        elif not (value.isfinite().all() and magnitude.isfinite().all()):
            yield _source(scenario, where, f"{name} is not finite: mend it, or draw other inputs")
        elif (magnitude < 0).any():
            yield _source(scenario, where, f"the magnitude of {name} is negative: take absolute values")
        else:
            continue
        return
    if _apart(scenario, case, expected(scenario, case, inputs), wanted) > REPEATED:
        yield _source(scenario, where, "answers differently for the same inputs: draw nothing in it")
        return
    exact = {name: x.double() if x.is_floating_point() else x for name, x in inputs.items()}
    try:
        apart = _apart(scenario, case, expected(scenario, case, exact), wanted)
    except AvoError:
        apart = 0.0  # it does not take float64: nothing can be said of its own rounding
    if apart > OWN_ROUNDING:
        much = "more than" if apart > 1 else f"{apart:.2g} of"
        problem = f"its own rounding takes {much} the allowed error: convert the inputs to float64 first"
        yield _source(scenario, where, problem)
    if case in scenario.cases:
        yield from _of_refreshed(judge, case, inputs)


def _of_refreshed(judge: Judge, case: Case, inputs: Tensors) -> Iterator[Finding]:
    """What timed launches see is something that the reference can answer, and something else each time."""
    scenario, pool = judge.scenario, judge.pool(case, 2)
    own = pool.own
    where = f"{HOOK if own else 'reference'}(case '{case.id}')"
    remedy = "mend it" if own else f"define {HOOK}(case, inputs, seed), which keeps what has to be kept"
    mixed = "" if own else ", as each element from one of two drawn sets,"
    first, second = pool.fresh(), pool.fresh()
    for name, (value, magnitude) in expected(scenario, case, first).items():
        if value.isnan().any() or magnitude.isnan().any():
            yield _source(scenario, where, f"{name} is NaN on the inputs of timed launches{mixed}: {remedy}")
            return
    for name in inputs:
        same = float((first[name] == second[name]).double().mean())
        if first[name].numel() > FEW and same > REPEATS:
            problem = f"{name} repeats in timed launches ({same:.0%} of it), so that what is made of it can be kept: "
            yield _source(scenario, where, f"{problem}{remedy if own else 'draw it anew for each seed, or ' + remedy}")


def _apart(scenario: Scenario, case: Case, wanted: Wanted, other: Wanted) -> float:
    """Worst difference over the allowed error; infinite beyond it."""
    try:
        return ratio_to(scenario, case, wanted, {name: value for name, (value, _) in other.items()})
    except Rejected:
        return float("inf")


def _of_tolerance(
    scenario: Scenario, case: Case, wanted: Wanted, pending: Pending, *, timed: bool
) -> Iterator[Finding]:
    """It lets the rounded expected values pass, and in timed cases no planted fault; each is told once."""
    try:
        ratio_to(scenario, case, wanted, rounded(scenario, wanted))
    except Rejected as rejected:
        if ("", "") not in pending.told:
            pending.told.add(("", ""))
            problem = f"refuses the expected values, rounded to the output's dtype: {rejected.reason}: raise it"
            yield at(scenario, problem, "tolerance")
        return
    for fault, name, outputs in wrong(scenario, wanted) if timed else ():
        if (fault, name) not in pending.told and accepts(scenario, case, wanted, outputs):
            pending.told.add((fault, name))
            problem = f"accepts {name} of case '{case.id}' with this fault: {fault}: "
            yield at(scenario, problem + "lower it, or draw inputs whose outputs are larger", "tolerance")


def _matter(judge: Judge, case: Case, inputs: Tensors, wanted: Wanted, pending: Pending) -> None:
    """Strike off what this case shows: inputs that outputs hang on, outputs in which one wrong element is seen."""
    scenario = judge.scenario
    for seed in OTHER_SEEDS if pending.inputs else ():
        other = judge_inputs(judge, case, seed)
        for name in sorted(pending.inputs):
            changed = expected(scenario, case, {**inputs, name: other[name]})
            values = {output: value for output, (value, _) in changed.items()}
            if not accepts(scenario, case, wanted, values):
                pending.inputs.remove(name)
    if pending.outputs:
        for name, outputs in one_element_off(scenario, wanted):
            if name in pending.outputs and not accepts(scenario, case, wanted, outputs):
                pending.outputs.remove(name)


def baselines(judge: Judge, remarks: list[str]) -> tuple[list[Finding], dict[str, float]]:
    """Findings about the target's baselines, and the worst error ratio of each that is right."""
    scenario, found, right = judge.scenario, list[Finding](), dict[str, float]()
    for name in judge.settings.baselines:
        worst = 0.0
        try:
            for case in scenario.timed(judge.target):
                inputs = judge_inputs(judge, case, SEED)
                outputs = answer(scenario, name, case, inputs)
                worst = max(worst, ratio_to(scenario, case, expected(scenario, case, inputs), outputs))
        except Absent as absent:
            if isinstance(absent.__cause__, ModuleNotFoundError):
                remarks.append(f"baseline {absent}")
            else:
                problem = f"raises {str(absent).removeprefix(name + ': ')}: mend it, or leave it out of the targets"
                found.append(_source(scenario, name, problem))
        except Rejected as rejected:
            found.append(_source(scenario, name, f"a baseline that is wrong: {rejected.reason}: mend it"))
        except AvoError as error:
            found.append(of_the_files(str(error)))
        else:
            right[name] = worst
    return found, right
