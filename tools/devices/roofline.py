"""The roofline: peak rates of one core and of GPUs, which no honest candidate exceeds."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

HIGHEST_GHZ = 6.5
"""Clock that no processor on sale exceeds, in GHz; the nominal clock in /proc/cpuinfo is lower than the boost."""
FLOP_PER_CYCLE = (("amx_bf16", 2048), ("avx512_bf16", 256), ("avx512f", 64), ("avx2", 32))
"""Feature flag -> floating-point operations per core and cycle, best first: an AMX tile product of 16 cycles; two
512-bit units of bf16 pairs; two units of fp32 FMA with 512 and with 256 bits.
"""


@functools.cache
def processor() -> tuple[str, frozenset[str]]:
    """Return the processor's model name and feature flags, from /proc/cpuinfo."""
    facts: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    return facts.get("model name", platform.machine()), frozenset(facts.get("flags", "").split())


def device() -> str:
    """Return one line that names the processor: model, number of cores, best instruction set."""
    name, flags = processor()
    best = next((flag for flag, _ in FLOP_PER_CYCLE if flag in flags), platform.machine())
    return f"{name}, {os.cpu_count()} cores, {best}"


TENSOR_TFLOPS = {"sm_80": 312.0, "sm_90a": 990.0, "sm_100a": 2500.0}
"""Target -> dense bf16 peak in TFLOPS, by the data sheets of A100, H200 and B200."""


MEMORY_GBS = {"sm_80": 2039.0, "sm_90a": 4800.0, "sm_100a": 8000.0}
"""Target -> memory bandwidth in GB/s, by the same data sheets."""


def peak(unit: str, target: str = "cpu") -> float:
    """Return the peak rate of one core, or of a GPU, in `unit` (GFLOP/s, TFLOPS or GB/s); 0 where it is unknown."""
    if target != "cpu":
        return {"TFLOPS": TENSOR_TFLOPS, "GB/s": MEMORY_GBS}.get(unit, {}).get(target, 0.0)
    _, flags = processor()
    for flag, flop in FLOP_PER_CYCLE:
        if flag in flags:
            return {"GFLOP/s": 1.0, "TFLOPS": 1e-3}.get(unit, 0.0) * flop * HIGHEST_GHZ
    return 0.0
