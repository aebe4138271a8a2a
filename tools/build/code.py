"""The digest of a candidate's compiled code: machine code and constants, independent of names, files and lines."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from avo.scenarios.abi import SYMBOL
from avo.tools.build import elf
from avo.tools.build.elf import Elf, Section

FILLED = (elf.PROGBITS, elf.INIT_ARRAY, elf.FINI_ARRAY, elf.PREINIT_ARRAY)
"""ELF section types that carry content."""
LEFT_OUT = re.compile(
    r"\.(interp|note|eh_frame|got|plt|init$|fini$|nv_fatbin|nvFatBinSegment|nv_module_id)|__nv_module_id"
)
"""Sections that are not digested: tables of the linker and the loader, and the wrapping of the CUDA part. Those of
their entries that are used enter by way of relocations.
"""
OF_A_FILE = re.compile(
    rb"(?:\d+_GLOBAL__N_|\d*_INTERNAL|__nv_static_\d+_)_[0-9a-f]{8}_\d+_\w+?_(?:cu|cc|cpp)_[0-9a-f]{8}"
)
"""Part of a mangled name that nvcc adds for internal linkage: a digest of the source, and its file name."""
LINE = re.compile(r"^\s+([0-9a-f]+):\t(\S.*)$", re.MULTILINE)
"""An instruction in objdump's listing: address and text."""
RELATIVE = re.compile(r"-?0x[0-9a-f]+\(%rip\)(.*?)\s*# ([0-9a-f]+)\b.*$")
"""An operand addressed relative to the instruction pointer, and its absolute address."""
BRANCH = re.compile(r"^((?:\w+ )*(?:call|jmp|j\w+|xbegin)\w*\s+)([0-9a-f]+) <(.+)>$")
"""A call or a jump: mnemonic, target address, target name."""
TEXT = re.compile(rb"[\x20-\x7e]{4,}\0")
"""A string constant of at least four printable characters."""
NEAR = 16
"""Bytes of a constant that identify it in an operand; every constant is digested in full elsewhere."""
GPU_SECTIONS = re.compile(r"\.(?:text\.|nv\.constant|nv\.global|nv\.shared)")
"""Sections of a cubin that are digested: code, constants, global and shared variables."""


def code_of(library: Path, listing: str, cubins: Sequence[Path]) -> str:
    """Return 32 hex digits over the machine code and constants of a library and of the GPU code in it.

    listing: `objdump -d --no-show-raw-insn` of the library. cubins: the files that cuobjdump extracts from it. Returns
    "" for a library that cannot be parsed.
    """
    try:
        parts = [*_of_the_host(elf.parse(library.read_bytes()), listing)]
        for cubin in cubins:
            parts += sorted(_of_a_gpu(elf.parse(cubin.read_bytes())))
    except (ValueError, IndexError, struct.error):
        return ""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(struct.pack("<Q", len(part)) + part)
    return digest.hexdigest()[:32]


def _of_the_host(file: Elf, listing: str) -> Iterator[bytes]:
    pointers = {
        relocation.offset: _target(file, relocation)
        for table in file.sections
        if table.kind == elf.RELA and table.flags & elf.ALLOC
        for relocation in file.relocations(table)
    }
    listed = file.machine == elf.X86_64
    for section in file.sections:
        if not section.flags & elf.ALLOC or LEFT_OUT.match(section.name):
            continue
        if section.kind == elf.NOBITS:
            yield f"{section.name} {section.size}".encode()
        elif section.kind in FILLED:
            shown = listed and section.flags & elf.EXECUTE
            yield section.name.encode() + b"\0" + (b"" if shown else _without_names(section.content))
            inside = range(section.address, section.address + section.size)
            yield "".join(f"{at - section.address}={pointers[at]}\n" for at in pointers if at in inside).encode()
    own = {
        symbol.name: _named(file, symbol.value)
        for table in file.sections
        if table.kind == elf.DYNSYM
        for symbol in file.symbols(table)
        if symbol.section
    }
    yield own.get(SYMBOL, "").encode()
    if listed:
        yield "\n".join(_instructions(file, listing, pointers, own)).encode()


def _instructions(file: Elf, listing: str, pointers: dict[int, str], own: dict[str, str]) -> Iterator[str]:
    """Yield each instruction, with its relative operands replaced by what they refer to."""
    section: Section | None = None
    for found in LINE.finditer(listing):
        address, text = int(found[1], 16), found[2].strip()
        if section is None or not section.address <= address < section.address + section.size:
            section = file.at(address)
        if section is None or LEFT_OUT.match(section.name):
            continue
        if branch := BRANCH.match(text):
            target = int(branch[2], 16)
            name, _, table = branch[3].rpartition("@")
            yield branch[1] + (own.get(name, name) if table == "plt" else _named(file, target))
        elif relative := RELATIVE.search(text):
            there = int(relative[2], 16)
            yield text[: relative.start()] + (pointers.get(there) or _constant(file, there)) + relative[1]
        else:
            yield text


def _constant(file: Elf, address: int) -> str:
    """Return the value of a constant at an address; for anything else, its section and offset."""
    section = file.at(address)
    if section is None or section.flags & (elf.WRITE | elf.EXECUTE) or not section.content:
        return _named(file, address)
    rest = section.content[address - section.address :]
    text = TEXT.match(rest)
    return _without_names(text[0] if text else rest[:NEAR]).hex()


def _named(file: Elf, address: int) -> str:
    section = file.at(address)
    return f"{section.name}+{address - section.address}" if section else "nowhere"


def _target(file: Elf, relocation: elf.Relocation) -> str:
    symbol = relocation.symbol
    if symbol is None:
        return f"{relocation.kind} {_constant(file, relocation.addend)}"
    if not symbol.section:
        return f"{relocation.kind} {symbol.name}+{relocation.addend}"
    return f"{relocation.kind} {_named(file, symbol.value + relocation.addend)}"


def _of_a_gpu(file: Elf) -> Iterable[bytes]:
    """Yield sections by name; for code also the registers per thread, and the functions that it refers to."""
    for section in file.sections:
        name = _without_names(section.name.encode())
        if section.kind in (elf.REL, elf.RELA) and section.info < len(file.sections):
            if GPU_SECTIONS.match(file.sections[section.info].name):
                yield name + b"".join(_of_a_function(relocation) for relocation in file.relocations(section))
        elif GPU_SECTIONS.match(section.name):
            # ptxas writes them into the upper byte of sh_info.
            registers = section.info >> 24 if section.flags & elf.EXECUTE else 0
            yield name + struct.pack("<QQ", section.size, registers) + section.content


def _of_a_function(relocation: elf.Relocation) -> bytes:
    name = _without_names(relocation.symbol.name.encode()) if relocation.symbol else b""
    return f"\0{relocation.offset} {relocation.kind} {relocation.addend} ".encode() + name


def _without_names(content: bytes) -> bytes:
    """Return the content without nvcc's names of files, and without their padding, as they vary in length."""
    found, count = OF_A_FILE.subn(b"", content)
    return re.sub(rb"\0+", b"\0", found) if count else content
