"""What a compiled CUDA kernel is made of: ptxas's resources and a digest of its machine code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from avo.tools.build.precision import FP16, IN_FP16, SASS

STATISTICS = re.compile(
    r"^ptxas info\s*: (?:Compiling entry function|Function properties for|Used \d+ |\d+ bytes |Compile time)"
    r"|^\s+\d+ bytes (?:stack frame|cumulative stack)"
)
"""Lines of ptxas's verbose output that `kernels` reads, or that say nothing of a candidate."""
REMARK = re.compile(r"^(?:ptxas|nvlink|nvcc)\b[^:]*\b(?:info|warning|advisory|remark)\s*:", re.IGNORECASE)
LONGEST_REMARK, MOST_REMARKS = 300, 12
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
OPCODE = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)((?:\.\w+)*)", re.MULTILINE)

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


def remarks(log: str) -> tuple[str, ...]:
    """What ptxas, nvlink and nvcc say beside their statistics, each once, with wgmma that was serialized first.

    For instance "(C7510) Potential Performance Loss: …": nothing else matters until that is mended.
    """
    found = dict.fromkeys(row.strip()[:LONGEST_REMARK] for row in plain(log).splitlines() if REMARK.match(row))
    return tuple(sorted(found, key=lambda row: "serializ" not in row))[:MOST_REMARKS]


def plain(log: str) -> str:
    """A compiler's output without ptxas's statistics."""
    return "\n".join(row for row in log.splitlines() if not STATISTICS.match(row))


def digest_sass(listing: str) -> Mapping[str, int]:
    """How many instructions of each group a disassembly holds; groups without one are left out, as is all of none."""
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
    """The last readable name in an Itanium-mangled one: enough to tell kernels apart."""
    names, rest = [], mangled
    while found := re.search(r"(?<!\d)(\d{1,3})(?=[A-Za-z_])", rest):
        length = int(found[1])
        names.append(rest[found.end() : found.end() + length])
        rest = rest[found.end() + length :]
    readable = [name for name in names if not name.startswith("_GLOBAL__N_")]
    return readable[0] if readable else mangled
