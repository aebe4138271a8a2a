"""Parser for the CSV output of Nsight Compute, the raw page and the source page, by names of columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

TIMES = {"ns": 1.0, "nsecond": 1.0, "us": 1e3, "usecond": 1e3, "ms": 1e6, "msecond": 1e6, "s": 1e9, "second": 1e9}
"""Unit of time -> nanoseconds."""
PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
"""Decimal prefix -> factor."""
AMOUNT = re.compile(r"^([kmgt]?)(byte|b|hz)$", re.IGNORECASE)
"""Unit of an amount: prefix, and byte, bit or hertz."""
FACTS = ("ID", "Kernel Name", "Grid Size", "Block Size")
"""Columns that describe a launch."""
SAMPLES = ("Warp Stall Sampling (All Samples)", "# Samples", "Warp Stall Sampling (Not-issued Samples)")
"""Columns that count samples, the best first; which of them exist depends on the version."""
REASON = re.compile(r"^stall_(\w+)$")
"""Column that counts samples of a stall reason."""


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel that was profiled."""

    name: str
    grid: str
    block: str
    metrics: Mapping[str, float]
    """Metric -> value; times in ns, amounts in bytes, rates per second, everything else in its own unit."""


@dataclass(frozen=True)
class Spot:
    """A source line or an instruction at which warps were sampled."""

    where: str
    """file:line, or the instruction's offset in its kernel."""
    text: str
    """The instruction; empty for a source line."""
    samples: int
    """Number of samples."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Stall reason -> samples, descending."""


@dataclass(frozen=True)
class Sampled:
    """The samples of one kernel."""

    kernel: str
    instructions: Mapping[int, Spot]
    """Offset in the kernel -> instruction, for every one of them."""


def launches(text: str) -> tuple[Launch, ...]:
    """Return the launches on a raw page (a metric per column, units in row 2) or a details page (a metric per row)."""
    header: list[str] = []
    units: dict[str, str] = {}
    found: dict[str, tuple[dict[str, str], dict[str, float]]] = {}
    for cells in _rows(text):
        if "Kernel Name" in cells and "ID" in cells:
            header = cells
            continue
        if not header or len(cells) < 2:
            continue
        row = dict(zip(header, cells, strict=False))
        if not row.get("ID"):
            units = row
            continue
        _, metrics = found.setdefault(row["ID"], ({name: row.get(name, "") for name in FACTS}, {}))
        pairs = [(row["Metric Name"], row.get("Metric Value", ""))] if "Metric Name" in row else list(row.items())
        for name, cell in pairs:
            value = number(cell)
            if value is not None and "__" in name:
                unit = row.get("Metric Unit", "") if "Metric Name" in row else units.get(name, "")
                metrics[name] = value * scale(unit)
    return tuple(
        Launch(facts["Kernel Name"], facts["Grid Size"], facts["Block Size"], metrics)
        for facts, metrics in found.values()
    )


def number(cell: str) -> float | None:
    """Parse a number such as "1,234.5"; return None for anything else, such as "n/a"."""
    try:
        return float(cell.replace(",", "").strip().removesuffix("%"))
    except ValueError:
        return None


def scale(unit: str) -> float:
    """Return the factor that converts a value in `unit` to nanoseconds, bytes, hertz, or an amount per second."""
    above, _, below = unit.partition("/")
    factor = TIMES.get(above.lower(), 1.0)
    if found := AMOUNT.match(above):
        factor = PREFIXES[found[1].lower()]
    return factor * (1e9 / TIMES[below] if below in TIMES else 1.0)


def sampled(text: str) -> tuple[Sampled, ...]:
    """Return the kernels on a source page that shows SASS."""
    found: dict[str, dict[int, Spot]] = {}
    kernel, header = "", list[str]()
    for cells in _rows(text):
        if cells[0] in ("Kernel Name", "Function Name") and "Source" not in cells:
            kernel = [*cells, ""][1]
        elif "Source" in cells and "Address" in cells:
            header = cells
        elif header and len(cells) > header.index("Address"):
            row = dict(zip(header, cells, strict=False))
            at = _address(row["Address"])
            if at is not None:
                spot = Spot("", row.get("Source", "").strip(), _samples(row), ranked(_reasons(row)))
                found.setdefault(kernel, {}).setdefault(at, spot)
    return tuple(Sampled(name, _from_start(spots)) for name, spots in found.items())


def _from_start(spots: Mapping[int, Spot]) -> dict[int, Spot]:
    """Return the instructions by offset from the kernel's first one, in place of addresses."""
    first = min(spots)
    return {at - first: replace(spot, where=f"{at - first:#06x}") for at, spot in spots.items()}


def by_line(spots: Mapping[int, Spot], places: Mapping[int, str]) -> tuple[Spot, ...]:
    """Return the samples by source line, descending. places: offset -> file:line."""
    lines: dict[str, Spot] = {}
    for at, spot in spots.items():
        if (line := places.get(at)) and spot.samples:
            sum_ = lines.get(line, Spot(line, "", 0))
            reasons = {n: sum_.reasons.get(n, 0) + spot.reasons.get(n, 0) for n in {*sum_.reasons, *spot.reasons}}
            lines[line] = Spot(line, "", sum_.samples + spot.samples, ranked(reasons))
    return tuple(sorted(lines.values(), key=lambda spot: -spot.samples))


def _address(cell: str) -> int | None:
    try:
        return int(cell, 16)
    except ValueError:
        return None


def _samples(row: Mapping[str, str]) -> int:
    return next((int(number(row[name]) or 0) for name in SAMPLES if name in row), 0)


def _reasons(row: Mapping[str, str]) -> dict[str, int]:
    found = ((REASON.match(name), cell) for name, cell in row.items())
    return {match[1]: int(number(cell) or 0) for match, cell in found if match}


def ranked(reasons: Mapping[str, int]) -> dict[str, int]:
    """Return the reasons without those that are 0, descending."""
    return {name: count for name, count in sorted(reasons.items(), key=lambda pair: -pair[1]) if count}


def _rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of the lines that are CSV; other lines, of the profiler or the candidate, are skipped."""
    lines = (line for line in text.lstrip("\ufeff").splitlines() if line.startswith('"') or '","' in line)
    yield from csv.reader(io.StringIO("\n".join(lines)))
