"""Mixtures: other values in every launch, whatever the dtype, and nothing that was not drawn."""

from __future__ import annotations

import pytest
import torch

from avo.tools.launch.mixed import Masks, Mixed, Pair, bits_of

SIZE = 4096
KINDS = {
    "floats": lambda: torch.randn(64, 64),
    "bf16": lambda: torch.randn(64, 64).bfloat16(),
    "magnitudes alone": lambda: torch.rand(SIZE) + 1,
    "integers": lambda: torch.randint(-(1 << 31), 1 << 31, (SIZE,)).to(torch.int32),
    "bytes": lambda: torch.randint(256, (SIZE,)).to(torch.uint8),
    "zeros and ones": lambda: torch.randint(2, (SIZE,)).to(torch.uint8),
    "not contiguous": lambda: torch.randn(64, 64).T,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_launch_sees_other_values_each_of_them_one_that_was_drawn_for_its_place(kind: str) -> None:
    one, other = ({"x": KINDS[kind]()} for _ in range(2))
    masks, pair = Masks(SIZE, "cpu"), Pair(one, other)
    seen = [one["x"], other["x"], *(Mixed(pair, masks)["x"] for _ in range(6))]
    for place, mixture in enumerate(seen):
        assert mixture.dtype == one["x"].dtype
        assert bool(((mixture == one["x"]) | (mixture == other["x"])).all())
        differ = one["x"] != other["x"]
        for before in seen[:place]:
            assert 0.3 < float((mixture != before)[differ].double().mean()) <= 1


@pytest.mark.parametrize("size", [7, SIZE])
def test_no_two_launches_have_the_same_masks(size: int) -> None:
    masks = Masks(SIZE, "cpu")
    starts = [masks.start(size) for _ in range(20000)]
    assert len({*starts}) == len(starts)
    assert all(len(masks.words(torch.int8, start, size)) == size for start in starts)


def test_a_mixture_is_the_same_however_often_and_by_whatever_way_it_is_asked_for() -> None:
    sets = [{"x": torch.randn(64, 64), "n": torch.randint(9, (7,)).to(torch.int32)} for _ in range(2)]
    mixture = Mixed(Pair(*sets), Masks(SIZE, "cpu"))
    assert list(mixture) == ["x", "n"]
    assert len(mixture) == 2
    for name, tensor in mixture.items():
        written = torch.zeros_like(tensor)
        mixture.write(name, bits_of(written))
        assert torch.equal(written, tensor)
        assert torch.equal(mixture[name], tensor)


def test_what_was_drawn_is_left_as_it_is() -> None:
    sets = [{"x": torch.randn(64, 64)} for _ in range(2)]
    before = [one["x"].clone() for one in sets]
    pair, masks = Pair(*sets), Masks(SIZE, "cpu")
    for _ in range(3):
        Mixed(pair, masks)["x"].zero_()
    assert all(torch.equal(one["x"], kept) for one, kept in zip(sets, before, strict=True))


def test_infinities_denormals_and_zeros_of_either_sign_come_through_bit_by_bit() -> None:
    values = torch.tensor([torch.inf, -torch.inf, 1e-42, -0.0, 0.0, torch.nan]).repeat(100)
    mixture = Mixed(Pair({"x": values}, {"x": values.clone()}), Masks(SIZE, "cpu"))["x"]
    assert torch.equal(mixture.view(torch.int32), values.view(torch.int32))
