"""What a compiled CUDA kernel is made of: ptxas's resources and a digest of its machine code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SERIALIZED = re.compile(r"(?m)^.*\b(?:C7510|C7514)\b.*$|^.*wgmma.*serializ.*$")
"""ptxas gave up overlapping wgmma: nothing else matters until that is mended."""
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
OPCODE = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)((?:\.[A-Z0-9_]+)*)", re.MULTILINE)

FP8 = "fp8 products"
GROUPS = {
    "wgmma": ("HGMMA",),
    FP8: ("QGMMA", "QMMA", "UTCQMMA"),
    "tcgen05.mma": ("UTCHMMA", "UTCIMMA", "UTCOMMA"),
    "mma.sync": ("HMMA",),
    "bulk copy": ("UBLKCP", "UTMALDG", "UTMASTG"),
    "cp.async": ("LDGSTS",),
    "ldmatrix": ("LDSM",),
    "local load": ("LDL",),
    "local store": ("STL",),
    "exp2 and other MUFU": ("MUFU",),
    "fp32 FMA": ("FFMA", "FFMA2"),
}
"""What an engineer looks for -> opcodes of SASS."""


@dataclass(frozen=True)
class Kernel:
    """One entry function, by ptxas."""

    name: str
    registers: int
    """Per thread."""
    stack: int
    """Bytes per thread."""
    spill_stores: int
    spill_loads: int
    """Bytes per thread."""
    shared: int
    """Static bytes per block; what a launch asks for comes on top."""


def kernels(log: str) -> tuple[Kernel, ...]:
    """The entry functions in ptxas's verbose output."""
    found = []
    starts = [*ENTRY.finditer(log)]
    for index, start in enumerate(starts):
        part = log[start.end() : starts[index + 1].start() if index + 1 < len(starts) else len(log)]
        frame, used, shared = STACK.search(part), USED.search(part), SHARED.search(part)
        stack, stores, loads = (int(value) for value in frame.groups()) if frame else (0, 0, 0)
        registers, static = int(used[1]) if used else 0, int(shared[1]) if shared else 0
        found.append(Kernel(_short(start[1]), registers, stack, stores, loads, static))
    return tuple(found)


def warning(log: str) -> str:
    """The line that says that wgmma was serialized; empty when there is none."""
    found = SERIALIZED.search(log)
    return found[0].strip() if found else ""


def digest_sass(listing: str) -> Mapping[str, int]:
    """How many instructions of each group a disassembly holds; groups without one are left out."""
    counts: dict[str, int] = {}
    for opcode, _ in OPCODE.findall(listing):
        counts[opcode] = counts.get(opcode, 0) + 1
    totals = {name: sum(counts.get(opcode, 0) for opcode in opcodes) for name, opcodes in GROUPS.items()}
    return {name: total for name, total in totals.items() if total} | {"instructions": sum(counts.values())}


def _short(mangled: str) -> str:
    """The last readable name in an Itanium-mangled one: enough to tell kernels apart."""
    names, rest = [], mangled
    while found := re.search(r"(?<!\d)(\d{1,3})(?=[A-Za-z_])", rest):
        length = int(found[1])
        names.append(rest[found.end() : found.end() + length])
        rest = rest[found.end() + length :]
    readable = [name for name in names if not name.startswith("_GLOBAL__N_")]
    return readable[0] if readable else mangled
