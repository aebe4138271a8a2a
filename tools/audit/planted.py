"""Planted faults: wrong outputs, made from the expected ones, that a scenario's tolerance has to refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from avo.scenarios.loader import Case, Scenario
from avo.tools.launch.arena import TORCH
from avo.tools.reference.check import Tensors, Wanted, allowed_error, ratio_to
from avo.types import Rejected

BITS = 4
"""Bits of mantissa that are left in an output that was rounded too far."""
OFF_BY = 0.01
"""Relative error of the one element that is wrong."""
PART_OF_ROWS = 8
"""One in this many rows is left zero."""


def accepts(scenario: Scenario, case: Case, wanted: Wanted, outputs: Tensors) -> bool:
    """Return True if the tolerance accepts these outputs."""
    try:
        ratio_to(scenario, case, wanted, outputs)
    except Rejected:
        return False
    return True


def rounded(scenario: Scenario, wanted: Wanted) -> dict[str, torch.Tensor]:
    """Return the expected values in the dtypes of the outputs: the best that a candidate can return."""
    kinds = {tensor.name: TORCH[tensor.dtype] for tensor in scenario.tensors}
    return {name: _to(value, kinds[name]).contiguous() for name, (value, _) in wanted.items()}


def _to(value: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return value.to(kind) if kind.is_floating_point else value.round().to(kind)


def wrong(scenario: Scenario, wanted: Wanted) -> Iterator[tuple[str, str, Tensors]]:
    """Yield a fault's name, the output that has it, and all outputs; every timed case has to refuse each."""
    right = rounded(scenario, wanted)
    for name, output in right.items():
        for fault, make in FAULTS.items():
            made = make(output)
            if made is not None:
                yield fault, name, {**right, name: made}


def one_element_off(scenario: Scenario, wanted: Wanted) -> Iterator[tuple[str, Tensors]]:
    """Yield each output's name, and all outputs with one element of it off by OFF_BY, where that is most visible.

    An integer is off by at least 1.
    """
    right = rounded(scenario, wanted)
    for name, (value, magnitude) in wanted.items():
        finite = value.masked_fill(value.isinf(), 0.0)
        allowed = allowed_error(scenario.tolerance, (finite, magnitude))
        at = int((finite.abs() / allowed).nan_to_num_(0.0, torch.inf).argmax())
        made = right[name].clone().flatten()
        by = made[at].double() * OFF_BY
        made[at] += by.to(made.dtype) if made.is_floating_point() else max(1, round(float(by)))
        yield name, {**right, name: made.view(value.shape)}


def _constant(output: torch.Tensor) -> torch.Tensor | None:
    return _to(output.double().mean(), output.dtype).expand_as(output).contiguous() if output.numel() > 1 else None


def _permuted(output: torch.Tensor) -> torch.Tensor | None:
    """Return the output, moved by one along the first axis with more than one entry; None without such an axis."""
    axes = [axis for axis, extent in enumerate(output.shape) if extent > 1]
    return output.roll(1, axes[0]) if axes else None


def _shifted(output: torch.Tensor) -> torch.Tensor | None:
    return output.flatten().roll(1).view(output.shape) if output.numel() > 1 else None


def _without_rows(output: torch.Tensor) -> torch.Tensor | None:
    made = output.clone()
    rows = made.view(-1, made.shape[-1]) if made.dim() > 1 else made.view(-1, 1)
    count = max(1, len(rows) // PART_OF_ROWS)
    rows[len(rows) // 2 : len(rows) // 2 + count] = 0
    return made


def _few_bits(output: torch.Tensor) -> torch.Tensor | None:
    if not output.is_floating_point():
        return None
    mantissa, exponent = torch.frexp(output.double())
    return torch.ldexp((mantissa * 2 ** (BITS + 1)).round() / 2 ** (BITS + 1), exponent).to(output.dtype)


FAULTS: dict[str, Callable[[torch.Tensor], torch.Tensor | None]] = {
    "zeros": torch.zeros_like,
    "the mean everywhere": _constant,
    "entries exchanged along the first axis": _permuted,
    "everything shifted by one element": _shifted,
    "an eighth of the rows zero": _without_rows,
    f"rounded to {BITS} bits of mantissa": _few_bits,
}
"""Name of a fault -> function that makes an output with it; it returns None for an output that cannot have it."""
