"""The machine code of a CPU candidate: objdump's listing, parsed into functions and instructions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
"""First line of a function in the listing: address and name."""
PLACE = re.compile(r"^(\S.*):(\d+)(?: \(discriminator \d+\))?$")
"""Line that gives the source file and line of the instructions that follow."""
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\s+((?:(?:rep\w*|lock|notrack|bnd|data16|cs|ds) )*)(\S+)\s*(.*)$")
"""Line of an instruction: address, prefixes, mnemonic, operands."""
CALLED = re.compile(r"<(.+?)(?:@plt)?(?:\+0x[0-9a-f]+)?>$")
"""Name of the called function in the operand of a call."""
SCALAR = re.compile(r"^v?\w+(?:ss|sd|sh)$")
"""Mnemonics of scalar floating-point instructions."""
FUSED = re.compile(r"^vf(?:n?m(?:add|sub)|maddsub|msubadd)\w*p[sdh]$")
"""Mnemonics of fused multiply-add on vectors."""
PERMUTES = (
    "vperm", "vshuf", "vpshuf", "vunpck", "vpunpck", "vinsert", "vextract", "vbroadcast", "vpbroadcast", "valign",
    "vpblend", "vblend", "vmovddup", "vmovshdup", "vmovsldup", "vpalignr", "vpack", "vpinsr", "vpextr",
)  # fmt: skip
"""Prefixes of mnemonics that move data between vector lanes."""
NO_ACCESS = ("lea", "nop", "prefetch")
"""Prefixes of mnemonics whose memory operand is not accessed."""


@dataclass(frozen=True)
class Instruction:
    """One machine instruction."""

    address: int
    """Address in the library."""
    mnemonic: str
    operands: str
    """In AT&T order: the destination is last."""
    line: str
    """Source position as file:line; empty without debug information."""

    @property
    def text(self) -> str:
        """Mnemonic and operands."""
        return f"{self.mnemonic} {self.operands}".strip()

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups in ORDER that it belongs to."""
        return tuple(_groups(self.mnemonic, self.operands))


@dataclass(frozen=True)
class Function:
    """A function of a library and its machine code."""

    name: str
    body: tuple[Instruction, ...]

    @property
    def calls(self) -> tuple[str, ...]:
        """Short names of the functions that it calls, in order, each once."""
        found = [CALLED.search(i.operands) for i in self.body if i.mnemonic.startswith("call")]
        return tuple(dict.fromkeys(short(match[1]) for match in found if match))

    def digest(self) -> Mapping[str, int]:
        """Return the number of instructions by group, groups without any left out, and "instructions" in all."""
        counts: dict[str, int] = {}
        for instruction in self.body:
            for group in instruction.groups:
                counts[group] = counts.get(group, 0) + 1
        return {name: counts[name] for name in ORDER if name in counts} | {"instructions": len(self.body)}


ORDER = (
    "512-bit", "256-bit", "128-bit", "scalar float", "integer", "FMA", "bf16 dot", "permute", "convert",
    "divide or root", "gather", "load", "store", "stack load", "stack store", "vector stack", "call", "jump",
)  # fmt: skip
"""Groups of instructions, in the order of display; an instruction can be in several."""
WIDTHS = ORDER[:5]
"""Groups of which an instruction is in exactly one; calls and jumps are in none."""


def functions(listing: str) -> tuple[Function, ...]:
    """Return the functions in the output of `objdump -d -l -C --no-show-raw-insn`."""
    found: list[tuple[str, list[Instruction]]] = []
    line = ""
    for row in listing.splitlines():
        if start := FUNCTION.match(row):
            found.append((start[2], []))
            line = ""
        elif found and (code := INSTRUCTION.match(row)):
            operands = code[4].partition("#")[0].strip()
            found[-1][1].append(Instruction(int(code[1], 16), code[3], operands, line))
        elif place := PLACE.match(row):
            line = f"{place[1].rpartition('/')[2]}:{place[2]}"
    return tuple(Function(name, tuple(body)) for name, body in found)


def short(name: str) -> str:
    """Return a demangled name without return type, anonymous namespace and parameters."""
    bare = name.replace("(anonymous namespace)::", "")
    return re.sub(r"^(?:void|float|double|int|bool|auto) ", "", bare).partition("(")[0].strip()[:80] or name[:80]


def _groups(mnemonic: str, operands: str) -> list[str]:
    groups = []
    vector = re.search(r"%([xyz])mm", operands)
    if SCALAR.match(mnemonic) and vector and not mnemonic.startswith("vcvt"):
        groups.append("scalar float")
    elif vector:
        groups.append({"z": "512-bit", "y": "256-bit", "x": "128-bit"}[_widest(operands)])
    elif not mnemonic.startswith(("call", "j", "nop", "ret")):
        groups.append("integer")
    if FUSED.match(mnemonic):
        groups.append("FMA")
    if mnemonic.startswith("vdpbf16"):
        groups.append("bf16 dot")
    if mnemonic.startswith(PERMUTES):
        groups.append("permute")
    if mnemonic.startswith(("vcvt", "cvt")):
        groups.append("convert")
    if re.match(r"v?(div|sqrt)", mnemonic):
        groups.append("divide or root")
    if mnemonic.startswith("vgather") or mnemonic.startswith("vpgather"):
        groups.append("gather")
    if mnemonic.startswith("call"):
        groups.append("call")
    elif mnemonic.startswith("j"):
        groups.append("jump")
    elif "(" in operands and not mnemonic.startswith(NO_ACCESS):
        groups += _accesses(operands, vector is not None)
    return groups


def _widest(operands: str) -> str:
    found: list[str] = re.findall(r"%([xyz])mm", operands)
    return max(found)


def _accesses(operands: str, vector: bool) -> list[str]:
    """Return "load" or "store"; on the stack (spilled, passed or saved values) with "stack" and "vector stack"."""
    kind = "store" if re.search(r"\)(?:\{%k\d\})?$", operands.strip()) else "load"
    if not re.search(r"\(%r[sb]p[,)]", operands):
        return [kind]
    return [f"stack {kind}", *(["vector stack"] if vector else [])]
