"""Calls functions of reference.py, and blames the scenario for their failures unless the machine is full."""

from __future__ import annotations

import contextlib
import errno
import os
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
"""Functions that reference.py has to define -> signature."""
CORES = min(len(os.sched_getaffinity(0)), 8)
"""Cores that a function of reference.py gets."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
"""Values of errno for which the machine is to blame."""


def called(function: str, case: Case) -> str:
    """Return the name of a call in messages."""
    return f"{function}(case '{case.id}')"


def fault(scenario: Scenario, function: str, case: Case, problem: str) -> ScenarioError:
    """Return the error for a wrong result of a function."""
    return wrong(scenario.path, called(function, case), problem, getattr(scenario.reference, function, None))


@contextlib.contextmanager
def as_foreign(scenario: Scenario, function: str, case: Case) -> Iterator[None]:
    """Run calls of a baseline in the block; their output goes to standard error.

    Raises ScenarioError for process-wide settings that they leave changed.
    """
    try:
        with contained():
            yield
    except Changed as error:
        raise fault(scenario, function, case, str(error)) from error


@contextlib.contextmanager
def calling(scenario: Scenario, function: str, case: Case) -> Iterator[Any]:
    """Yield a function of reference.py, to be called in the block.

    Raises ScenarioError with file, line, function and case when it fails, Missing when the machine is out of memory,
    disk or open files, and torch.OutOfMemoryError when the GPU is out of memory.
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
        if full := lacking(error, told):
            raise full from error
        raise told from error


def asked(scenario: Scenario, function: str, case: Case, *arguments: object) -> Any:
    """Call a function of reference.py, on all cores, with copies of the case and the dicts of inputs.

    Raises what `calling` does.
    """
    given = [dict(one) if isinstance(one, Mapping) else one for one in arguments]
    with _on_all_cores(), calling(scenario, function, case) as made:
        return made(case.model_copy(deep=True), *given)


@contextlib.contextmanager
def _on_all_cores() -> Iterator[None]:
    """Give PyTorch all cores in the block, beside which nothing is timed."""
    before = torch.get_num_threads()
    torch.set_num_threads(CORES)
    try:
        yield
    finally:
        torch.set_num_threads(before)
