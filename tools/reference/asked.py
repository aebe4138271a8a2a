"""Calls functions of reference.py: whatever goes wrong in them is the scenario's fault, unless the machine is full."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from avo.scenarios.blame import raised, wrong
from avo.scenarios.foreign import Changed, contained
from avo.scenarios.loader import Case, Scenario
from avo.tools.reference.memory import lacking
from avo.types import Missing, ScenarioError

SIGNATURES = {
    "make_inputs": "(case, seed, device) -> inputs by name",
    "reference": "(case, inputs) -> {output: (value, magnitude)}",
}
"""What reference.py has to define."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
"""Of a machine that is to blame."""


def called(function: str, case: Case) -> str:
    """How a call is named to people."""
    return f"{function}(case '{case.id}')"


def fault(scenario: Scenario, function: str, case: Case, problem: str) -> ScenarioError:
    """What is wrong with what a function returned."""
    return wrong(scenario.path, called(function, case), problem, getattr(scenario.reference, function, None))


@contextlib.contextmanager
def as_foreign(scenario: Scenario, function: str, case: Case) -> Iterator[None]:
    """Round calls of a baseline: what they print is kept apart. Raises ScenarioError for what they leave changed."""
    try:
        with contained():
            yield
    except Changed as error:
        raise fault(scenario, function, case, str(error)) from error


@contextlib.contextmanager
def calling(scenario: Scenario, function: str, case: Case) -> Iterator[Any]:
    """A function of reference.py, for calls in the block.

    Raises ScenarioError with file, line, function and case when it fails, Missing when the machine is full, and
    torch.OutOfMemoryError when the GPU is.
    """
    made = getattr(scenario.reference, function, None)
    if not callable(made):
        missing = f"missing: define {function}{SIGNATURES.get(function, '')}"
        raise wrong(scenario.path, function, missing)
    try:
        with contained():
            yield made
    except (KeyboardInterrupt, torch.OutOfMemoryError):
        raise
    except BaseException as error:  # somebody's code: it may raise whatever it likes
        told = raised(scenario.path, called(function, case), error)
        if isinstance(error, OSError) and error.errno in FULL:
            raise Missing(str(told)) from error
        if full := lacking(error, str(told)):
            raise full from error
        raise told from error


def asked(scenario: Scenario, function: str, case: Case, *arguments: object) -> Any:
    """What one call returns, to which inputs are a plain dict and the case is a copy. Raises what `calling` does."""
    given = [dict(one) if isinstance(one, Mapping) else one for one in arguments]
    with calling(scenario, function, case) as made:
        return made(case.model_copy(deep=True), *given)
