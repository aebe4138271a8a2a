"""The generated headers of cuda::ptx: one chunk per group of an instruction's overloads, from the comments alone.

Above each overload is a comment with the instruction in PTX, the PTX ISA and the architectures that support it, and
the C++ signature; the function bodies are much longer and say nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from avo.kb_index.chunkers import cuda
from avo.kb_index.chunkers.pieces import decoded, one_line
from avo.kb_index.index import arch
from avo.kb_index.index.chunk import LONGEST, Chunk, Document, Parsed

NAME = re.compile(r"(\w+)\s*\(")
SPECIAL = re.compile(r"%(%\w[\w.]*)")


@dataclass(frozen=True)
class Overload:
    """One overload's comment: first and last line, text, and what it says."""

    start: int
    end: int
    text: str
    mnemonic: str
    function: str
    supported: tuple[str, ...]


def parse(document: Document) -> Parsed:
    """Return chunks of kind instruction; a header without such comments is read as C++."""
    text = decoded(document)
    overloads = list(comments(text.split("\n")))
    if not overloads:
        return cuda.parse(document)
    whole: dict[str, tuple[int, int]] = {}
    for each in overloads:
        whole[each.function] = (whole.get(each.function, (each.start, 0))[0], each.end)
    return Parsed(text, tuple(chunk(group, whole[group[0].function], document.url) for group in groups(overloads)))


def comments(lines: Sequence[str]) -> Iterator[Overload]:
    """Yield the comments that describe a function."""
    begun = 0
    for number, line in enumerate(lines, 1):
        if line == "/*":
            begun = number
        elif line == "*/" and begun:
            text = "\n".join(lines[begun : number - 1])
            before, device, signature = text.partition("__device__")
            name = NAME.search(signature)
            if text.startswith("// ") and device and name:
                yield Overload(begun + 1, number - 1, text, mnemonic(text, name[1]), name[1], arch.supporting(before))
            begun = 0


def mnemonic(text: str, function: str) -> str:
    """Return the first word of a comment's instruction, and the special register that it reads."""
    instruction = text.removeprefix("// ").partition(";")[0]
    first = instruction.split(maxsplit=1)[0] if instruction.strip() else function
    register = SPECIAL.search(instruction)
    return f"{first} {register[1]}" if register else first


def groups(overloads: Sequence[Overload]) -> Iterator[list[Overload]]:
    """Yield overloads of one function with the same architectures, as many as fit into a chunk."""
    group: list[Overload] = []
    for each in overloads:
        if group and (
            (each.function, each.supported) != (group[0].function, group[0].supported)
            or sum(len(member.text) + 2 for member in group) + len(each.text) > LONGEST
        ):
            yield group
            group = []
        group.append(each)
    yield group


def chunk(group: Sequence[Overload], whole: tuple[int, int], url: str) -> Chunk:
    """Return a group of overloads as one chunk; its title lists the PTX instructions."""
    first = group[0]
    title = one_line(", ".join(dict.fromkeys(member.mnemonic for member in group)))
    text = "\n\n".join(member.text for member in group)[:LONGEST]
    symbol = f"{first.function} {instruction_of(first.mnemonic, first.function)}"
    return Chunk(first.start, group[-1].end, title, text, "instruction", symbol, whole, first.supported, url)


def instruction_of(mnemonic: str, function: str) -> str:
    """Return the part of a mnemonic that the function is named after: tcgen05.mma of tcgen05.mma.cta_group.kind."""
    parts = mnemonic.split()[0].split(".")
    count = 1
    while count < len(parts) and f"{function}_".startswith("_".join(parts[: count + 1]).replace("::", "_") + "_"):
        count += 1
    return ".".join(parts[:count])
