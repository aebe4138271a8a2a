"""The inputs of a launch as a mixture of two drawn sets: cheap to make, and new for each launch."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

import torch

INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Bytes of an element -> integer dtype of the same size."""
LEAST_OFFSETS = 1 << 18
"""Number of offsets, at least, at which the masks of a tensor may start."""


class Masks:
    """Random masks, each 0 or 1, for tensors of up to `largest` elements."""

    def __init__(self, largest: int, device: str) -> None:
        generator = torch.Generator(device).manual_seed(secrets.randbits(62))
        number = largest + max(largest, LEAST_OFFSETS)
        drawn = torch.randint(0, 2, (number,), dtype=torch.int8, generator=generator, device=device)
        self._words = {torch.int8: drawn}
        self._starts = set[int]()

    def start(self, size: int) -> int:
        """Draw a secret offset at which the masks of a tensor of `size` elements start: another one each time."""
        if len(self._starts) > LEAST_OFFSETS // 2:
            self._starts.clear()
        start = secrets.randbelow(len(self._words[torch.int8]) - size + 1)
        if start in self._starts:
            return self.start(size)
        self._starts.add(start)
        return start

    def words(self, kind: torch.dtype, start: int, size: int) -> torch.Tensor:
        """Return `size` masks from `start` on, as a flat tensor of the integer dtype `kind`."""
        if kind not in self._words:
            self._words[kind] = self._words[torch.int8].to(kind)
        return self._words[kind][start : start + size]


class Pair:
    """Two drawn sets of inputs, as flat integers: the bits of one, and what to add to them for those of the other."""

    def __init__(self, one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
        self.one = one
        self.bits = {name: bits_of(tensor) for name, tensor in one.items()}
        self.difference = {name: bits_of(tensor) - self.bits[name] for name, tensor in other.items()}


class Mixed(Mapping[str, torch.Tensor]):
    """The inputs of one launch by name, made on access: those of a whole batch would not fit into memory.

    Each element is taken from one of two drawn sets, at the same position. So a property of single elements is
    preserved (range, sign, the scale of a row), but no sum over a row.
    """

    def __init__(self, pair: Pair, masks: Masks) -> None:
        self._pair, self._masks = pair, masks
        self._starts = {name: masks.start(bits.numel()) for name, bits in pair.bits.items()}

    def write(self, name: str, target: torch.Tensor) -> None:
        """Write the bits of the input `name` into `target`, as from `bits_of`, without a temporary copy."""
        # One operation, which takes a twentieth of what drawing takes. Integers wrap around. (On a CPU torch.where
        # branches on each mask: torch 2.13 takes fifteen times as long.)
        bits = self._pair.bits[name]
        masks = self._masks.words(bits.dtype, self._starts[name], bits.numel())
        torch.addcmul(bits, masks, self._pair.difference[name], out=target)

    def __getitem__(self, name: str) -> torch.Tensor:
        made = torch.empty_like(self._pair.one[name], memory_format=torch.contiguous_format)
        self.write(name, bits_of(made))
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._starts)

    def __len__(self) -> int:
        return len(self._starts)


def bits_of(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor as flat integers of its element size: the same memory if it is contiguous, else a copy."""
    return tensor.contiguous().flatten().view(INTEGERS[tensor.element_size()])
