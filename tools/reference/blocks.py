"""Norms by blocks of an output: a region that is wrong does not hide behind the rest."""

from __future__ import annotations

import math

import torch

LARGEST = 32 << 10
"""Elements of a block; half as many at least, where an output has them."""
FLOOR = 0.1
"""Part of its share of the whole norm that counts as a block's norm at least: what cancels in it is not refused."""


def block_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Extents of a block: the longest one is halved until they hold no more than LARGEST elements."""
    extents = list(shape)
    while math.prod(extents) > LARGEST:
        axis = max(range(len(extents)), key=extents.__getitem__)
        extents[axis] = -(-extents[axis] // 2)
    return tuple(extents)


def norms(tensor: torch.Tensor, block: tuple[int, ...]) -> torch.Tensor:
    """The Euclidean norm of every block, [blocks along each axis]; the last ones of an axis may be shorter."""
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
    """How many elements each block has, as `norms` numbers them."""
    counts = torch.ones((1,) * len(shape), dtype=torch.float64, device=device)
    for axis, (size, extent) in enumerate(zip(shape, block, strict=True)):
        lengths = torch.arange(0, size, extent, device=device).neg_().add_(size).clamp_(max=extent)
        counts = counts * lengths.view([-1 if axis == other else 1 for other in range(len(shape))])
    return counts


def relative_norms(error: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of error against value: the norm over the whole, and by block; 0 where the value is 0 everywhere.

    A block's norm is against that of the value in it, or against FLOOR of its share of the whole where that is more.
    """
    shape = tuple(value.shape)
    block = block_of(shape)
    wrong, right = (norms(tensor, block).double() for tensor in (error, value))
    whole = torch.linalg.vector_norm(right)
    share = (elements(shape, block, value.device) / math.prod(shape)).sqrt()
    least = torch.maximum(right, share * whole * FLOOR)
    zero = whole == 0
    return (torch.linalg.vector_norm(wrong) / whole).masked_fill(zero, 0.0), (wrong / least).masked_fill(zero, 0.0)
