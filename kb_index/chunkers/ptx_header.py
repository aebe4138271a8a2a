"""The generated headers of cuda::ptx: one chunk per group of an instruction's overloads, from the comments alone.

Above each overload is a comment with the instruction in PTX, the PTX ISA and the architectures that support it, and
the C++ signature; the function bodies are much longer and say nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from avo.kb_index.chunkers import cuda
from avo.kb_index.chunkers.pieces import Stretch, assemble, decoded, one_line
from avo.kb_index.index import arch
from avo.kb_index.index.chunk import LONGEST, Document, Parsed

NAME = re.compile(r"(\w+)\s*\(")
SPECIAL = re.compile(r"%(%\w[\w.]*)")


@dataclass(frozen=True)
class Overload:
    """One overload's comment: its lines among the comment lines, its length in characters, and its contents."""

    start: int
    end: int
    size: int
    mnemonic: str
    function: str
    supported: tuple[str, ...]


def parse(document: Document) -> Parsed:
    """Return chunks of kind instruction; a header without such comments is read as C++."""
    text = decoded(document)
    kept, numbers, overloads = comments(text.split("\n"))
    if not overloads:
        return cuda.parse(document)
    starts = {overload.start for overload in overloads}
    chunks = assemble(document, kept, groups(overloads, numbers), lambda at: 0 if at in starts else 50, 0, numbers)
    return Parsed(text, chunks)


def comments(lines: list[str]) -> tuple[list[str], list[int], list[Overload]]:
    """Return the comments' lines with a blank line after each, their line numbers, and the overloads."""
    kept: list[str] = []
    numbers: list[int] = []
    overloads: list[Overload] = []
    begun = 0
    for number, line in enumerate(lines, 1):
        if line == "/*" and number < len(lines) and lines[number].startswith("// "):
            begun = number
        elif line == "*/" and begun:
            block = lines[begun : number - 1]
            if (overload := described("\n".join(block), len(kept) + 1, len(block))) is not None:
                kept += [*block, ""]
                numbers += range(begun + 1, number + 1)
                overloads.append(overload)
            begun = 0
    return kept, numbers, overloads


def described(text: str, start: int, count: int) -> Overload | None:
    """Parse a comment of `count` lines; None if it describes no function."""
    _, device, signature = text.partition("__device__")
    name = NAME.search(signature)
    if not device or not name:
        return None
    instruction = text.removeprefix("// ").partition(";")[0]
    mnemonic = instruction.split(maxsplit=1)[0] if instruction.strip() else name[1]
    if register := SPECIAL.search(instruction):
        mnemonic += f" {register[1]}"
    return Overload(
        start, start + count - 1, len(text) + 2, mnemonic, name[1], arch.supporting(text[: -len(signature)])
    )


def groups(overloads: list[Overload], numbers: list[int]) -> Iterator[Stretch]:
    """Yield stretches of overloads of one function with the same architectures, as many as fit into a chunk."""
    whole: dict[str, tuple[int, int]] = {}
    for each in overloads:
        first, _ = whole.get(each.function, (numbers[each.start - 1], 0))
        whole[each.function] = (first, numbers[each.end - 1])
    group: list[Overload] = []
    for each in overloads:
        if group and (
            (each.function, each.supported) != (group[0].function, group[0].supported)
            or sum(member.size for member in group) + each.size > LONGEST
        ):
            yield stretch(group, whole[group[0].function])
            group = []
        group.append(each)
    yield stretch(group, whole[group[0].function])


def stretch(group: list[Overload], whole: tuple[int, int]) -> Stretch:
    """Return a group of overloads as one stretch; its title lists the PTX instructions."""
    first = group[0]
    title = one_line(", ".join(dict.fromkeys(member.mnemonic for member in group)))
    symbol = f"{first.function} {instruction_of(first.mnemonic, first.function)}"
    return Stretch(first.start, group[-1].end, title, "instruction", symbol, whole, arch=first.supported)


def instruction_of(mnemonic: str, function: str) -> str:
    """Return the part of a mnemonic that the function is named after: tcgen05.mma of tcgen05.mma.cta_group.kind."""
    parts = mnemonic.split()[0].split(".")
    count = 1
    while count < len(parts) and f"{function}_".startswith("_".join(parts[: count + 1]).replace("::", "_") + "_"):
        count += 1
    return ".".join(parts[:count])
