"""Correctness: a candidate's outputs against the reference, by the scenario's error model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch

from avo.scenarios.loader import Case, Scenario, Tensor, Tolerance, shape_of
from avo.tools.launch.arena import TORCH
from avo.tools.reference.asked import asked, fault
from avo.tools.reference.blocks import block_of, relative_norms
from avo.tools.reference.inputs import Tensors as Tensors
from avo.tools.reference.inputs import plain
from avo.types import Rejected, Status

Wanted = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""Output name -> expected value and the magnitude that the tolerance scales with, both in the output's shape, fp32 or
fp64. An infinite value is expected exactly.
"""
COARSE = ((0.01, "a few"), (0.5, "a part"), (0.999, "most"), (math.inf, "all"))
"""Largest share of wrong elements -> the words for it in the rejection of a hidden test."""

_watched: WeakKeyDictionary[Any, set[tuple[str, str]]] = WeakKeyDictionary()
"""Module -> cases and families for which it was seen to leave the inputs unchanged."""


def expected(scenario: Scenario, case: Case, inputs: Tensors) -> Wanted:
    """Return the expected outputs by the scenario's `reference`, in fp32 or fp64. Raises ScenarioError."""
    given = dict(inputs)
    versions = {name: tensor._version for name, tensor in given.items()}
    seen = _watched.setdefault(scenario.reference, set())
    copies = {} if (case.id, case.inputs) in seen else {name: tensor.clone() for name, tensor in given.items()}
    result: Any = asked(scenario, "reference", case, given)
    for name, tensor in given.items():
        if tensor._version != versions[name] or (name in copies and not same(tensor, copies[name])):
            raise fault(scenario, "reference", case, f"changes its input {name}: work on a copy")
    seen.add((case.id, case.inputs))
    outputs = [tensor for tensor in scenario.tensors if tensor.role == "out"]
    names = [tensor.name for tensor in outputs]
    if not isinstance(result, Mapping) or set(result) != set(names):
        problem = f"must return a dict of {', '.join(names)}: (value, magnitude)"
        raise fault(scenario, "reference", case, problem)
    device = next((tensor.device for tensor in given.values()), None)
    return {tensor.name: _pair(scenario, case, tensor, result[tensor.name], device) for tensor in outputs}


def _pair(
    scenario: Scenario, case: Case, tensor: Tensor, pair: Any, device: torch.device | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return value and magnitude of one output. Raises ScenarioError."""
    name, shape = tensor.name, list(shape_of(tensor, case))

    def wrong(problem: str) -> Exception:
        return fault(scenario, "reference", case, problem)

    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(x, torch.Tensor) for x in pair):
        raise wrong(f"{name} must be a pair of tensors: (value, magnitude)")
    parts = []
    for part in pair:
        kind = part.dtype
        if list(part.shape) != shape:
            raise wrong(f"value and magnitude of {name} must have the shape {shape}, not {[*part.shape]}")
        if device and part.device != device:
            raise wrong(f"{name} is on {part.device}, but the inputs are on {device}: leave it there")
        if kind.is_complex or (kind.is_floating_point and kind.itemsize < 4):
            raise wrong(f"{name} is {kind}: return it in float64, or float32")
        part = plain(scenario, "reference", case, name, part)
        parts.append(part if kind.is_floating_point else part.double())  # int64 beyond 2^53 is rounded
    value, magnitude = parts[0], parts[1].to(parts[0].dtype)
    low, high, least, most = torch.stack([*value.aminmax(), *magnitude.aminmax()]).tolist()
    if math.isinf(low) or math.isinf(high):
        magnitude = magnitude.masked_fill(value.isinf(), 0.0)
        least, most = torch.stack([*magnitude.aminmax()]).tolist()
    if math.isnan(low):
        raise wrong(f"{name} is NaN in places, which is never right: mend it, or draw other inputs")
    if not math.isfinite(least + most):
        raise wrong(f"the magnitude of {name} is not finite: mend it, or draw other inputs")
    if least < 0:
        raise wrong(f"the magnitude of {name} is negative: take absolute values")
    if not TORCH[tensor.dtype].is_floating_point:
        limits = torch.iinfo(TORCH[tensor.dtype])
        if low < limits.min or high > limits.max:
            raise wrong(f"{name} is from {low:g} to {high:g}, but scenario.toml says {tensor.dtype}")
    return value, magnitude


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return True if two tensors have the same shape and values; NaN equals NaN."""
    return one.shape == other.shape and bool(torch.equal(one.nan_to_num(), other.nan_to_num()))


def error_ratio(scenario: Scenario, case: Case, inputs: Tensors, outputs: Tensors) -> float:
    """Return the largest ratio of an error to the allowed one, at most 1.

    Raises Rejected: INCORRECT_NUMERICAL, with the worst position, otherwise. With output o, expected value r and
    magnitude m, each element needs |o - r| <= magnitude * m + relative * |r| + absolute, and o = r where r is infinite;
    each output and each block of it ||o - r|| <= frobenius * ||r||.
    """
    return ratio_to(scenario, case, expected(scenario, case, inputs), outputs)


def ratio_to(scenario: Scenario, case: Case, wanted: Wanted, outputs: Tensors) -> float:
    """Return `error_ratio` for expected outputs that are known already. Raises Rejected."""
    tolerance, worst = scenario.tolerance, 0.0
    for name, pair in wanted.items():
        error, ratio, value = _errors(tolerance, pair, outputs[name])
        worst = max(worst, float(ratio.max()))
        if worst > 1:
            reason = _told(case, name, pair, outputs[name], ratio, tolerance)
            raise Rejected(Status.INCORRECT_NUMERICAL, reason)
        whole, blocks = relative_norms(error, value)
        norm, highest = torch.stack([whole, blocks.max()]).tolist()
        if not (norm <= tolerance.frobenius and highest <= tolerance.frobenius):
            where = "" if case.hidden or not norm <= tolerance.frobenius else _region(tuple(value.shape), blocks)
            reason = f"{name}{where} has a relative error of {max(norm, highest) if where else norm:.2e}"
            if case.hidden:
                reason = f"{name} has a relative error"
            raise Rejected(Status.INCORRECT_NUMERICAL, f"{reason} > {tolerance.frobenius:g} (case {case.label})")
    return worst


def errors(scenario: Scenario, wanted: Wanted, outputs: Tensors) -> tuple[float, float]:
    """Return the largest ratio of an error to the allowed one, and the largest relative norm of an error.

    Rejects nothing.
    """
    worst = norm = 0.0
    for name, pair in wanted.items():
        error, ratio, value = _errors(scenario.tolerance, pair, outputs[name])
        worst, norm = max(worst, float(ratio.max())), max(norm, float(relative_norms(error, value)[0]))
    return worst, norm if math.isfinite(norm) else math.inf


def _errors(
    tolerance: Tolerance, pair: tuple[torch.Tensor, torch.Tensor], output: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return |o - r|, its ratio to the allowed error, and r, each in the output's shape.

    Infinities in r that o has, too, become 0.
    """
    value = pair[0]
    error = output.to(value.dtype).sub(value).abs_()
    allowed = allowed_error(tolerance, pair)
    if bool(torch.stack(value.aminmax()).isinf().any()):
        infinite = value.isinf()
        error.masked_fill_(infinite & (output.to(value.dtype) == value), 0.0)
        allowed.masked_fill_(infinite, 0.0)
        value = value.masked_fill(infinite, 0.0)
    error.nan_to_num_(torch.inf, torch.inf)
    ratio = torch.div(error, allowed, out=allowed).nan_to_num_(0.0, torch.inf)  # 0 where 0 is allowed is no error
    return error, ratio, value


def allowed_error(tolerance: Tolerance, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the allowed error of every element, in the output's shape and the dtype of the expected value."""
    value, magnitude = pair
    return (value.abs() * tolerance.relative).add_(magnitude, alpha=tolerance.magnitude).add_(tolerance.absolute)


def _told(
    case: Case, name: str, pair: tuple[torch.Tensor, torch.Tensor], output: torch.Tensor, ratio: torch.Tensor,
    tolerance: Tolerance,
) -> str:  # fmt: skip
    """Return an agent's explanation of a wrong output; for a hidden test, nothing that reveals its shape or data."""
    count, total = int((ratio > 1).sum()), ratio.numel()
    if case.hidden:
        share = next(words for most, words in COARSE if count / total <= most)
        return f"{name}: {share} of its elements are wrong (case {case.label})"
    at = tuple(int(index) for index in torch.unravel_index(ratio.argmax(), ratio.shape))
    got, right = _number(output[at], output), _number(pair[0][at], output)
    if got == right:
        got, right = f"{float(output[at]):.17g}", f"{float(pair[0][at]):.17g}"
    allowed = float(allowed_error(tolerance, pair)[at]) if bool(pair[0][at].isfinite()) else 0.0
    wrong = f"{count} of {total} elements {'is' if count == 1 else 'are'} wrong"
    said = f"{name}{[*at]} of shape {[*output.shape]} is {got}, expected {right} (allowed error {allowed:.4g})"
    return f"{said}; {wrong} (case {case.label})"


def _number(value: torch.Tensor, output: torch.Tensor) -> str:
    """Return a number in the format of the output's dtype."""
    number = float(value)
    return str(int(number)) if not output.is_floating_point() and number.is_integer() else f"{number:.4g}"


def _region(shape: tuple[int, ...], blocks: torch.Tensor) -> str:
    """Return the block with the largest entry, as a slice."""
    at = (int(index) for index in torch.unravel_index(blocks.argmax(), blocks.shape))
    spans = zip(at, block_of(shape), shape, strict=True)
    return f"[{', '.join(f'{i * extent}:{min(size, (i + 1) * extent)}' for i, extent, size in spans)}]"
