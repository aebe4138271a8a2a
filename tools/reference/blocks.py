"""Norms of an output by blocks, so that a wrong region is not hidden by the rest."""

from __future__ import annotations

import math

import torch

LARGEST = 32 << 10
"""Maximum number of elements of a block; it has at least half as many if the output does."""
FLOOR = 0.1
"""Minimum norm of a block, relative to its share of the whole norm: values may cancel in a block."""


def block_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the extents of a block: the longest is halved until the block has at most LARGEST elements."""
    extents = list(shape)
    while math.prod(extents) > LARGEST:
        axis = max(range(len(extents)), key=extents.__getitem__)
        extents[axis] = -(-extents[axis] // 2)
    return tuple(extents)


def norms(tensor: torch.Tensor, block: tuple[int, ...]) -> torch.Tensor:
    """Return the Euclidean norm of every block, [blocks along each axis], in the dtype of the tensor.

    The last block along an axis may be shorter.
    """
    for axis, extent in enumerate(block):
        whole = tensor.shape[axis] // extent * extent
        if 0 < whole < tensor.shape[axis]:
            parts = tensor.narrow(axis, 0, whole), tensor.narrow(axis, whole, tensor.shape[axis] - whole)
            return torch.cat([norms(part, block) for part in parts], axis)
    for axis in reversed(range(tensor.dim())):
        extent = min(block[axis], tensor.shape[axis])
        tensor = tensor.unflatten(axis, (tensor.shape[axis] // extent, extent))  # type: ignore[no-untyped-call]
    found: torch.Tensor = torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.dim(), 2)))
    return found


def elements(shape: tuple[int, ...], block: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Return the number of elements of every block, float64 [blocks along each axis]."""
    counts = torch.ones((1,) * len(shape), dtype=torch.float64, device=device)
    for axis, (size, extent) in enumerate(zip(shape, block, strict=True)):
        lengths = torch.arange(0, size, extent, device=device).neg_().add_(size).clamp_(max=extent)
        counts = counts * lengths.view([-1 if axis == other else 1 for other in range(len(shape))])
    return counts


def relative_norms(error: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the norm of `error` relative to that of `value`, over the whole and by block; 0 if all of `value` is 0.

    A block's error is divided by the norm of `value` in it, or by FLOOR of its share of the whole norm, if that is
    larger. Both results are float64: a scalar, and [blocks along each axis].
    """
    shape = tuple(value.shape)
    block = block_of(shape)
    wrong, right = (norms(tensor, block).double() for tensor in (error, value))
    whole = torch.linalg.vector_norm(right)
    share = (elements(shape, block, value.device) / math.prod(shape)).sqrt()
    least = torch.maximum(right, share * whole * FLOOR)
    zero = whole == 0
    return (torch.linalg.vector_norm(wrong) / whole).masked_fill(zero, 0.0), (wrong / least).masked_fill(zero, 0.0)
