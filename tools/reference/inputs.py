"""The inputs of a launch, as drawn by reference.py and checked against scenario.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from avo.scenarios.loader import Case, Scenario, shape_of
from avo.tools.launch.arena import TORCH
from avo.tools.reference.asked import asked, fault
from avo.types import ScenarioError

Tensors = Mapping[str, torch.Tensor]
"""Tensor name -> tensor, in the shape and dtype of scenario.toml."""


def drawn(scenario: Scenario, case: Case, seed: int, device: str) -> Tensors:
    """Return the checked inputs that the scenario's make_inputs draws by `seed`. Raises ScenarioError."""
    try:
        return checked(scenario, case, "make_inputs", asked(scenario, "make_inputs", case, seed, device), device)
    except ScenarioError as error:
        if any(own.id == case.id and own.inputs != case.inputs for own in scenario.cases):
            which = f"the family '{case.inputs}': let make_inputs draw it at this shape, or leave it out by `families`"
            raise error.but(f"{error.problem} ({which})") from error
        raise


def refreshed(scenario: Scenario, case: Case, inputs: Tensors, seed: int, device: str) -> Tensors:
    """Return the checked inputs that the scenario's `refresh` makes from earlier ones. Raises ScenarioError."""
    return checked(scenario, case, "refresh", asked(scenario, "refresh", case, inputs, seed), device)


def checked(scenario: Scenario, case: Case, function: str, result: Any, device: str) -> Tensors:
    """Return the inputs that a function of reference.py returned, as contiguous tensors without a gradient.

    Raises ScenarioError for a missing or unknown input, anything but a tensor, and a wrong dtype, shape or device.
    """
    wanted = {tensor.name: tensor for tensor in scenario.tensors if tensor.role == "in"}

    def wrong(problem: str) -> ScenarioError:
        return fault(scenario, function, case, problem)

    if not isinstance(result, Mapping):
        raise wrong(f"must return a dict of tensors by name, not {_kind(result)}")
    if surplus := [name for name in result if name not in wanted]:
        raise wrong(f"returns '{surplus[0]}', which is no input: scenario.toml has {', '.join(wanted) or 'none'}")
    inputs = {}
    for name, tensor in wanted.items():
        given, shape = result.get(name), list(shape_of(tensor, case))
        if given is None:
            raise wrong(f"must return {name} with the shape {shape}")
        if not isinstance(given, torch.Tensor):
            raise wrong(f"must return a dict of tensors by name; {name} is {_kind(given)}")
        if list(given.shape) != shape:
            raise wrong(f"must return {name} with the shape {shape}, not {[*given.shape]}")
        if given.dtype != TORCH[tensor.dtype]:
            kind = str(given.dtype).removeprefix("torch.")
            raise wrong(f"{name} is {kind}, but scenario.toml says {tensor.dtype}: convert it")
        if given.device.type != device:
            raise wrong(f"{name} is on {given.device}: make it on `device`, here {device}")
        inputs[name] = plain(scenario, function, case, name, given)
    return inputs


def plain(scenario: Scenario, function: str, case: Case, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return the values as a dense, contiguous tensor without a gradient. Raises ScenarioError for a sparse one."""
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise fault(scenario, function, case, f"{name} is no dense tensor: make it one")
    tensor = tensor.detach().resolve_neg().as_subclass(torch.Tensor)
    return (tensor.clone() if tensor.is_inference() else tensor).contiguous()


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
