"""The arena: many sets of buffers at once, and whatever is wrong in any of them is found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch

from avo.scenarios.abi import pack
from avo.scenarios.loader import Case, Scenario
from avo.tools.launch.arena import GUARD, TORCH, Arena, Slot, slot_bytes
from avo.tools.launch.buffers import HostBuffer
from avo.tools.launch.runner import LARGEST_COMMAND
from avo.tools.score.judge import Judge
from avo.types import Rejected, Status

LARGE, SMALL = (Case(id="large", dims={"R": 256, "C": 1024}), Case(id="{small}", dims={"R": 5, "C": 7}))
SETS, MOST, BASE = 4, 600, 1 << 40


@pytest.fixture
def arena(tiny: Scenario) -> Iterator[Arena]:
    arena = Arena(tiny, (LARGE, SMALL), HostBuffer, SETS, MOST)
    yield arena
    arena.buffer.close()


@pytest.fixture
def judge(tiny: Scenario) -> Judge:
    return Judge(tiny, "cpu")


def memory(arena: Arena, slot: Slot, name: str) -> torch.Tensor:
    """A tensor of a slot, as a candidate sees it."""
    span = slot.spans[name]
    return arena.buffer.bytes[span.start : span.start + span.size].view(TORCH[span.tensor.dtype]).view(span.shape)


def test_smaller_cases_have_more_slots_in_the_same_memory(tiny: Scenario, arena: Arena) -> None:
    assert len(arena.slots(LARGE, BASE)) == SETS
    assert len(arena.slots(SMALL, BASE)) == len(arena.buffer.bytes) // slot_bytes(tiny, [SMALL])
    assert Arena(tiny, (SMALL,), HostBuffer, 700, 5).slots(SMALL, BASE)[5:] == []


def test_the_arguments_of_all_slots_fit_into_one_command(tiny: Scenario) -> None:
    slots = Arena(tiny, (SMALL,), HostBuffer, 2000, 2000).slots(SMALL, BASE)
    assert 1000 < len(slots) < 2000
    assert sum(len(slot.arguments) for slot in slots) <= LARGEST_COMMAND


def test_no_two_tensors_share_memory_and_each_is_where_the_candidate_is_told(tiny: Scenario, arena: Arena) -> None:
    for case in (LARGE, SMALL):
        slots = arena.slots(case, BASE)
        spans = sorted((s.start, s.start + s.size) for slot in slots for s in slot.spans.values())
        assert spans[0][0] >= GUARD
        assert spans[-1][1] + GUARD <= len(arena.buffer.bytes)
        assert all(end + GUARD <= start for (_, end), (start, _) in pairwise(spans))
        for slot in slots:
            assert slot.arguments == pack(tiny, case, {n: BASE + s.start for n, s in slot.spans.items()})


def test_what_was_asked_for_is_what_was_written(arena: Arena, judge: Judge) -> None:
    slots = arena.slots(SMALL, BASE)[2:9]
    pool = judge.pool(SMALL, 3)
    sets = [pool.fresh() for _ in slots]
    arena.prepare(slots, sets)
    for number, (slot, inputs) in enumerate(zip(slots, sets, strict=True)):
        assert torch.equal(memory(arena, slot, "a"), inputs["a"])
        assert torch.equal(memory(arena, slot, "x"), inputs["x"])
        assert memory(arena, slot, "y").isnan().all()
        memory(arena, slot, "y").fill_(number)
    kept = arena.take(slots, sets, {0, 6})
    assert {index: float(tensors["y"][0]) for index, tensors in kept.items()} == {0: 0.0, 6: 6.0}
    memory(arena, slots[6], "y").fill_(9)  # whoever writes later does not reach the copies
    assert float(kept[6]["y"][0]) == 6


@pytest.mark.parametrize("number", [0, 3, 6])
@pytest.mark.parametrize("kept", [{0}, {3, 5}])
@pytest.mark.parametrize("counted", [1, 15, 1 << 26])
def test_damage_in_one_of_many_slots_is_found(
    arena: Arena, judge: Judge, number: int, kept: set[int], counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avo.tools.launch.arena.COUNTED", counted)
    slots = arena.slots(SMALL, BASE)[:7]
    sets = [judge.draw(SMALL) for _ in slots]
    hit = slots[number].spans

    def told(change: int | None, written: float = 1.0) -> tuple[Status, str]:
        arena.prepare(slots, sets)
        for slot in slots:
            memory(arena, slot, "y").fill_(1)
        if change is not None:
            arena.buffer.bytes[change] ^= 1
        if written != written:  # the poison is one NaN of many
            memory(arena, slots[number], "y").view(torch.int32)[:2] = 0x7FD5AAAA
        with pytest.raises(Rejected) as caught:
            arena.take(slots, sets, kept)
        return caught.value.status, caught.value.reason

    assert told(hit["x"].start) == (Status.INPUT_MODIFIED, "input x changed (case {small})")
    assert told(hit["y"].start - 1) == (Status.OUT_OF_BOUNDS, "wrote outside of y (case {small})")
    assert told(hit["y"].start - GUARD) == (Status.OUT_OF_BOUNDS, "wrote outside of y (case {small})")
    assert told(hit["a"].start + hit["a"].size + GUARD - 1)[1] == "wrote outside of a (case {small})"
    assert told(None, float("nan")) == (Status.NOT_WRITTEN, "left 2 of 5 elements of y unwritten (case {small})")
