"""Source lines of a CUDA candidate's machine instructions, from nvdisasm's listing."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avo.sandbox.confine import Policy
from avo.sandbox.process import DEVICES, SYSTEM_FOLDERS, run
from avo.tools.build.compilers import compiler_of

SECTION = re.compile(r"^\.text\.(\S+):$")
"""First line of a kernel in the listing."""
FILE = re.compile(r'^\s*//## File "([^"]+)", line (\d+)')
"""Line that gives the source file and line of the instructions that follow."""
CODE = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(\S.*?)\s*;?\s*$")
"""Line of an instruction: offset and text."""
OPCODE = re.compile(r"^(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)")
"""Opcode in an instruction's text, behind its predicate."""
SECONDS = 60.0
"""Seconds that a tool may take."""


@dataclass(frozen=True)
class Place:
    """The opcode and the source line of one instruction."""

    opcode: str
    line: str
    """file:line; empty without -lineinfo."""


def places(library: Path, target: str) -> tuple[Mapping[int, Place], ...]:
    """Return the kernels of a library, each as offset -> instruction; empty without a disassembler."""
    compiler = compiler_of(target)
    if not compiler.cuobjdump or not (nvdisasm := Path(compiler.cuobjdump).with_name("nvdisasm")).is_file():
        return ()
    with tempfile.TemporaryDirectory(prefix="avo-cubin-") as scratch:
        folder = Path(scratch).resolve()
        policy = Policy(
            read=(*SYSTEM_FOLDERS, *DEVICES, *compiler.folders, str(library.parent)), write=(str(folder), *DEVICES),
            file_bytes=64 << 20,
        )  # fmt: skip
        run([compiler.cuobjdump, "-xelf", "all", str(library)], folder, SECONDS, policy)
        listings = [
            run([str(nvdisasm), "-g", "-c", cubin.name], folder, SECONDS, policy).output
            for cubin in sorted(folder.glob("*.cubin"))
        ]
    return tuple(kernel for listing in listings for kernel in kernels(listing))


def kernels(listing: str) -> tuple[Mapping[int, Place], ...]:
    """Parse the output of `nvdisasm -g -c`: for each kernel, offset -> instruction."""
    found: list[dict[int, Place]] = []
    line = ""
    for row in listing.splitlines():
        if SECTION.match(row):
            found.append({})
            line = ""
        elif file := FILE.match(row):
            line = f"{file[1].rpartition('/')[2]}:{file[2]}"
        elif found and (code := CODE.match(row)):
            found[-1][int(code[1], 16)] = Place(_opcode(code[2]), line)
    return tuple(kernel for kernel in found if kernel)


def lines_of(instructions: Mapping[int, str], listings: tuple[Mapping[int, Place], ...]) -> dict[int, str]:
    """Return offset -> file:line, from the kernel whose code agrees best with the text of `instructions`."""

    def agreement(listing: Mapping[int, Place]) -> int:
        return sum(at in listing and listing[at].opcode == _opcode(text) for at, text in instructions.items())

    best = max(listings, key=agreement, default={})
    if agreement(best) * 2 < len(instructions):
        return {}
    return {at: best[at].line for at in instructions if at in best and best[at].line}


def _opcode(text: str) -> str:
    """Return the opcode without its modifiers."""
    found = OPCODE.match(text.strip())
    return found[1] if found else ""
