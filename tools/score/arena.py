"""The buffers of a candidate: shared memory with guard bands round every tensor."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from avo.scenarios.abi import ITEM_BYTES, pack
from avo.scenarios.loader import Case, Scenario, Tensor, shape_of
from avo.tools.score.buffers import DeviceBuffer, HostBuffer
from avo.types import Rejected, Status

GUARD = 64 << 10
GUARD_BYTE = 0xA7
PAGE = 4096
TORCH = {"bf16": torch.bfloat16, "fp32": torch.float32, "int32": torch.int32, "uint8": torch.uint8}
POISON = {
    "bf16": (torch.int16, 0x7FD5),  # a NaN that arithmetic does not make
    "fp32": (torch.int32, 0x7FD5AAAA),
    "int32": (torch.int32, 0x7FFFFFFF),
    "uint8": (torch.uint8, 0xFF),
}


@dataclass(frozen=True)
class Span:
    """Where one tensor lies in the arena."""

    tensor: Tensor
    shape: tuple[int, ...]
    start: int
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Slot:
    """One set of buffers, laid out for one case."""

    case: Case
    arguments: bytes
    """avo_args, with addresses as the runner sees them."""
    spans: Mapping[str, Span]


def _size(tensor: Tensor, case: Case) -> int:
    return math.prod(shape_of(tensor, case)) * ITEM_BYTES[tensor.dtype]


def _aligned(offset: int) -> int:
    return (offset + PAGE - 1) // PAGE * PAGE


def slot_bytes(scenario: Scenario, cases: Sequence[Case]) -> int:
    """Size of a set of buffers that holds any of the cases."""
    return max(sum(_aligned(_size(t, case.largest)) + 2 * GUARD + PAGE for t in scenario.tensors) for case in cases)


class Arena:
    """Shared memory for `sets` sets of buffers of any of `cases`, which launches rotate through."""

    def __init__(
        self, scenario: Scenario, cases: tuple[Case, ...], kind: type[HostBuffer | DeviceBuffer], sets: int
    ) -> None:
        self.scenario, self._sets = scenario, sets
        self.buffer = kind(sets * slot_bytes(scenario, cases))

    def slots(self, case: Case, base: int) -> list[Slot]:
        """Lay the arena out for `case`; `base` is its address in the runner. Earlier slots are void."""
        slots, offset = [], 0
        for _ in range(self._sets):
            spans = {}
            for tensor in self.scenario.tensors:
                offset = _aligned(offset + GUARD)
                spans[tensor.name] = Span(tensor, shape_of(tensor, case), offset, _size(tensor, case))
                offset = offset + spans[tensor.name].size + GUARD
            packed = pack(self.scenario, case, {name: base + span.start for name, span in spans.items()})
            slots.append(Slot(case, packed, spans))
        return slots

    def prepare(self, slot: Slot, inputs: Mapping[str, torch.Tensor]) -> None:
        """Write the inputs; poison outputs and workspace; paint the guard bands."""
        for span in slot.spans.values():
            for band in self._guards(span):
                band.fill_(GUARD_BYTE)
            if span.tensor.role == "in":
                self._view(span).copy_(inputs[span.tensor.name])
            else:
                kind, pattern = POISON[span.tensor.dtype]
                self._raw(span).view(kind).fill_(pattern)

    def take(self, slots: Sequence[Slot], sets: Sequence[Mapping[str, torch.Tensor]]) -> list[dict[str, torch.Tensor]]:
        """Copies of the outputs, once guards, inputs and completeness are found in order. Raises Rejected."""
        outputs: list[dict[str, torch.Tensor]] = [{} for _ in slots]
        for index in random.SystemRandom().sample(range(len(slots)), len(slots)):  # who replied early, wrote too late
            spans = slots[index].spans.values()
            outputs[index] = {s.tensor.name: self._view(s).clone() for s in spans if s.tensor.role == "out"}
        problems = [
            problem
            for slot, inputs, taken in zip(slots, sets, outputs, strict=True)
            for problem in self._problems(slot, inputs, taken)
        ]
        counts = torch.stack([count for count, _, _ in problems]).tolist()  # one wait for the device
        for count, (_, status, reason) in zip(counts, problems, strict=True):
            if count:
                raise Rejected(status, reason.format(count=count))
        return outputs

    def _problems(
        self, slot: Slot, inputs: Mapping[str, torch.Tensor], outputs: Mapping[str, torch.Tensor]
    ) -> list[tuple[torch.Tensor, Status, str]]:
        """What may be wrong after a launch: how many elements are, not yet waited for, and what that means."""
        found = []
        where = f"(case {slot.case.label})".replace("{", "{{").replace("}", "}}")
        for span in slot.spans.values():
            name = span.tensor.name
            for band in self._guards(span):
                found.append(((band != GUARD_BYTE).sum(), Status.OUT_OF_BOUNDS, f"wrote outside of {name} {where}"))
            if span.tensor.role == "in":
                changed = (_bits(self._view(span)) != _bits(inputs[name])).sum()
                found.append((changed, Status.INPUT_MODIFIED, f"input {name} changed {where}"))
            if span.tensor.role == "out":
                kind, pattern = POISON[span.tensor.dtype]
                missing = (outputs[name].view(kind) == pattern).sum()
                total = math.prod(span.shape)
                reason = f"left {{count}} of {total} elements of {name} unwritten {where}"
                found.append((missing, Status.NOT_WRITTEN, reason))
        return found

    def _view(self, span: Span) -> torch.Tensor:
        return self._raw(span).view(TORCH[span.tensor.dtype]).view(span.shape)

    def _raw(self, span: Span) -> torch.Tensor:
        return self.buffer.bytes[span.start : span.start + span.size]

    def _guards(self, span: Span) -> tuple[torch.Tensor, torch.Tensor]:
        end = span.start + span.size
        return self.buffer.bytes[span.start - GUARD : span.start], self.buffer.bytes[end : end + GUARD]


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """The same memory as integers, wide ones where it can be, so that NaN equals itself."""
    raw = tensor.flatten().view(torch.uint8)
    return raw if len(raw) % 8 else raw.view(torch.int64)
