"""Checks a part of a launch's outputs: a few rows, so cheaply that every timed launch can be checked.

A scenario says which rows can be computed by themselves with a function `sample(case, inputs, seed)` in reference.py,
which returns {output: (index, value, magnitude)}, each flat, with `index` as positions in the flattened output. Without
it, the dimensions are found along which the reference of a slice is the slice of the reference; that is tested on the
case's own data.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from avo.scenarios.loader import Case, Scenario, Tolerance
from avo.tools.reference.asked import asked, calling, fault
from avo.tools.reference.check import Tensors, Wanted, allowed_error, error_ratio, expected
from avo.types import ScenarioError

HOOK = "sample"
"""Name of the optional function in reference.py."""
Function = Callable[..., Mapping[str, tuple[torch.Tensor, ...]]]
"""`sample` or `reference` of a scenario."""
Seen = list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
"""By output: expected value, magnitude, and what a launch wrote, of a part."""
SLICE, PART_OF_EXTENT = 4, 4
"""Entries of a dimension in a slice: at most SLICE, and at most one in PART_OF_EXTENT."""
SAME = 0.05
"""Part of the allowed error within which the reference of a slice has to equal the slice of the reference."""
PROOFS = 2
"""Number of slices that are tested: first the last one, as the first would not show what depends on preceding
entries.
"""
GARBAGE = 8.0
"""Multiple of the allowed relative norm that the error of a part may have before the whole output is checked."""
TOGETHER = 1 << 23
"""Elements of parts that are compared at once: hundreds of small comparisons cost more than launches of 20 us."""
WHOLE_LAUNCHES = 4
"""Launches of a batch that are drawn and checked whole, where no part of an output can be computed by itself."""


class Parts:
    """The partial check of one case's outputs."""

    def __init__(self, scenario: Scenario, case: Case, inputs: Tensors, wanted: Wanted) -> None:
        """Choose the way of checking, from one drawn set of inputs and its expected outputs. Raises ScenarioError."""
        self.scenario, self.case = scenario, case
        self._axes = {tensor.name: [str(extent) for extent in tensor.shape] for tensor in scenario.tensors}
        self._sliced: dict[tuple[str, ...], Case] = {}
        """Dimensions to slice -> the case of a slice: its extents are the same wherever it starts."""
        self.sampled = callable(getattr(scenario.reference, HOOK, None))
        if self.sampled:
            self._agrees(inputs, wanted)
        self.dims = () if self.sampled else self._proved(inputs, wanted)

    def check(self, launches: Sequence[tuple[Tensors, Tensors]], parts: int = 1) -> None:
        """Raise Rejected if one of `parts` drawn parts of a launch is wrong. launches: inputs and outputs of each.

        The device is waited for once. An error in a part is confirmed on the whole output before anybody is rejected.
        """
        if not self.sampled and not self.dims:
            for launch in secrets.SystemRandom().sample(launches, min(WHOLE_LAUNCHES, len(launches))):
                error_ratio(self.scenario, self.case, *launch)
            return
        looks = [*launches] * parts
        seen: list[Seen] = []
        worst: list[torch.Tensor] = []
        with calling(self.scenario, HOOK if self.sampled else "reference", self.case) as function:
            for launch in looks:
                seen.append(self._seen(function, *launch))
                if sum(value.numel() for value, _, _ in seen[-1]) * len(seen) > TOGETHER:
                    worst.append(_ratios(self.scenario.tolerance, seen))
                    seen = []
        worst += [_ratios(self.scenario.tolerance, seen)] if seen else []
        for launch, ratio in zip(looks, torch.cat(worst).tolist(), strict=True):
            if ratio > 1:
                error_ratio(self.scenario, self.case, *launch)

    def _seen(self, function: Function, inputs: Tensors, outputs: Tensors) -> Seen:
        """Return a drawn part of a launch's outputs."""
        if self.sampled:
            drawn = function(self.case, dict(inputs), secrets.randbits(62)).items()
            return [(value, size, outputs[name].flatten()[index]) for name, (index, value, size) in drawn]
        starts = self._starts(self.dims)
        wanted = function(*self._slice(inputs, starts)).items()
        cut = {name: self._cut(name, whole, starts) for name, whole in outputs.items()}
        return [(value, size, cut[name]) for name, (value, size) in wanted]

    # ---- samples -------------------------------------------------------------------------------

    def _agrees(self, inputs: Tensors, wanted: Wanted) -> None:
        """Raise ScenarioError if the scenario's `sample` is malformed, or disagrees with its `reference`."""
        drawn: Any = asked(self.scenario, HOOK, self.case, inputs, secrets.randbits(62))
        whole = isinstance(drawn, Mapping) and set(drawn) == set(wanted)
        if not whole or any(len(parts) != 3 or len({len(part) for part in parts}) != 1 for parts in drawn.values()):
            problem = f"must return {', '.join(sorted(wanted))}: (index, value, magnitude)"
            raise fault(self.scenario, HOOK, self.case, problem)
        for name, (index, *pair) in drawn.items():
            right, scale = (part.flatten()[index] for part in wanted[name])
            value, size = (part.to(scale.dtype) for part in pair)
            if float(_elements(self.scenario.tolerance, (right, scale), value).max()) > SAME:
                raise fault(self.scenario, HOOK, self.case, f"{name} is not what reference() answers there")
            if not torch.allclose(size, scale, rtol=1e-2, atol=1e-30):
                raise fault(self.scenario, HOOK, self.case, f"the magnitude of {name} is not what reference() answers")

    # ---- slices --------------------------------------------------------------------------------

    def _proved(self, inputs: Tensors, wanted: Wanted) -> tuple[str, ...]:
        """Return the dimensions along which slices of this case are independent of the rest."""
        found: tuple[str, ...] = ()
        for dim in independent(self.scenario):
            if self.case.dims[dim] > 1 and self._holds((*found, dim), inputs, wanted):
                found = (*found, dim)
        return found

    def _holds(self, dims: Sequence[str], inputs: Tensors, wanted: Wanted) -> bool:
        for proof in range(PROOFS):
            starts = self._starts(dims)
            if proof == 0:
                starts = {dim: (self.case.dims[dim] - length, length) for dim, (_, length) in starts.items()}
            try:
                of_slice = expected(self.scenario, *self._slice(inputs, starts))
            except ScenarioError:  # the reference does not take such a shape
                return False
            for name, (value, magnitude) in wanted.items():
                right, scale = (self._cut(name, whole, starts) for whole in (value, magnitude))
                got, size = (part.to(scale.dtype) for part in of_slice[name])
                if float(_elements(self.scenario.tolerance, (right, scale), got).max()) > SAME:
                    return False
                if not torch.allclose(size, scale, rtol=1e-3, atol=1e-30):
                    return False
        return True

    def _starts(self, dims: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return, by dimension, the drawn start of a slice and its length."""
        lengths = {dim: max(1, min(SLICE, self.case.dims[dim] // PART_OF_EXTENT)) for dim in dims}
        return {dim: (secrets.randbelow(self.case.dims[dim] - n + 1), n) for dim, n in lengths.items()}

    def _slice(self, inputs: Tensors, starts: Mapping[str, tuple[int, int]]) -> tuple[Case, Tensors]:
        """Return the case and the inputs of a slice."""
        if (dims := tuple(starts)) not in self._sliced:
            extents = self.case.dims | {dim: length for dim, (_, length) in starts.items()}
            self._sliced[dims] = self.case.model_copy(update={"dims": extents})
        cut = {name: self._cut(name, tensor, starts) for name, tensor in inputs.items()}
        return self._sliced[dims], cut

    def _cut(self, name: str, whole: torch.Tensor, starts: Mapping[str, tuple[int, int]]) -> torch.Tensor:
        for axis, extent in enumerate(self._axes[name]):
            if extent in starts:
                whole = whole.narrow(axis, *starts[extent])
        return whole


def independent(scenario: Scenario) -> list[str]:
    """Return the dimensions to slice: one whole axis of each output, at most one of an input, nothing else."""
    moved = [tensor for tensor in scenario.tensors if tensor.role != "workspace"]

    def whole_axes(dim: str) -> bool:
        for tensor in moved:
            uses = [extent for extent in tensor.shape if re.search(rf"\b{dim}\b", str(extent))]
            if uses not in ([], [dim]) or (tensor.role == "out" and not uses):
                return False
        return not any(re.search(rf"\b{dim}\b", str(scalar.value)) for scalar in scenario.scalars)

    return [dim for dim in scenario.dims if whole_axes(dim)]


def _elements(tolerance: Tolerance, pair: tuple[torch.Tensor, torch.Tensor], got: torch.Tensor) -> torch.Tensor:
    """Return the error over the allowed error by element; infinite for NaN, 0 where an infinity is expected and met."""
    value = pair[0]
    got = got.to(value.dtype)
    error = (got - value).abs() / allowed_error(tolerance, pair)
    return error.masked_fill(got == value, 0.0).nan_to_num(torch.inf, torch.inf)


def _ratios(tolerance: Tolerance, seen: Sequence[Seen]) -> torch.Tensor:
    """Return by launch the largest ratio of an error to the allowed one in its part, [launches], on the device."""
    if len({tuple(value.shape for value, _, _ in part) for part in seen}) > 1:  # samples may differ in number
        return torch.cat([_ratios(tolerance, [part]) for part in seen])
    by_output = [
        tuple(torch.stack([part.flatten() for part in parts]) for parts in zip(*launches, strict=True))
        for launches in zip(*seen, strict=True)
    ]
    return torch.stack([_worst(tolerance, (value, size), got) for value, size, got in by_output]).amax(0)


def _worst(tolerance: Tolerance, pair: tuple[torch.Tensor, torch.Tensor], got: torch.Tensor) -> torch.Tensor:
    """Return by row the largest of these ratios; or the norm's error over GARBAGE times the allowed one, if larger."""
    value = pair[0]
    pair = (value, pair[1].to(value.dtype))
    if not value.is_floating_point():
        value, pair = value.double(), (value.double(), pair[1].double())
    worst = _elements(tolerance, pair, got).amax(1)
    if not tolerance.frobenius:
        return worst
    error = got.to(value.dtype) - value
    norm = error.norm(dim=1) / (GARBAGE * tolerance.frobenius * value.norm(dim=1))
    return torch.maximum(worst, norm.nan_to_num(0.0, 0.0))
