"""New data for every launch: the magnitudes that were drawn once, under random signs of their own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

import torch

from avo.tools.score.check import Tensors


class Signs:
    """Random signs for tensors of up to `largest` elements: a tenth of the time that drawing values takes."""

    def __init__(self, largest: int, device: str) -> None:
        generator = torch.Generator(device).manual_seed(secrets.randbits(62))
        drawn = torch.randint(0, 2, (2 * largest,), dtype=torch.int32, generator=generator, device=device)
        self._masks = {2: drawn.to(torch.int16) << 15, 4: drawn << 31}

    def start(self, tensor: torch.Tensor) -> int:
        """Where the signs of a tensor begin, drawn in secret."""
        return secrets.randbelow(len(self._masks[tensor.element_size()]) - tensor.numel())

    def applied(self, tensor: torch.Tensor, start: int) -> torch.Tensor:
        """The tensor under the signs from `start` on."""
        masks = self._masks[tensor.element_size()]
        bits = tensor.flatten().view(masks.dtype)
        return (bits ^ masks[start : start + len(bits)]).view(tensor.dtype).view(tensor.shape)


class Signed(Mapping[str, torch.Tensor]):
    """The inputs of one launch, made anew whenever one is asked for: a row of launches has more than memory holds.

    Whole numbers have no sign and stay what they are.
    """

    def __init__(self, inputs: Tensors, signs: Signs) -> None:
        self._inputs, self._signs = inputs, signs
        self._starts = {name: signs.start(tensor) for name, tensor in inputs.items() if tensor.is_floating_point()}

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor = self._inputs[name]
        return self._signs.applied(tensor, self._starts[name]) if name in self._starts else tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)
