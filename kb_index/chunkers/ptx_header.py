"""The generated headers of cuda::ptx: one chunk per instruction's group of overloads, from the comments alone.

Above each overload stands a comment with the instruction in PTX, the PTX ISA and the architectures that have it, and
the signature in C++; the bodies below say nothing more, in many times the characters.
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
    """One comment: where it stands among the comment lines, and what it names."""

    start: int
    end: int
    size: int
    mnemonic: str
    function: str
    supported: tuple[str, ...]


def parse(document: Document) -> Parsed:
    """Chunks of kind instruction; a header without such comments is read as C++."""
    text = decoded(document)
    kept, numbers, overloads = comments(text.split("\n"))
    if not overloads:
        return cuda.parse(document)
    starts = {overload.start for overload in overloads}
    chunks = assemble(document, kept, groups(overloads, numbers), lambda at: 0 if at in starts else 50, 0, numbers)
    return Parsed(text, chunks)


def comments(lines: list[str]) -> tuple[list[str], list[int], list[Overload]]:
    """The lines of the comments with a blank one after each, their line numbers, and what the comments are."""
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
    """What a comment of `count` lines says; None when it is about no function."""
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
    """Overloads of one function that run on the same architectures, as many as fit into a chunk."""
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
    """A group as one stretch; its title is what the instructions are called in PTX."""
    first = group[0]
    title = one_line(", ".join(dict.fromkeys(member.mnemonic for member in group)))
    symbol = f"{first.function} {instruction_of(first.mnemonic, first.function)}"
    return Stretch(first.start, group[-1].end, title, "instruction", symbol, whole, arch=first.supported)


def instruction_of(mnemonic: str, function: str) -> str:
    """The part of a mnemonic that the function is named after: tcgen05.mma of tcgen05.mma.cta_group.kind."""
    parts = mnemonic.split()[0].split(".")
    count = 1
    while count < len(parts) and f"{function}_".startswith("_".join(parts[: count + 1]).replace("::", "_") + "_"):
        count += 1
    return ".".join(parts[:count])
