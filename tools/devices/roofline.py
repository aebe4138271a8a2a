"""What one core can do at most, from its instruction set: a figure that no honest candidate exceeds."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

HIGHEST_GHZ = 6.5
"""No processor sold boosts beyond it; the nominal clock in /proc/cpuinfo says too little."""
FLOP_PER_CYCLE = (("amx_bf16", 2048), ("avx512_bf16", 256), ("avx512f", 64), ("avx2", 32))
"""Per core and cycle: an AMX tile product of 16 cycles; two 512-bit units of bf16 pairs; two of fp32 FMA."""


@functools.cache
def processor() -> tuple[str, frozenset[str]]:
    """Model name and feature flags."""
    facts: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    return facts.get("model name", platform.machine()), frozenset(facts.get("flags", "").split())


def device() -> str:
    """One line that names the processor that measurements were made on."""
    name, flags = processor()
    best = next((flag for flag, _ in FLOP_PER_CYCLE if flag in flags), platform.machine())
    return f"{name}, {os.cpu_count()} cores, {best}"


TENSOR_TFLOPS = {"sm_80": 312.0, "sm_90a": 990.0, "sm_100a": 2500.0}
"""Dense bf16 by the data sheets of A100, H200 and B200, in TFLOPS."""


MEMORY_GBS = {"sm_80": 2039.0, "sm_90a": 4800.0, "sm_100a": 8000.0}
"""Of their memory, by the data sheets, in GB/s."""


def peak(unit: str, target: str = "cpu") -> float:
    """Most of `unit` per second that one core, or a GPU, can do; 0 where nothing is known."""
    if target != "cpu":
        return {"TFLOPS": TENSOR_TFLOPS, "GB/s": MEMORY_GBS}.get(unit, {}).get(target, 0.0)
    _, flags = processor()
    for flag, flop in FLOP_PER_CYCLE:
        if flag in flags:
            return {"GFLOP/s": 1.0, "TFLOPS": 1e-3}.get(unit, 0.0) * flop * HIGHEST_GHZ
    return 0.0
