"""The compiled CUDA kernels of a candidate: ptxas's resource figures and a digest of their machine code (SASS)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from avo.tools.build.precision import FP16, IN_FP16, SASS

STATISTICS = re.compile(
    r"^ptxas info\s*: (?:Compiling entry function|Function properties for|Used \d+ |\d+ bytes |Compile time)"
    r"|^\s+\d+ bytes (?:stack frame|cumulative stack)"
)
"""Lines of ptxas's verbose output that are parsed by `kernels`, or carry nothing about a candidate."""
REMARK = re.compile(r"^(?:ptxas|nvlink|nvcc)\b[^:]*\b(?:info|warning|advisory|remark)\s*:", re.IGNORECASE)
"""Start of a remark or warning of ptxas, nvlink or nvcc."""
LONGEST_REMARK, MOST_REMARKS = 300, 12
"""Maximum length of a remark in characters, and maximum number of remarks."""
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\w+)'")
"""ptxas's announcement of an entry function: mangled name and architecture."""
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
"""ptxas's bytes of stack frame, spill stores and spill loads."""
USED = re.compile(r"Used (\d+) registers")
"""ptxas's registers per thread."""
SHARED = re.compile(r"(\d+) bytes smem")
"""ptxas's bytes of static shared memory."""
OPCODE = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)((?:\.\w+)*)", re.MULTILINE)
"""An instruction in a listing of SASS: opcode and modifiers."""

GROUPS = {
    "wgmma": ("HGMMA",),
    **SASS,
    "tcgen05.mma": ("UTCHMMA",),
    "mma.sync": ("HMMA",),
    "bulk copy": ("UBLKCP", "UTMALDG", "UTMASTG"),
    "cp.async": ("LDGSTS",),
    "ldmatrix": ("LDSM",),
    "local load": ("LDL",),
    "local store": ("STL",),
    "exp2 and other MUFU": ("MUFU",),
    "fp32 FMA": ("FFMA", "FFMA2"),
}
"""Group of instructions, by the name that engineers use -> opcodes of SASS."""


@dataclass(frozen=True)
class Kernel:
    """Resources of one entry function, as ptxas reports them."""

    name: str
    registers: int
    """Per thread."""
    stack: int
    """Bytes per thread."""
    spill_stores: int
    spill_loads: int
    """Bytes per thread."""
    shared: int
    """Static shared memory in bytes per block, without the dynamic shared memory of a launch."""


def kernels(log: str) -> tuple[Kernel, ...]:
    """Return the entry functions in ptxas's verbose output."""
    found = []
    starts = [*ENTRY.finditer(log)]
    for index, start in enumerate(starts):
        part = log[start.end() : starts[index + 1].start() if index + 1 < len(starts) else len(log)]
        frame, used, shared = STACK.search(part), USED.search(part), SHARED.search(part)
        stack, stores, loads = (int(value) for value in frame.groups()) if frame else (0, 0, 0)
        registers, static = int(used[1]) if used else 0, int(shared[1]) if shared else 0
        found.append(Kernel(_short(start[1]), registers, stack, stores, loads, static))
    return tuple(found)


def remarks(log: str) -> tuple[str, ...]:
    """Return the remarks of ptxas, nvlink and nvcc, each once, those about serialized wgmma first.

    For instance "(C7510) Potential Performance Loss: …", which has to be fixed before anything else matters.
    """
    found = dict.fromkeys(row.strip()[:LONGEST_REMARK] for row in plain(log).splitlines() if REMARK.match(row))
    return tuple(sorted(found, key=lambda row: "serializ" not in row))[:MOST_REMARKS]


def plain(log: str) -> str:
    """Return a compiler's output without ptxas's statistics."""
    return "\n".join(row for row in log.splitlines() if not STATISTICS.match(row))


def digest_sass(listing: str) -> Mapping[str, int]:
    """Return the number of instructions by group, and in all, in a disassembly; empty without one.

    Groups without an instruction are left out.
    """
    if not listing:
        return {}
    counts: dict[str, int] = {}
    halves = 0
    for opcode, modifiers in OPCODE.findall(listing):
        counts[opcode] = counts.get(opcode, 0) + 1
        halves += opcode in ("HMMA", "HGMMA") and bool(IN_FP16.match(modifiers))
    totals = {name: sum(counts.get(opcode, 0) for opcode in opcodes) for name, opcodes in GROUPS.items()}
    totals |= {FP16: halves}
    return {name: total for name, total in totals.items() if total} | {"instructions": sum(counts.values())}


def _short(mangled: str) -> str:
    """Return the first readable name in an Itanium-mangled one: enough to tell kernels apart."""
    names, rest = [], mangled
    while found := re.search(r"(?<!\d)(\d{1,3})(?=[A-Za-z_])", rest):
        length = int(found[1])
        names.append(rest[found.end() : found.end() + length])
        rest = rest[found.end() + length :]
    readable = [name for name in names if not name.startswith("_GLOBAL__N_")]
    return readable[0] if readable else mangled
