"""Right or wrong: a candidate's outputs against the reference, by the scenario's error model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from avo.scenarios.loader import Case, Scenario, shape_of
from avo.types import AvoError, Rejected, Status

Tensors = Mapping[str, torch.Tensor]


def expected(scenario: Scenario, case: Case, inputs: Tensors) -> Mapping[str, tuple[torch.Tensor, torch.Tensor]]:
    """By output: the value and the magnitude that the tolerance scales with, in fp32 or fp64."""
    result: Any = asked(scenario, "reference", case, inputs)
    outputs = {tensor.name: shape_of(tensor, case) for tensor in scenario.tensors if tensor.role == "out"}
    where = f"{scenario.path / 'reference.py'}: reference(case '{case.id}')"
    if not isinstance(result, Mapping) or set(result) != set(outputs):
        raise AvoError(f"{where} must return a dict of {', '.join(outputs)}: (value, magnitude)")
    for name, shape in outputs.items():
        if not isinstance(result[name], tuple) or any(tuple(part.shape) != shape for part in result[name]):
            raise AvoError(f"{where}: value and magnitude of {name} must have the shape {list(shape)}")
    return result


def asked(scenario: Scenario, function: str, case: Case, *arguments: object) -> Any:
    """What a function of reference.py returns, to which inputs are a plain dict.

    Raises AvoError with file, function and case when it fails; a GPU that is full is not its fault.
    """
    given = [dict(one) if isinstance(one, Mapping) else one for one in arguments]
    try:
        return getattr(scenario.reference, function)(case, *given)
    except (AvoError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        where = f"{scenario.path / 'reference.py'}: {function}(case '{case.id}')"
        raise AvoError(f"{where}: {type(error).__name__}: {error}") from error


def error_ratio(scenario: Scenario, case: Case, inputs: Tensors, outputs: Tensors) -> float:
    """Worst error over the allowed one, at most 1. Raises Rejected with the worst position otherwise.

    Per element |o - r| <= magnitude * m + relative * |r| + absolute; per output ||o - r|| <= frobenius * ||r||.
    """
    return ratio_to(scenario, case, expected(scenario, case, inputs), outputs)


def ratio_to(
    scenario: Scenario, case: Case, wanted: Mapping[str, tuple[torch.Tensor, torch.Tensor]], outputs: Tensors
) -> float:
    """error_ratio for what `expected` answered."""
    tolerance, worst = scenario.tolerance, 0.0
    for name, (value, magnitude) in wanted.items():
        if not (value.isfinite().all() and magnitude.isfinite().all()):
            raise AvoError(f"{scenario.path / 'reference.py'}: {name} of case '{case.id}' is not finite")
        if outputs[name].is_floating_point() and not outputs[name].isfinite().all():
            at = _position(~outputs[name].isfinite())
            raise Rejected(Status.INCORRECT_NUMERICAL, f"{name}{at} is not finite (case {case.label})")
        error = outputs[name].to(value.dtype).sub(value).abs_()
        allowed = tolerance.magnitude * magnitude + tolerance.relative * value.abs() + tolerance.absolute
        ratio = (error / allowed).nan_to_num_(0.0, torch.inf)  # an error of 0 where 0 is allowed is none
        worst = max(worst, float(ratio.max()))
        if worst > 1:
            at = _position(ratio == ratio.max())
            reason = f"{name}{at} is off by {worst:.3g} times the allowed error (case {case.label})"
            raise Rejected(Status.INCORRECT_NUMERICAL, reason)
        norm = float(error.norm() / value.norm()) if float(value.norm()) > 0 else 0.0
        if not norm <= tolerance.frobenius:
            reason = f"{name} has a relative error of {norm:.2e} > {tolerance.frobenius:g} (case {case.label})"
            raise Rejected(Status.INCORRECT_NUMERICAL, reason)
    return worst


def _position(where: torch.Tensor) -> list[int]:
    """Index of the first element that is true."""
    return [int(i) for i in torch.nonzero(where)[0]]
