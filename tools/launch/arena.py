"""The arena: the shared memory that holds a candidate's tensors, with guard bands around each of them."""

from __future__ import annotations

import functools
import math
import mmap
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch

from avo.scenarios.abi import ITEM_BYTES, pack
from avo.scenarios.loader import Case, Scenario, Tensor, shape_of
from avo.tools.launch.buffers import DeviceBuffer, HostBuffer
from avo.tools.launch.mixed import INTEGERS, Mixed, bits_of
from avo.tools.launch.runner import COMMAND, LARGEST_COMMAND
from avo.types import Rejected, Status

GUARD = 64 << 10
"""Bytes of an ordinary guard band."""
APART = 32 << 20
"""Bytes between two tensors of a fenced slot."""
ALIGNED = 16
"""Alignment in bytes of every pointer that a candidate gets; with Edge.ODD it is exactly that."""
BAND = 0x7F80
"""Upper bits of the 2-byte pattern in guard bands. With any of the lower seven bits set it is a NaN as bf16, as fp16
and, twice, as fp32, and a large integer.
"""
PAGE = mmap.PAGESIZE
"""Bytes of a memory page."""
COUNTED = 1 << 26
"""Maximum number of elements that are compared at a time, which takes a byte of memory for each."""
TORCH = {"bf16": torch.bfloat16, "fp32": torch.float32, "int32": torch.int32, "uint8": torch.uint8}
"""A scenario's dtype -> torch's."""
POISON = {
    "bf16": (torch.int16, 0x7FD5),  # a NaN that arithmetic does not make
    "fp32": (torch.int32, 0x7FD5AAAA),
    "int32": (torch.int32, 0x7FFFFFFF),
    "uint8": (torch.uint8, 0xFF),
}
"""A scenario's dtype -> integer dtype and bit pattern that outputs are filled with before a launch."""


class Edge(StrEnum):
    """Placement of inputs between the fences of a slot."""

    END = "end"
    """Inputs end within 15 bytes of an inaccessible page; other tensors are placed as for ODD."""
    START = "start"
    """Inputs start right behind an inaccessible page; other tensors start at the beginning of a page, too."""
    ODD = "odd"
    """The addresses of all tensors are multiples of 16 but not of 32."""


@dataclass(frozen=True)
class Span:
    """The position of one tensor in the arena."""

    tensor: Tensor
    shape: tuple[int, ...]
    start: int
    """Offset in bytes."""
    size: int
    """Bytes."""
    before: int = GUARD
    after: int = GUARD
    """Bytes of the guard bands before and behind it."""


@dataclass(frozen=True)
class Slot:
    """One set of buffers, laid out for one case."""

    case: Case
    arguments: bytes
    """The struct avo_args, with addresses in the runner's address space."""
    spans: Mapping[str, Span]
    """Tensor name -> position."""
    fences: tuple[tuple[int, int], ...] = ()
    """Offset and length in bytes of the regions that no launch may touch; empty for ordinary slots and on a GPU."""


Problem = tuple[torch.Tensor, Status, Callable[[int], str]]
"""A check after launches: uint8 by slot, still on the device, not 0 where something is wrong; the status if it is; and
a function from the position of the slot to the reason.
"""


def _size(tensor: Tensor, case: Case) -> int:
    return math.prod(shape_of(tensor, case)) * ITEM_BYTES[tensor.dtype]


def _aligned(offset: int) -> int:
    return (offset + PAGE - 1) // PAGE * PAGE


def _inwards(size: int, edge: Edge) -> int:
    """Return the distance in bytes from a page's start to `size` bytes that lie at this edge of their pages."""
    if edge is Edge.START:
        return 0
    if edge is Edge.END:
        return (_aligned(size) - size) // ALIGNED * ALIGNED
    return (_aligned(size + ALIGNED) - size - ALIGNED) // (2 * ALIGNED) * 2 * ALIGNED + ALIGNED


def slot_bytes(scenario: Scenario, cases: Sequence[Case]) -> int:
    """Return the size in bytes of a set of buffers that holds any of the cases."""
    return max(sum(_aligned(_size(t, case.largest)) + 2 * GUARD + PAGE for t in scenario.tensors) for case in cases)


class Arena:
    """Shared memory for `sets` sets of buffers, each of which fits any of `cases`; launches rotate through them.

    For smaller cases it holds more sets, but never more than `most`.
    """

    def __init__(
        self, scenario: Scenario, cases: tuple[Case, ...], kind: type[HostBuffer | DeviceBuffer], sets: int, most: int
    ) -> None:
        self.scenario, self._most = scenario, most
        size = sets * slot_bytes(scenario, cases)
        behind = slot_bytes(scenario, cases) + (len(scenario.tensors) + 1) * APART
        self.buffer = kind(size, behind) if kind is HostBuffer else kind(size)
        self._fences = kind is HostBuffer
        self._band = 0
        """The 2-byte pattern in the guard bands, new for each launch."""

    def slots(self, case: Case, base: int) -> list[Slot]:
        """Lay the arena out for `case`; return its slots. base: its address in the runner. Voids earlier slots."""
        slots, offset = list[Slot](), 0
        tensors = [(tensor, shape_of(tensor, case), _size(tensor, case)) for tensor in self.scenario.tensors]
        for _ in range(min(self._most, len(self.buffer.bytes) // slot_bytes(self.scenario, [case]))):
            spans = {}
            for tensor, shape, size in tensors:
                offset = _aligned(offset + GUARD)
                spans[tensor.name] = Span(tensor, shape, offset, size)
                offset = offset + size + GUARD
            packed = pack(self.scenario, case, {name: base + span.start for name, span in spans.items()})
            slots.append(Slot(case, packed, spans))
        return slots[: (LARGEST_COMMAND - COMMAND.size) // len(slots[0].arguments)]

    def fenced(self, case: Case, base: int, edge: Edge) -> Slot:
        """Return one slot for `case` with its inputs at `edge`, for launches that are not timed; voids earlier slots.

        On the CPU everything is inaccessible except tensors, the guard bands of outputs and workspaces, and the rest of
        the pages in which an input starts and ends. On a GPU the guard bands around inputs are as wide as the memory
        allows, 32 MiB at most.
        """
        spans, offset = {}, len(self.buffer.bytes) if self._fences else 0
        for tensor in self.scenario.tensors:
            size = _size(tensor, case)
            inwards = _inwards(size, edge if tensor.role == "in" or edge is Edge.START else Edge.ODD)
            bare = self._fences and tensor.role == "in"
            wide = self._wide(case) if tensor.role == "in" and not self._fences else GUARD
            offset = _aligned(offset) + (APART if self._fences else wide)
            start = offset + inwards
            before, after = (inwards, -(start + size) % PAGE) if bare else (wide, wide)
            spans[tensor.name] = Span(tensor, shape_of(tensor, case), start, size, before, after)
            offset = start + size + after
        packed = pack(self.scenario, case, {name: base + span.start for name, span in spans.items()})
        return Slot(case, packed, spans, tuple(self._between(spans.values())) if self._fences else ())

    def _wide(self, case: Case) -> int:
        """Return the bytes of the guard bands around the inputs of a fenced slot on a GPU."""
        inputs = sum(tensor.role == "in" for tensor in self.scenario.tensors)
        room = len(self.buffer.bytes) - slot_bytes(self.scenario, [case]) - PAGE * len(self.scenario.tensors)
        return max(GUARD, min(APART, (GUARD + room // (2 * inputs)) // PAGE * PAGE))

    def _between(self, spans: Collection[Span]) -> Iterator[tuple[int, int]]:
        """Yield offset and length in bytes of the regions between the bands of these tensors, in whole pages."""
        offset = 0
        for span in spans:
            if (first := (span.start - span.before) // PAGE * PAGE) > offset:
                yield offset, first - offset
            offset = _aligned(span.start + span.size + span.after)
        yield offset, len(self.buffer.whole) // PAGE * PAGE - offset

    def prepare(self, slots: Sequence[Slot], sets: Sequence[Mapping[str, torch.Tensor]]) -> None:
        """Write the inputs of each slot, fill outputs and workspaces with poison, and renew the guard bands.

        slots: adjacent ones. sets: for each slot the inputs by name, in the shapes and dtypes of scenario.toml.
        """
        self._band = BAND | secrets.choice([low for low in range(1, 128) if BAND | low != self._band])
        for name, span in slots[0].spans.items():
            for band, pattern in self._guards(slots, span):
                band.fill_(pattern)
            if span.tensor.role == "in":
                into = self._across(slots, span.start, span.size).view(_integer(span))
                for row, inputs in zip(into.unbind(), sets, strict=True):
                    _put(inputs, name, row)
            else:
                kind, pattern = POISON[span.tensor.dtype]
                self._across(slots, span.start, span.size).view(kind).fill_(pattern)

    def take(
        self, slots: Sequence[Slot], sets: Sequence[Mapping[str, torch.Tensor]], kept: Collection[int]
    ) -> dict[int, dict[str, torch.Tensor]]:
        """Return copies of the outputs of the slots `kept`, by index and name, in scenario.toml's shapes and dtypes.

        All slots are checked first, which must be adjacent: guard bands and inputs are unchanged, and no output is
        still poison. Raises Rejected: OUT_OF_BOUNDS, INPUT_MODIFIED or NOT_WRITTEN.
        """
        written = [name for name, span in slots[0].spans.items() if span.tensor.role == "out"]
        views = self.written(slots) if kept else []
        outputs = {i: {name: view.clone() for name, view in views[i].items()} for i in kept}
        unwritten = [problem for name in written for problem in self._unwritten(slots, name, outputs)]
        problems = [*self._damaged(slots, sets), *unwritten]
        found = torch.cat([wrong for wrong, _, _ in problems]).tolist()  # one wait for the device
        told = [(status, reason, place) for wrong, status, reason in problems for place in range(len(wrong))]
        for wrong, (status, reason, place) in zip(found, told, strict=True):
            if wrong:
                raise Rejected(status, f"{reason(place)} (case {slots[0].case.label})")
        return outputs

    def written(self, slots: Sequence[Slot]) -> list[dict[str, torch.Tensor]]:
        """Return the outputs of adjacent slots by name, as views of the arena, invalid once they are prepared again."""
        return self._of(slots, "out")

    def given(self, slots: Sequence[Slot]) -> list[dict[str, torch.Tensor]]:
        """Return the inputs of adjacent slots by name, as views of the arena; unchanged once `take` has returned."""
        return self._of(slots, "in")

    def _of(self, slots: Sequence[Slot], role: str) -> list[dict[str, torch.Tensor]]:
        views = {}
        for name, span in slots[0].spans.items():
            if span.tensor.role == role:
                elements = self._across(slots, span.start, span.size).view(TORCH[span.tensor.dtype])
                views[name] = elements.view(-1, *span.shape).unbind()
        return [{name: rows[i] for name, rows in views.items()} for i in range(len(slots))]

    def _unwritten(
        self, slots: Sequence[Slot], name: str, outputs: Mapping[int, Mapping[str, torch.Tensor]]
    ) -> Iterator[Problem]:
        """Yield whether elements are still poison, in the copies that are kept and in all slots."""
        span = slots[0].spans[name]
        kind, pattern = POISON[span.tensor.dtype]
        everywhere = self._across(slots, span.start, span.size).view(kind)
        copied = (copies[name].view(1, -1).view(kind) for copies in outputs.values())
        for part in (*copied, *torch.split(everywhere, max(1, COUNTED // everywhere.shape[1]))):
            yield _any(part == pattern), Status.NOT_WRITTEN, functools.partial(_left, name, part, pattern)

    def _damaged(self, slots: Sequence[Slot], sets: Sequence[Mapping[str, torch.Tensor]]) -> Iterator[Problem]:
        """Yield whether elements of guard bands and inputs changed."""
        for name, span in slots[0].spans.items():
            for band, pattern in self._guards(slots, span):
                yield _any(band != pattern), Status.OUT_OF_BOUNDS, _always(f"wrote outside of {name}")
            if span.tensor.role == "in":
                changed = self._changed(slots, sets, name)
                yield changed, Status.INPUT_MODIFIED, _always(f"input {name} changed")

    def _changed(self, slots: Sequence[Slot], sets: Sequence[Mapping[str, torch.Tensor]], name: str) -> torch.Tensor:
        """Return uint8 [slots], not 0 where the input `name` changed."""
        span = slots[0].spans[name]
        word = torch.uint8 if span.size % 8 else torch.int64  # integers, so that NaN equals itself
        there = self._across(slots, span.start, span.size).view(word)
        drawn = torch.empty_like(there[: max(1, COUNTED // max(1, span.size))])
        rows = drawn.view(_integer(span)).unbind()
        changed = []
        for first in range(0, len(slots), len(drawn)):
            part = sets[first : first + len(drawn)]
            for row, inputs in zip(rows, part, strict=False):
                _put(inputs, name, row)
            changed.append(_any(there[first : first + len(part)] != drawn[: len(part)]))
        return torch.cat(changed)

    def _across(self, slots: Sequence[Slot], start: int, size: int) -> torch.Tensor:
        """Return a view, uint8 [slots, size], of `size` bytes from `start` on in the first slot, and of their
        counterparts in its neighbours.
        """
        first, last = (next(iter(slot.spans.values())).start for slot in (slots[0], slots[-1]))
        stride = (last - first) // max(len(slots) - 1, 1)
        return self.buffer.whole.as_strided((len(slots), size), (stride, 1), start)

    def _guards(self, slots: Sequence[Slot], span: Span) -> Iterator[tuple[torch.Tensor, int]]:
        """Yield the guard bands of a tensor in all slots with their pattern: int16, or uint8 for odd bytes at ends."""
        low, high = self._band & 0xFF, self._band >> 8
        end = span.start + span.size
        for first, last in ((span.start - span.before, span.start), (end, end + span.after)):
            if odd := first % 2:
                yield self._across(slots, first, 1), high
            pairs = (last - first - odd) // 2 * 2
            if pairs:
                yield self._across(slots, first + odd, pairs).view(torch.int16), self._band
            if first + odd + pairs < last:
                yield self._across(slots, last - 1, 1), low


def _any(wrong: torch.Tensor) -> torch.Tensor:
    """Return uint8 [slots], 1 where one of the slot's elements, bool [slots, elements], is true."""
    # To count them would take 80 times as long: torch 2.13 makes a 64-bit integer of each.
    return wrong.view(torch.uint8).amax(dim=1)


def _always(reason: str) -> Callable[[int], str]:
    return lambda _: reason


def _left(name: str, part: torch.Tensor, poison: int, place: int) -> str:
    return f"left {int(torch.count_nonzero(part[place] == poison))} of {part.shape[1]} elements of {name} unwritten"


def _integer(span: Span) -> torch.dtype:
    """Return the integer dtype whose elements are as large as the tensor's."""
    return INTEGERS[ITEM_BYTES[span.tensor.dtype]]


def _put(inputs: Mapping[str, torch.Tensor], name: str, target: torch.Tensor) -> None:
    """Write the bits of an input into `target`, flat."""
    if isinstance(inputs, Mixed):
        inputs.write(name, target)
    else:
        target.copy_(bits_of(inputs[name]))
