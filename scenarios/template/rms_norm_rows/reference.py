"""RMS normalisation of rows: the inputs, what is expected of them, and what is to be beaten."""

from __future__ import annotations

from typing import Any

import torch


def make_inputs(case: Any, seed: int, device: str) -> dict[str, torch.Tensor]:
    """Every tensor of role "in", by name, in the dtype and shape of scenario.toml; the same for the same seed.

    CHANGE: values as they occur; case.inputs names the family, at timed shapes those of the tests too. Timed
    launches mix two draws, element by element.
    """
    generator = torch.Generator(device).manual_seed(seed)
    x = torch.randn(case.dims["R"], case.dims["C"], generator=generator, device=device)
    if case.inputs == "large":
        x *= 1e4
    elif case.inputs == "uneven":
        x *= 10.0 ** (torch.arange(case.dims["R"], device=device) % 5 - 2).view(-1, 1)
    return {"x": x}


def reference(case: Any, inputs: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """By output: (r, m), the value and the size of what was summed up to it; in float64.

    CHANGE: for a dot product m is the sum of the absolute products; where nothing cancels, m is |r|.
    """
    x = inputs["x"].double()
    y = x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6)
    return {"y": (y, y.abs())}


def torch_rms_norm(case: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """A baseline: PyTorch's own, in the dtype of the inputs.

    CHANGE: what a user would call today.
    """
    return torch.nn.functional.rms_norm(inputs["x"], (case.dims["C"],), eps=1e-6)
