"""The tests of a scenario that need tensors: inputs, reference, tolerance and baselines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from avo.scenarios.loader import Case, Scenario
from avo.tools.audit.planted import accepts, one_element_off, rounded, wrong
from avo.tools.audit.soundness import Finding, at, of_the_files
from avo.tools.reference.asked import called
from avo.tools.reference.check import Tensors, Wanted, expected, ratio_to, same
from avo.tools.reference.inputs import drawn
from avo.tools.reference.refresh import HOOK
from avo.tools.reference.steady import OTHER_SEED, SEED, apart, steady
from avo.tools.score.baselines import Absent, answer
from avo.tools.score.judge import Judge
from avo.types import Rejected, ScenarioError

OTHER_SEEDS = (OTHER_SEED, 3)
"""Seeds by which inputs are drawn anew."""
OWN_ROUNDING = 0.25
"""Part of the allowed error that the reference's own rounding may take."""
REPEATS = 0.9
"""Largest part of an input that may be equal in two timed launches."""
FEW = 16
"""Largest number of elements of an input that is not examined for repetition."""
ELEMENTS_TRIED = 32
"""Elements of an input that are changed one at a time, to estimate how much of it is read."""


@dataclass
class Pending:
    """Observations that have still to be made in at least one case."""

    inputs: set[str]
    """Inputs on which no output has been seen to depend."""
    outputs: set[str]
    """Outputs in which one wrong element has not been refused."""
    told: set[tuple[str, str]]
    """Fault and output already reported as accepted; ("", "") once the tolerance refused correct values."""


def proofs(judge: Judge, remarks: list[str]) -> Iterator[Finding]:
    """Yield the findings of every case: about its inputs, its expected outputs, and wrong outputs that pass.

    remarks: list to which remarks are added. Raises ScenarioError for a fault with which nothing can be evaluated.
    """
    scenario = judge.scenario
    pending = Pending(
        {tensor.name for tensor in scenario.tensors if tensor.role == "in"},
        {tensor.name for tensor in scenario.tensors if tensor.role == "out"}, set(),
    )  # fmt: skip
    timed = scenario.timed(judge.target)
    for case in (*timed, *scenario.checked(judge.target)):
        inputs, wanted = steady(scenario, case, judge.device)
        found = [*_seeded(judge, case, inputs), *_own_rounding(scenario, case, inputs, wanted)]
        yield from found
        if found:
            return  # whatever follows would be said of the wrong thing
        remarks += _infinite(case, wanted)
        if case in timed:
            yield from _refreshed(judge, case, inputs)
            _other_inputs(judge, case, inputs, remarks)
        yield from _of_tolerance(scenario, case, wanted, pending, timed=case in timed)
        _matter(judge, case, inputs, wanted, pending)
    for index, tensor in enumerate(scenario.tensors):
        if tensor.name in pending.inputs:
            problem = f"outputs stay right when '{tensor.name}' alone is redrawn, so a candidate need not read it: "
            yield at(scenario, problem + "let reference() use it, or leave it out", "tensors", index)
    for name in sorted(pending.outputs):
        problem = f"accepts {name} with one element off by 1 %, in every case: lower magnitude, relative or absolute"
        yield at(scenario, problem, "tolerance")


def _source(scenario: Scenario, key: str, problem: str) -> Finding:
    return Finding(str(scenario.path / "reference.py"), key, problem)


def _seeded(judge: Judge, case: Case, inputs: Tensors) -> Iterator[Finding]:
    """Yield a finding if another seed draws the same inputs."""
    other = drawn(judge.scenario, case, OTHER_SEED, judge.device)
    if case in judge.scenario.cases and inputs and all(same(tensor, other[name]) for name, tensor in inputs.items()):
        problem = "draws the same for every seed: seed the generator with the argument"
        yield _source(judge.scenario, called("make_inputs", case), problem)


def _own_rounding(scenario: Scenario, case: Case, inputs: Tensors, wanted: Wanted) -> Iterator[Finding]:
    """Yield a finding if the reference is not precise enough for the tolerance."""
    exact = {name: x.double() if x.is_floating_point() else x for name, x in inputs.items()}
    try:
        much = apart(scenario, case, expected(scenario, case, exact), wanted)
    except ScenarioError:
        return  # it does not take float64: nothing can be said of its own rounding
    if much > OWN_ROUNDING:
        part = "more than" if much > 1 else f"{much:.2g} of"
        problem = f"its own rounding takes {part} the allowed error: convert the inputs to float64 first"
        yield _source(scenario, called("reference", case), problem)


def _infinite(case: Case, wanted: Wanted) -> Iterator[str]:
    """Yield a remark for each output with infinite values."""
    for name, (value, _) in wanted.items():
        if count := int(value.isinf().sum()):
            where = f"in {count} of {value.numel()} elements"
            yield f"{name} of case '{case.id}' is infinite {where}, where an output has to be so too"


def _refreshed(judge: Judge, case: Case, inputs: Tensors) -> Iterator[Finding]:
    """Yield a finding for each input that repeats in timed launches.

    Raises ScenarioError if the reference fails on the inputs of timed launches.
    """
    scenario, pool = judge.scenario, judge.pool(case, 2)
    first, second = pool.alike()
    remedy = "mend it" if pool.own else f"define {HOOK}(case, inputs, seed), which keeps what has to be kept"
    try:
        expected(scenario, case, first)
    except ScenarioError as error:
        what = HOOK if pool.own else "each element from one of two drawn sets"
        raise error.but(f"{error.problem}: so it is on the inputs of timed launches ({what}): {remedy}") from error
    for name in inputs:
        part = float((first[name] == second[name]).double().mean())
        if first[name].numel() > FEW and part > REPEATS:
            problem = f"{name} repeats in timed launches ({part:.0%} of it), so that what is made of it can be kept: "
            source = called(HOOK if pool.own else "make_inputs", case)
            yield _source(scenario, source, problem + (remedy if pool.own else f"draw it by the seed, or {remedy}"))


def _other_inputs(judge: Judge, case: Case, inputs: Tensors, remarks: list[str]) -> None:
    """Add remarks about the other families of inputs of timed launches.

    Raises ScenarioError if the reference fails on one of them.
    """
    scenario = judge.scenario
    families = scenario.families(case)
    if len(families) == 1:
        remarks.append(
            f"timed case '{case.id}' has one family of inputs only, '{families[0]}', so a kernel that is right for no "
            "other may pass: name more by `families`, or let tests have some"
        )
    for family in families[1:]:
        other = case.model_copy(update={"inputs": family})
        given = drawn(scenario, other, SEED, judge.device)
        expected(scenario, other, given)
        if inputs and all(same(tensor, given[name]) for name, tensor in inputs.items()):
            remarks.append(f"family '{family}' draws the same as '{case.inputs}' in case '{case.id}'")


def _of_tolerance(
    scenario: Scenario, case: Case, wanted: Wanted, pending: Pending, *, timed: bool
) -> Iterator[Finding]:
    """Yield a finding if the tolerance refuses the rounded expected values, or in timed cases accepts a planted fault;
    each fault is reported once.
    """
    try:
        ratio_to(scenario, case, wanted, rounded(scenario, wanted))
    except Rejected as rejected:
        if ("", "") not in pending.told:
            pending.told.add(("", ""))
            problem = f"refuses the expected values, rounded to the output's dtype: {rejected.reason}: raise it"
            yield replace(at(scenario, problem, "tolerance"), unmeetable=True)
        return
    for fault, name, outputs in wrong(scenario, wanted) if timed else ():
        if (fault, name) not in pending.told and accepts(scenario, case, wanted, outputs):
            pending.told.add((fault, name))
            problem = f"accepts {name} of case '{case.id}' with this fault: {fault}: "
            yield at(scenario, problem + "lower it, or draw inputs whose outputs are larger", "tolerance")


def _matter(judge: Judge, case: Case, inputs: Tensors, wanted: Wanted, pending: Pending) -> None:
    """Remove from `pending` the inputs on which outputs depend here, and the outputs that show one wrong element."""
    scenario = judge.scenario
    for seed in OTHER_SEEDS if pending.inputs else ():
        other = drawn(judge.scenario, case, seed, judge.device)
        for name in sorted(pending.inputs):
            changed = expected(scenario, case, {**inputs, name: other[name]})
            values = {output: value for output, (value, _) in changed.items()}
            if not accepts(scenario, case, wanted, values):
                pending.inputs.remove(name)
    if pending.outputs:
        for name, outputs in one_element_off(scenario, wanted):
            if name in pending.outputs and not accepts(scenario, case, wanted, outputs):
                pending.outputs.remove(name)


def read_parts(judge: Judge, case: Case) -> dict[str, float]:
    """Return by input the part of its elements that outputs depend on: 1 for all, else a lower bound.

    Some elements are replaced one at a time by those of another draw; those that stay equal do not count. The bound is
    two standard errors below the part that was seen to matter.
    """
    scenario, parts = judge.scenario, {}
    inputs, other = (drawn(scenario, case, seed, judge.device) for seed in (SEED, OTHER_SEED))
    wanted = expected(scenario, case, inputs)
    random = Random(SEED)
    for name, tensor in inputs.items():
        tried = read = 0
        for index in (random.randrange(tensor.numel()) for _ in range(ELEMENTS_TRIED)):
            changed = tensor.clone()
            changed.view(-1)[index] = other[name].view(-1)[index]
            if same(changed, tensor):
                continue
            values = expected(scenario, case, {**inputs, name: changed})
            tried, read = tried + 1, read + any(not same(values[out][0], wanted[out][0]) for out in wanted)
        part = read / tried if tried else 1.0
        parts[name] = max(0.0, part - 2 * math.sqrt(part * (1 - part) / max(1, tried)))
    return parts


def baselines(judge: Judge, remarks: list[str]) -> tuple[list[Finding], dict[str, float]]:
    """Return findings about the target's baselines, and by name the largest error ratio of each correct one."""
    scenario, found, right = judge.scenario, list[Finding](), dict[str, float]()
    for name in judge.settings.baselines:
        worst = 0.0
        try:
            for case in scenario.timed(judge.target):
                inputs = drawn(scenario, case, SEED, judge.device)
                outputs = answer(scenario, name, case, inputs)
                worst = max(worst, ratio_to(scenario, case, expected(scenario, case, inputs), outputs))
        except Absent as absent:
            if isinstance(absent.__cause__, ModuleNotFoundError):
                remarks.append(f"baseline {absent}")
            else:
                problem = f"raises {str(absent).removeprefix(name + ': ')}: mend it, or leave it out of the targets"
                found.append(_source(scenario, name, problem))
        except Rejected as rejected:
            problem = f"a baseline that is wrong: {rejected.reason}: mend it"
            found.append(Finding(str(scenario.path / "reference.py"), name, problem, refused=True))
        except ScenarioError as error:
            found.append(of_the_files(error))
        else:
            right[name] = worst
    return found, right
