"""The ABI of a scenario: the header that candidates include, and the same struct packed by the judge."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from avo.scenarios.expressions import evaluate
from avo.scenarios.loader import Case, Scenario

HEADER = "avo_abi.h"
"""Name of the header that candidates include."""
SYMBOL = "avo_launch"
"""Name of the function that candidates export."""

C_TYPES = {"bf16": "avo_bf16", "fp32": "float", "int32": "int32_t", "uint8": "uint8_t", "int64": "int64_t"}
"""dtype -> C type in the header."""
ITEM_BYTES = {"bf16": 2, "fp32": 4, "int32": 4, "uint8": 1}
"""dtype -> bytes per element."""
SCALARS: dict[str, Any] = {"fp32": ctypes.c_float, "int32": ctypes.c_int32, "int64": ctypes.c_int64}
"""dtype of a scalar -> ctypes type."""

TEMPLATE = """\
// Generated from the scenario {name}; the harness writes this file anew for every build.
#pragma once
#include <stdint.h>

typedef uint16_t avo_bf16;  // bfloat16 as bits: the upper half of an IEEE float

// Every pointer is a multiple of 16 bytes, and of no more. Nothing may be read or written before or behind a tensor.
typedef struct avo_args {{
{fields}
}} avo_args;

// 0 = launched, 1 = unsupported case. Do not allocate, do not synchronise. `stream` is NULL on the CPU.
#ifdef __cplusplus
extern "C"
#endif
int {symbol}(const avo_args* a, void* stream);
"""
"""Template of the header."""


def header(scenario: Scenario) -> str:
    """Return the text of avo_abi.h."""
    lines = []
    for tensor in scenario.tensors:
        const = "const " if tensor.role == "in" else ""
        shape = ", ".join(map(str, tensor.shape))
        lines.append(f"  {const}{C_TYPES[tensor.dtype]}* {tensor.name};  // {tensor.role}, [{shape}]")
    lines += [f"  int64_t {dim};" for dim in scenario.dims]
    lines += [f"  {C_TYPES[s.dtype]} {s.name};  // {s.value}" for s in scenario.scalars]
    return TEMPLATE.format(name=scenario.name, fields="\n".join(lines), symbol=SYMBOL)


def pack(scenario: Scenario, case: Case, addresses: Mapping[str, int]) -> bytes:
    """Return the bytes of avo_args for one launch: tensor addresses, dimensions, scalars."""
    fields: list[tuple[str, Any]] = [(tensor.name, ctypes.c_uint64) for tensor in scenario.tensors]
    fields += [(dim, ctypes.c_int64) for dim in scenario.dims]
    fields += [(scalar.name, SCALARS[scalar.dtype]) for scalar in scenario.scalars]
    struct = type("avo_args", (ctypes.Structure,), {"_fields_": fields})()
    for tensor in scenario.tensors:
        setattr(struct, tensor.name, addresses[tensor.name])
    for dim in scenario.dims:
        setattr(struct, dim, case.dims[dim])
    for scalar in scenario.scalars:
        value = evaluate(scalar.value, case.dims)
        setattr(struct, scalar.name, value if scalar.dtype == "fp32" else int(value))
    return bytes(struct)
