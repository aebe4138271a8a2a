"""The report on a reading of Nsight Compute: what bounds the kernel first, then the details to act on."""

from __future__ import annotations

from collections.abc import Mapping

from avo.tools.instruments.harness import source_line
from avo.tools.instruments.ncu import Reading
from avo.tools.instruments.ncu_pages import Spot

LONGEST = 6000
"""Maximum length in characters of a report."""
BUSY, IDLE = 60.0, 5.0
"""Percent of its peak from which a unit bounds a kernel, and below which it is not mentioned."""
UNITS = {
    "tensor_pct": "tensor pipe", "mufu_pct": "MUFU pipe (exp2, rcp)", "fma_pct": "FMA pipe", "alu_pct": "ALU pipe",
    "issue_pct": "issue slots", "shared_pct": "shared memory", "l1_pct": "L1", "l2_pct": "L2", "dram_pct": "DRAM",
}  # fmt: skip
"""Figure -> name of the unit of the GPU."""
WAITS = {
    "gmma": "wgmma's registers: the group before has not ended",
    "warpgroup_arrive": "wgmma's registers: the group before has not ended",
    "barrier": "a barrier of threads (__syncthreads, bar.sync)",
    "long_scoreboard": "global or local memory, or an mbarrier",
    "short_scoreboard": "shared memory or MUFU",
    "math_pipe_throttle": "a math pipe that is busy",
    "mio_throttle": "the queue to shared memory and MUFU",
    "lg_throttle": "the queue to global and local memory",
    "tex_throttle": "the queue to L1/TEX",
    "wait": "the fixed latency of the instruction before",
    "not_selected": "nothing: another warp was issued",
    "no_instruction": "instructions to be fetched (large code, jumps)",
    "branch_resolving": "a branch",
    "dispatch_stall": "the dispatcher",
    "drain": "stores to leave at the end",
    "imc_miss": "constants",
    "membar": "a memory fence",
    "sleeping": "nanosleep",
}
"""Stall reason -> what a warp waits for."""
LIMITS = {
    "blocks_by_registers": "registers", "blocks_by_shared": "shared memory", "blocks_by_warps": "warps",
    "blocks_by_barriers": "barriers", "blocks_by_blocks": "blocks",
}  # fmt: skip
"""Figure -> resource that limits the blocks per SM."""


def verdict(reading: Reading) -> str:
    """Return one line: what the kernel is bound by, and the units by utilization."""
    busy = sorted(((reading.figures[k], name) for k, name in UNITS.items() if k in reading.figures), reverse=True)
    if not busy:
        return "bound by: unknown, no unit's use was counted"
    listed = ", ".join(f"{name} {percent:.0f} %" for percent, name in busy if percent >= IDLE) or "every unit idle"
    if busy[0][0] >= BUSY:
        return f"bound by the {busy[0][1]}: {listed}"
    top = next(((name, part) for name, part in reading.stalls.items() if name != "not_selected"), None)
    waits = f", warps wait most for {WAITS.get(top[0], top[0])} ({top[1]:.0%} of their time)" if top else ""
    return f"bound by latency, no unit is busy{waits}: {listed}"


def text(reading: Reading, case: str, sources: Mapping[str, bytes]) -> str:
    """Return the report on one launch, at most LONGEST characters."""
    known = reading.figures
    lines = [verdict(reading), _first_line(reading, case)]
    lines += _spilling(known) + _conflicts(known) + _residency(known)
    if reading.stalls:
        lines += ["", "where a warp's time goes:"]
        shown = [(name, part) for name, part in reading.stalls.items() if part >= 0.02][:8]
        lines += [f"{part:6.1%}  {name}: {WAITS.get(name, name)}" for name, part in shown]
    lines += _spots("source lines by samples:", reading.lines, sources)
    lines += _spots("instructions by samples:", reading.instructions, {})
    if reading.others:
        rest = ", ".join(f"{_short(name)} {ms:.3f} ms" for name, ms in reading.others)
        lines += ["", f"other kernels of the launch: {rest}"]
    lines += ["", f"profiled under its own clocks, caches flushed; isolation: {reading.isolation}"]
    report = "\n".join(lines)
    return report if len(report) <= LONGEST else f"{report[: LONGEST - 40]}\n[the rest is left out]"


def _first_line(reading: Reading, case: str) -> str:
    known = reading.figures
    clock = f" at {known['sm_mhz']:.0f} MHz" if "sm_mhz" in known else ""
    memory = f", DRAM {known['dram_gb_s']:.0f} GB/s" if "dram_gb_s" in known else ""
    hits = f", L2 hits {known['l2_hit_pct']:.0f} %" if "l2_hit_pct" in known else ""
    took = f"{known['duration_ms']:.3f} ms{clock}" if "duration_ms" in known else "an unknown time"
    return f"{_short(reading.kernel)} {reading.grid} x {reading.block}, case {case}: {took}{memory}{hits}"


def _spilling(known: Mapping[str, float]) -> list[str]:
    loads, stores = known.get("local_load_bytes", 0.0), known.get("local_store_bytes", 0.0)
    if not loads + stores:
        return []
    return [f"local memory (spills): {loads / 1e6:.1f} MB loaded, {stores / 1e6:.1f} MB stored"]


def _conflicts(known: Mapping[str, float]) -> list[str]:
    conflicts, wavefronts = known.get("bank_conflicts", 0.0), known.get("shared_wavefronts", 0.0)
    if not conflicts or not wavefronts:
        return []
    return [f"bank conflicts: {conflicts:.3g}, {conflicts / wavefronts:.0%} of shared memory's wavefronts"]


def _residency(known: Mapping[str, float]) -> list[str]:
    limits = {name: known[key] for key, name in LIMITS.items() if known.get(key)}
    parts = [f"occupancy {known['occupancy_pct']:.0f} %"] if "occupancy_pct" in known else []
    if "theoretical_occupancy_pct" in known:
        parts.append(f"{known['theoretical_occupancy_pct']:.0f} % possible")
    if limits:
        least = min(limits.values())
        by = " and ".join(name for name, blocks in limits.items() if blocks == least)
        parts.append(f"{least:.0f} blocks an SM, limited by {by}")
    if "registers" in known:
        parts.append(f"{known['registers']:.0f} registers")
    if "shared_bytes" in known:
        parts.append(f"{known['shared_bytes'] / 1024:.0f} KiB shared memory a block")
    if "waves" in known:
        parts.append(f"{known['waves']:.2f} waves")
    if "eligible_warps" in known:
        parts.append(f"{known['eligible_warps']:.2f} warps ready a cycle and scheduler")
    return [", ".join(parts)] if parts else []


def _spots(title: str, spots: tuple[Spot, ...], sources: Mapping[str, bytes]) -> list[str]:
    total = sum(spot.samples for spot in spots)
    lines = ["", title] if total else []
    for spot in spots[:8]:
        why = ", ".join(f"{name} {count / spot.samples:.0%}" for name, count in list(spot.reasons.items())[:2])
        said = (spot.text or source_line(spot.where, sources))[:70]
        lines.append(f"{spot.samples / total:6.1%}  {spot.where:20} {said}" + (f"  ({why})" if why else ""))
    return lines


def _short(kernel: str) -> str:
    return kernel.replace("(anonymous namespace)::", "").partition("(")[0].removeprefix("void ").strip()[:80]
