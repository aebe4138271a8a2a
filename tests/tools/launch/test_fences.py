"""Fences: what is read or written beyond a tensor is found while a candidate is checked, wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from avo.scenarios.abi import pack
from avo.scenarios.loader import Case, Scenario, load
from avo.tools.build.seeds import seed_sources
from avo.tools.build.sources import Sources
from avo.tools.launch.arena import APART, GUARD, PAGE, TORCH, Arena, Edge, Slot
from avo.tools.launch.buffers import HostBuffer
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge
from avo.types import Rejected, Status

BASE = 1 << 40
ODD = Case(id="odd", dims={"R": 5, "C": 7})
LARGE = Case(id="large", dims={"R": 256, "C": 1024})
START = "for (int64_t n = 0; n < a->R; n++) {"


class Unfenced(HostBuffer):
    """Memory of this machine that is laid out as a GPU's, which has no fences."""

    def __init__(self, size: int) -> None:
        super().__init__(size)


@pytest.fixture
def arena(tiny: Scenario) -> Iterator[Arena]:
    arena = Arena(tiny, (LARGE, ODD), HostBuffer, 4, 600)
    yield arena
    arena.buffer.close()


def with_bytes(scenario: Scenario) -> Scenario:
    """The scenario with one-byte inputs, so that tensors may have an odd size."""
    tensors = tuple(t.model_copy(update={"dtype": "uint8"}) if t.role == "in" else t for t in scenario.tensors)
    return scenario.model_copy(update={"tensors": tensors})


def closed(slot: Slot, offset: int) -> bool:
    return any(first <= offset < first + length for first, length in slot.fences)


@pytest.mark.parametrize("case", [LARGE, ODD])
@pytest.mark.parametrize("bytes_alone", [False, True])
def test_inputs_end_or_begin_at_pages_that_cannot_be_touched(tiny: Scenario, case: Case, bytes_alone: bool) -> None:
    scenario = with_bytes(tiny) if bytes_alone else tiny
    arena = Arena(scenario, (LARGE, ODD), HostBuffer, 4, 600)
    for edge in Edge:
        slot = arena.fenced(case, BASE, edge)
        assert slot.arguments == pack(scenario, case, {n: BASE + s.start for n, s in slot.spans.items()})
        ends = 0
        for span in slot.spans.values():
            last = span.start + span.size
            assert span.start % 16 == 0
            assert span.start % 32 == 16 or edge is Edge.START or (edge is Edge.END and span.tensor.role == "in")
            assert not any(closed(slot, at) for at in (span.start, last - 1))
            assert span.start - ends >= APART
            ends = last
            if span.tensor.role == "in":
                assert edge is not Edge.START or closed(slot, span.start - 1)
                assert edge is not Edge.END or closed(slot, last + 15)
                assert closed(slot, last + PAGE)
                assert closed(slot, span.start - PAGE)
            else:
                assert not any(closed(slot, at) for at in (span.start - GUARD, last + GUARD - 1))
                assert closed(slot, span.start - GUARD - PAGE)
                assert closed(slot, last + GUARD + PAGE)
        assert closed(slot, 0)  # where other slots are
        assert all(offset % PAGE == length % PAGE == 0 for offset, length in slot.fences)
    arena.buffer.close()


def test_what_lies_between_fences_takes_no_memory(arena: Arena) -> None:
    before = os.fstat(arena.buffer.descriptors[0]).st_blocks
    for edge in Edge:
        slot = arena.fenced(ODD, BASE, edge)
        arena.prepare([slot], [{"a": torch.zeros(5, 7), "x": torch.zeros(7)}])
    assert os.fstat(arena.buffer.descriptors[0]).st_size > 3 * APART
    assert (os.fstat(arena.buffer.descriptors[0]).st_blocks - before) * 512 < 4 * GUARD


def test_bands_are_not_a_number_in_any_type_and_new_for_each_launch(arena: Arena) -> None:
    slots, seen = arena.slots(ODD, BASE)[:2], [b""]
    for _ in range(8):
        arena.prepare(slots, [{"a": torch.zeros(5, 7), "x": torch.zeros(7)}] * 2)
        for slot in slots:
            for span in slot.spans.values():
                for first in (span.start - GUARD, span.start + span.size):
                    band = arena.buffer.bytes[first : first + GUARD]
                    for kind in (torch.bfloat16, torch.float16, torch.float32):
                        assert band.view(kind).isnan().all()
                    assert band.view(torch.int32).min() > 1 << 30
        start = slots[0].spans["a"].start
        seen.append(bytes(arena.buffer.bytes[start - GUARD : start].tolist()))
        assert seen[-1] != seen[-2]
    assert len({*seen}) > 3


@pytest.mark.parametrize("edge", Edge)
@pytest.mark.parametrize("fenced", [True, False])
def test_inputs_outputs_and_damage_are_found_in_a_fenced_slot(tiny: Scenario, edge: Edge, fenced: bool) -> None:
    scenario = with_bytes(tiny)
    arena = Arena(scenario, (LARGE, ODD), HostBuffer if fenced else Unfenced, 4, 600)
    slot = arena.fenced(ODD, BASE, edge)
    assert bool(slot.fences) is fenced
    inputs = {"a": torch.arange(35, dtype=torch.uint8).view(5, 7), "x": torch.arange(7, dtype=torch.uint8)}

    def taken(change: int | None = None) -> torch.Tensor:
        arena.prepare([slot], [inputs])
        for name, span in slot.spans.items():
            there = arena.buffer.whole[span.start : span.start + span.size].view(TORCH[span.tensor.dtype])
            if span.tensor.role == "out":
                there.fill_(3)
            else:
                assert torch.equal(there, inputs[name].flatten())
        if change is not None:
            arena.buffer.whole[change] ^= 1
        return arena.take([slot], [inputs], {0})[0]["y"]

    assert taken().tolist() == [3.0] * 5
    for name, span in slot.spans.items():
        for change in (span.start - 1, span.start - span.before, span.start + span.size, span.start + span.size + 1):
            if span.start - span.before <= change < span.start + span.size + span.after and change != span.start:
                with pytest.raises(Rejected, match=f"OUT_OF_BOUNDS: wrote outside of {name}"):
                    taken(change)
    arena.buffer.close()


def test_bands_on_a_gpu_are_as_wide_as_there_is_room(tiny: Scenario) -> None:
    for sets, least, most in ((4, GUARD, APART - 1), (200, APART, APART)):
        arena = Arena(tiny, (LARGE, ODD), Unfenced, sets, 600)
        for case in (LARGE, ODD):
            slot = arena.fenced(case, BASE, Edge.END)
            for span in slot.spans.values():
                assert span.start >= span.before
                assert span.start + span.size + span.after <= len(arena.buffer.bytes)
                if span.tensor.role == "in":
                    assert least <= span.before == span.after <= most
        arena.buffer.close()


@pytest.mark.parametrize(
    "access",
    [
        "sink = a->x[a->C + 3];",  # what a vector load at the end of a row takes with it
        "sink = a->a[a->R * a->C + 4];",
        "sink = a->x[-1];",
        "sink = a->a[-1];",
        "sink = a->x[a->C + (4 << 20)];",
        "sink = a->a[a->R * a->C + 1024];",
        "sink = a->a[-(4 << 20)];",
        "sink = a->y[a->R + (64 << 10)];",
        "sink = a->y[-(64 << 10)];",
        "const_cast<float*>(a->x)[a->C + 1024] = 1;",
        "a->y[a->R + (4 << 20)] = 1;",
        "static const float* before = a->x; sink = *before; before = a->x;",  # where a launch before had its input
        "sink = a->R == 128 ? a->x[a->C + 3] : 0;",  # in a timed case alone
    ],
)
def test_what_is_read_beyond_a_tensor_is_found(executor: LocalExecutor, seed: Sources, access: str) -> None:
    changed = {
        name: text.replace(START.encode(), f"static volatile float sink; {access} {START}".encode())
        for name, text in seed.items()
    }
    assert changed != seed
    verdict = executor.evaluate(changed)
    assert verdict.status is Status.OUT_OF_BOUNDS, verdict.reason
    assert verdict.reason.startswith("read or wrote outside its tensors")


@pytest.mark.parametrize(
    "access",
    ["sink = *(volatile float*)16;", "sink = *(volatile float*)(~0ull << 62);", "__builtin_trap();"],
)
def test_a_crash_elsewhere_is_no_read_beyond_a_tensor(executor: LocalExecutor, seed: Sources, access: str) -> None:
    changed = {
        name: text.replace(START.encode(), f"static volatile float sink; {access} {START}".encode())
        for name, text in seed.items()
    }
    verdict = executor.evaluate(changed)
    assert verdict.status is Status.RUNTIME_ERROR
    assert "crashed with SIG" in verdict.reason


def test_nobody_may_count_on_pointers_that_are_aligned_to_32_bytes(executor: LocalExecutor, seed: Sources) -> None:
    for aligned, status in ((16, Status.PASSED), (32, Status.RUNTIME_ERROR), (64, Status.RUNTIME_ERROR)):
        check = f"if (uintptr_t(a->x) % {aligned} || uintptr_t(a->y) % {aligned}) return 9; {START}"
        verdict = executor.evaluate({name: text.replace(START.encode(), check.encode()) for name, text in seed.items()})
        assert verdict.status is status, verdict.reason


def test_a_sum_whose_order_depends_on_where_its_input_lies_is_no_fault(executor: LocalExecutor, seed: Sources) -> None:
    by_place = "for (int64_t i = 0; i < a->R; i++) a->y[i] *= uintptr_t(a->x) % 4096 ? 1.0000002f : 1; return 0;"
    changed = {name: text.replace(b"return 0;", by_place.encode()) for name, text in seed.items()}
    assert changed != seed
    assert executor.evaluate(changed).status is Status.PASSED


@pytest.mark.parametrize("name", ["mha_causal", "add_rmsnorm", "sort_rows"])
def test_shipped_seeds_stay_within_their_tensors_at_every_edge(name: str) -> None:
    scenario = load(name)
    judge, built = Judge(scenario, "cpu"), LocalExecutor(scenario, "cpu").build(seed_sources(scenario, "cpu"))
    with judge.load(built) as (candidate, arena):
        for case in (*scenario.checked("cpu"), *scenario.timed("cpu")[:1]):
            inputs = judge.draw(case)
            outputs = [
                judge.launch_once(candidate, arena, arena.fenced(case, candidate.base, edge), inputs) for edge in Edge
            ]
            for others in outputs[1:]:
                assert all(torch.equal(tensor, others[name]) for name, tensor in outputs[0].items())
