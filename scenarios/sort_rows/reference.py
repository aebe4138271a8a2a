"""Sorting rows: no arithmetic at all, so that every output has to be exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def make_inputs(case: Any, seed: int, device: str) -> dict[str, torch.Tensor]:
    """x as fp32 [R, C], finite; `case.inputs` names how it is drawn."""
    R, C = case.dims["R"], case.dims["C"]
    generator = torch.Generator(device).manual_seed(seed)
    x = torch.randn(R, C, generator=generator, device=device)
    match case.inputs:
        case "randn":
            pass
        case "sorted":
            x = x.sort(dim=1).values
        case "reversed":
            x = x.sort(dim=1, descending=True).values
        case "few":  # the same few values again and again
            x = (x * 2).round()
        case "constant":
            x = x[:, :1].expand(R, C).contiguous()
        case "wide":  # all orders of magnitude, denormals among them
            x = x.sign() * 10.0 ** (torch.rand(R, C, generator=generator, device=device) * 80 - 42)
        case "organ_pipe":  # up, then down: bad for a pivot from the middle
            x = x.sort(dim=1).values
            x = torch.cat([x[:, ::2], x[:, 1::2].flip(1)], dim=1)
        case "ends":  # the largest and smallest there are
            top = torch.finfo(torch.float32).max
            x[:, ::3], x[:, 1::3] = top, -top
        case other:
            raise ValueError(f"no input family '{other}'")
    return {"x": x}


def reference(case: Any, inputs: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """{"y": (r, m)}: each row of x in ascending order, float64 [R, C]; m = |r|, though no error is allowed."""
    y = torch.from_numpy(np.sort(inputs["x"].double().numpy(), axis=1))  # ten times faster than PyTorch's
    return {"y": (y, y.abs())}


def torch_sort(case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """PyTorch's sort."""
    return inputs["x"].sort(dim=1).values


def numpy_sort(case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """NumPy's sort, which has a vectorised quicksort for AVX-512 and AVX2."""
    return torch.from_numpy(np.sort(inputs["x"].numpy(), axis=1))
