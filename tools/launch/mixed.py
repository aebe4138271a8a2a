"""The inputs of a launch as a mixture of two drawn sets: cheap to make, and new each time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

import torch

INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""By bytes of an element."""


class Masks:
    """Random words, each all ones or all zeros, for tensors of up to `largest` elements."""

    def __init__(self, largest: int, device: str) -> None:
        generator = torch.Generator(device).manual_seed(secrets.randbits(62))
        drawn = torch.randint(0, 2, (2 * largest,), dtype=torch.int8, generator=generator, device=device).neg_()
        self._words = {torch.int8: drawn}

    def start(self, size: int) -> int:
        """Where the words for so many elements begin, drawn in secret."""
        return secrets.randbelow(len(self._words[torch.int8]) - size + 1)

    def words(self, kind: torch.dtype, start: int, size: int) -> torch.Tensor:
        if kind not in self._words:
            self._words[kind] = self._words[torch.int8].to(kind)
        return self._words[kind][start : start + size]


class Pair:
    """Two drawn sets as bits."""

    def __init__(self, one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
        self.one = one
        self.bits = {name: _bits(tensor) for name, tensor in one.items()}
        self.difference = {name: self.bits[name] ^ _bits(tensor) for name, tensor in other.items()}


class Mixed(Mapping[str, torch.Tensor]):
    """The inputs of one launch, made anew whenever one is asked for: a row of launches has more than memory holds.

    Each element is that of one of two drawn sets, at the same place; so it keeps whatever holds for single elements
    (range, sign, the scale of its row), and of what is summed over a row nothing.
    """

    def __init__(self, pair: Pair, masks: Masks) -> None:
        self._pair, self._masks = pair, masks
        self._starts = {name: masks.start(bits.numel()) for name, bits in pair.bits.items()}

    def write(self, name: str, target: torch.Tensor) -> None:
        """Write one of them to where it is wanted: cheaper than to make it and to copy it there."""
        # Bits under a mask take a twentieth of what drawing takes.
        bits, into = self._pair.bits[name], _bits(target)
        torch.bitwise_and(
            self._pair.difference[name], self._masks.words(bits.dtype, self._starts[name], len(bits)), out=into
        )
        into.bitwise_xor_(bits)

    def __getitem__(self, name: str) -> torch.Tensor:
        made = torch.empty_like(self._pair.one[name], memory_format=torch.contiguous_format)
        self.write(name, made)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._starts)

    def __len__(self) -> int:
        return len(self._starts)


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """The same memory, if it is contiguous, as flat integers of the elements' size."""
    return tensor.contiguous().flatten().view(INTEGERS[tensor.element_size()])
