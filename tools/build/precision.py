"""Detects instructions that compute in lower precision than the scenario's tensors have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from avo.scenarios.loader import Precision, Scenario

FP8, INT8, FP4, FP16 = "fp8 products", "int8 products", "fp4 products", "fp16 sums"
"""Kinds of low-precision arithmetic."""
SASS = {
    FP8: ("QGMMA", "QMMA", "UTCQMMA"),
    INT8: ("IMMA", "IGMMA", "UTCIMMA", "BMMA", "BGMMA", "IDP", "IDP4A"),
    FP4: ("OMMA", "OGMMA", "UTCOMMA"),
}
"""Kind -> opcodes of a GPU. 4-bit and 1-bit integers count as int8; accumulation in fp16 is detected by IN_FP16."""
IN_FP16 = re.compile(r"^(?:\.SP)?(?:\.\d[\dx]*)?(?:\.SP)?\.F16\b")
"""Modifiers of HMMA and HGMMA that accumulate in fp16: the shape, then the accumulator's type."""
CPU = {
    INT8: re.compile(
        r"v?pdp[bw][su][su]ds?|tdpb[su][su]d|v?pmaddubsw"  # x86: VNNI, AMX and what came before them
        r"|[su]dot|usdot|sudot|(?:u?s|u)mmla"
    ),
    FP8: re.compile(r"tdp[bh]{1,2}f8ps|f8dp\w*"),
    FP16: re.compile(r"vfn?m(?:add|sub)\d+[ps]h"),
}
"""Kind -> mnemonics of a CPU."""
ALLOWED_BY: Mapping[str, Precision] = {FP8: "fp8", INT8: "int8", FP4: "fp4", FP16: "fp16"}
"""Kind -> the name that permits it in a scenario's `allow`."""
CPU_CODE = re.compile(r"^\s+[0-9a-f]+:\t(?:\{\w+\} )?(\w+)", re.MULTILINE)
"""An instruction in objdump's listing: its mnemonic."""


def on_cpu(listing: str) -> dict[str, int]:
    """Return the number of such instructions in objdump's listing, by kind."""
    counts: dict[str, int] = {}
    for mnemonic in CPU_CODE.findall(listing):
        for name, pattern in CPU.items():
            if pattern.fullmatch(mnemonic):
                counts[name] = counts.get(name, 0) + 1
    return counts


def refusal(counts: Mapping[str, int], scenario: Scenario, target: str) -> str:
    """Return why a candidate with these numbers of instructions by kind is refused; "" if it is not.

    int8 is always allowed in a scenario whose tensors, workspaces aside, are neither bf16 nor fp32.
    """
    allowed = set(scenario.target(target).allow)
    if not any(tensor.dtype in ("bf16", "fp32") for tensor in scenario.tensors if tensor.role != "workspace"):
        allowed.add("int8")
    for name, wanted in ALLOWED_BY.items():
        if counts.get(name) and wanted not in allowed:
            verb = "sums up" if name == FP16 else "computes"
            return f"{verb} in {wanted} ({counts[name]} instructions such as {_example(name, target)})"
    return ""


def _example(name: str, target: str) -> str:
    if target == "cpu":
        return {INT8: "vpdpbusd", FP8: "tdpbf8ps", FP16: "vfmadd231ph"}.get(name, name)
    return {FP8: "QGMMA", INT8: "IMMA and IGMMA", FP4: "OMMA", FP16: "HMMA.F16"}[name]
