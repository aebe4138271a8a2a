"""An ELF file of 64 bits, little endian, read: its sections, symbols and relocations. Libraries and cubins are such."""

from __future__ import annotations

import struct
from dataclasses import dataclass

PROGBITS, SYMTAB, RELA, NOBITS, REL, DYNSYM, INIT_ARRAY, FINI_ARRAY, PREINIT_ARRAY = 1, 2, 4, 8, 9, 11, 14, 15, 16
WRITE, ALLOC, EXECUTE = 1, 2, 4
X86_64 = 62


@dataclass(frozen=True)
class Section:
    """One section."""

    name: str
    kind: int
    flags: int
    address: int
    size: int
    content: bytes
    """Empty where the file holds none."""
    link: int
    info: int


@dataclass(frozen=True)
class Symbol:
    """One symbol."""

    name: str
    section: int
    """Number of the section; 0 for one that is imported."""
    value: int


@dataclass(frozen=True)
class Relocation:
    """What the loader writes to one place."""

    offset: int
    kind: int
    symbol: Symbol | None
    addend: int


@dataclass(frozen=True)
class Elf:
    """One file."""

    machine: int
    sections: tuple[Section, ...]

    def at(self, address: int) -> Section | None:
        """The section that is loaded to an address."""
        inside = (s for s in self.sections if s.flags & ALLOC and s.address <= address < s.address + s.size)
        return next(inside, None)

    def symbols(self, table: Section) -> tuple[Symbol, ...]:
        names = self.sections[table.link].content
        entries = struct.iter_unpack("<IBBHQQ", table.content[: len(table.content) // 24 * 24])
        return tuple(Symbol(_text(names, name), section, value) for name, _, _, section, value, _ in entries)

    def relocations(self, table: Section) -> tuple[Relocation, ...]:
        """In the order of what they write to."""
        layout = "<QQq" if table.kind == RELA else "<QQ"
        size = struct.calcsize(layout)
        symbols = self.symbols(self.sections[table.link]) if table.link else ()
        found = []
        for offset, info, *addend in struct.iter_unpack(layout, table.content[: len(table.content) // size * size]):
            symbol = symbols[info >> 32] if info >> 32 else None
            found.append(Relocation(offset, info & 0xFFFFFFFF, symbol, addend[0] if addend else 0))
        return tuple(sorted(found, key=lambda relocation: relocation.offset))


def parse(data: bytes) -> Elf:
    """Raises ValueError for what is none."""
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
    """Where the section headers begin, the size of one, how many there are, and which one is of the names."""
    start = struct.unpack_from("<Q", data, 40)[0]
    size, count, names = struct.unpack_from("<HHH", data, 58)
    return start, size, count, names


def _text(strings: bytes, start: int) -> str:
    return strings[start : strings.find(b"\0", start)].decode("utf-8", "replace")
