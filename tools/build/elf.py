"""Parser for 64-bit little-endian ELF files, such as libraries and cubins: sections, symbols and relocations."""

from __future__ import annotations

import struct
from dataclasses import dataclass

PROGBITS, SYMTAB, RELA, NOBITS, REL, DYNSYM, INIT_ARRAY, FINI_ARRAY, PREINIT_ARRAY = 1, 2, 4, 8, 9, 11, 14, 15, 16
"""Section types (sh_type)."""
WRITE, ALLOC, EXECUTE = 1, 2, 4
"""Section flags (sh_flags)."""
X86_64 = 62
"""The machine EM_X86_64."""


@dataclass(frozen=True)
class Section:
    """A section of an ELF file."""

    name: str
    kind: int
    """Its type, such as PROGBITS."""
    flags: int
    """Such as WRITE | ALLOC."""
    address: int
    """Address at which it is loaded; 0 if it is not."""
    size: int
    """Bytes."""
    content: bytes
    """Its bytes in the file; empty for NOBITS."""
    link: int
    """Number of the related section, such as a symbol table's strings."""
    info: int
    """Meaning depends on the type; of relocations, the number of the section that they change."""


@dataclass(frozen=True)
class Symbol:
    """An entry of a symbol table."""

    name: str
    section: int
    """Number of the section that defines it; 0 if it is imported."""
    value: int
    """Its address."""


@dataclass(frozen=True)
class Relocation:
    """A place whose value the loader computes from a symbol and an addend."""

    offset: int
    """Address of the place."""
    kind: int
    """Type of relocation, specific to the machine."""
    symbol: Symbol | None
    addend: int


@dataclass(frozen=True)
class Elf:
    """A parsed ELF file."""

    machine: int
    """e_machine, such as X86_64."""
    sections: tuple[Section, ...]

    def at(self, address: int) -> Section | None:
        """Return the section that is loaded at an address, or None."""
        inside = (s for s in self.sections if s.flags & ALLOC and s.address <= address < s.address + s.size)
        return next(inside, None)

    def symbols(self, table: Section) -> tuple[Symbol, ...]:
        """Return the symbols of a symbol table."""
        names = self.sections[table.link].content
        entries = struct.iter_unpack("<IBBHQQ", table.content[: len(table.content) // 24 * 24])
        return tuple(Symbol(_text(names, name), section, value) for name, _, _, section, value, _ in entries)

    def relocations(self, table: Section) -> tuple[Relocation, ...]:
        """Return the relocations of a relocation table, sorted by offset."""
        layout = "<QQq" if table.kind == RELA else "<QQ"
        size = struct.calcsize(layout)
        symbols = self.symbols(self.sections[table.link]) if table.link else ()
        found = []
        for offset, info, *addend in struct.iter_unpack(layout, table.content[: len(table.content) // size * size]):
            symbol = symbols[info >> 32] if info >> 32 else None
            found.append(Relocation(offset, info & 0xFFFFFFFF, symbol, addend[0] if addend else 0))
        return tuple(sorted(found, key=lambda relocation: relocation.offset))


def parse(data: bytes) -> Elf:
    """Parse an ELF file. Raises ValueError for anything else, and for a damaged one."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no ELF file of 64 bits, little endian")
    try:
        machine, start, size, count, names = *struct.unpack_from("<H", data, 18), *_table(data)
        rows = [struct.unpack_from("<IIQQQQII", data, start + number * size) for number in range(count)]
        strings = data[rows[names][4] :][: rows[names][5]]
        sections = tuple(
            Section(
                _text(strings, name), kind, flags, address, length,
                b"" if kind == NOBITS else data[offset : offset + length], link, info,
            )
            for name, kind, flags, address, offset, length, link, info in rows
        )  # fmt: skip
    except (struct.error, IndexError) as error:
        raise ValueError(f"a damaged ELF file: {error}") from error
    return Elf(machine, sections)


def _table(data: bytes) -> tuple[int, int, int, int]:
    """Return offset, entry size and number of the section headers, and the index of the section with their names."""
    start = struct.unpack_from("<Q", data, 40)[0]
    size, count, names = struct.unpack_from("<HHH", data, 58)
    return start, size, count, names


def _text(strings: bytes, start: int) -> str:
    return strings[start : strings.find(b"\0", start)].decode("utf-8", "replace")
