"""Checks that reference.py is deterministic: otherwise nothing can be said about a candidate."""

from __future__ import annotations

import math

from avo.scenarios.loader import Case, Scenario, shape_of
from avo.tools.reference.asked import fault
from avo.tools.reference.check import Wanted, expected, ratio_to, same
from avo.tools.reference.inputs import Tensors, drawn
from avo.types import Rejected

SEED, OTHER_SEED = 1, 2
"""The seeds that are drawn."""
REPEATED = 0.01
"""Part of the allowed error by which two calls of the reference may differ."""


def require_steady(scenario: Scenario, target: str, device: str) -> None:
    """Run `steady` on the smallest case, which costs next to nothing. Raises ScenarioError."""
    cases = (*scenario.timed(target), *scenario.checked(target))
    steady(scenario, min(cases, key=lambda case: _elements(scenario, case)), device)


def steady(scenario: Scenario, case: Case, device: str) -> tuple[Tensors, Wanted]:
    """Return the inputs drawn by SEED, and the expected outputs.

    Raises ScenarioError if a second call returns something else, also after other inputs were drawn in between.
    """
    inputs = drawn(scenario, case, SEED, device)
    kept = {name: tensor.clone() for name, tensor in inputs.items()}
    wanted = expected(scenario, case, inputs)
    again = drawn(scenario, case, SEED, device)
    if differing := [name for name, tensor in kept.items() if not same(tensor, again[name])]:
        problem = f"{differing[0]} differs between two calls with one seed: draw all from one torch.Generator"
        raise fault(scenario, "make_inputs", case, problem)
    drawn(scenario, case, OTHER_SEED, device)
    if changed := [name for name, tensor in inputs.items() if not same(tensor, kept[name])]:
        problem = f"overwrites the {changed[0]} that it returned before: make new tensors in every call"
        raise fault(scenario, "make_inputs", case, problem)
    if apart(scenario, case, expected(scenario, case, inputs), wanted) > REPEATED:
        problem = "answers differently for the same inputs: draw nothing in it, and keep nothing between calls"
        raise fault(scenario, "reference", case, problem)
    return inputs, wanted


def apart(scenario: Scenario, case: Case, wanted: Wanted, other: Wanted) -> float:
    """Return the largest ratio of the difference of two expected outputs to the allowed error; infinite above 1."""
    try:
        return ratio_to(scenario, case, wanted, {name: value for name, (value, _) in other.items()})
    except Rejected:
        return math.inf


def _elements(scenario: Scenario, case: Case) -> int:
    return sum(math.prod(shape_of(tensor, case)) for tensor in scenario.tensors)
