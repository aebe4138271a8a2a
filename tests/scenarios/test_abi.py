"""The ABI: the header compiles as C and as C++, and the packed struct lies as the compiler lays it out."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from avo.scenarios.abi import HEADER, SYMBOL, header, pack
from avo.scenarios.loader import Scalar, Scenario, load

MIXED = (("half", "fp32", 0.5), ("one", "int32", 1), ("rows", "int64", "R * 2"), ("last", "fp32", "C ** -1"))


@pytest.fixture
def mixed(tiny: Scenario) -> Scenario:
    """The tiny scenario with scalars of every type, in an order that needs padding."""
    scalars = tuple(Scalar.model_validate(dict(zip(("name", "dtype", "value"), row, strict=True))) for row in MIXED)
    return tiny.model_copy(update={"scalars": scalars})


def compiled(scenario: Scenario, folder: Path, command: list[str], source: str) -> str:
    """Compile `source` beside the header, run it, and answer what it printed."""
    (folder / HEADER).write_text(header(scenario))
    subprocess.run([*command, "-Wall", "-Werror", "-I", str(folder), "-o", "program", "-"],
                   input=source, text=True, check=True, cwd=folder)  # fmt: skip
    return subprocess.run([str(folder / "program")], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("command", [["c++", "-x", "c++"], ["cc", "-x", "c", "-std=c99", "-pedantic"]])
@pytest.mark.parametrize("name", ["tiny", "mha_causal"])
def test_the_header_compiles_as_both_languages_and_twice(
    tiny: Scenario, tmp_path: Path, name: str, command: list[str]
) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]}")
    scenario = tiny if name == "tiny" else load(name)
    source = f"""
        #include "{HEADER}"
        #include "{HEADER}"
        int {SYMBOL}(const avo_args* a, void* stream) {{ return a == 0 && stream == 0; }}
        int main(void) {{ return {SYMBOL}(0, 0) - 1; }}
    """
    assert compiled(scenario, tmp_path, command, source) == ""


@pytest.mark.parametrize("name", ["mixed", "mha_causal"])
def test_the_packed_struct_agrees_with_the_compilers_layout(mixed: Scenario, tmp_path: Path, name: str) -> None:
    scenario = mixed if name == "mixed" else load(name)
    case = scenario.cases[0]
    kinds = {"fp32": "f", "int32": "i", "int64": "q"}
    fields = [(t.name, "Q") for t in scenario.tensors] + [(dim, "q") for dim in scenario.dims]
    fields += [(scalar.name, kinds[scalar.dtype]) for scalar in scenario.scalars]
    shown = "".join(f'printf("%zu ", offsetof(avo_args, {name}));' for name, _ in fields)
    source = f"""
        #include "{HEADER}"
        #include <stddef.h>
        #include <stdio.h>
        int main(void) {{ {shown} printf("%zu", sizeof(avo_args)); return 0; }}
    """
    *offsets, size = map(int, compiled(scenario, tmp_path, ["cc", "-x", "c"], source).split())
    addresses = {tensor.name: 0x7F0000001000 + 64 * i for i, tensor in enumerate(scenario.tensors)}
    packed = pack(scenario, case, addresses)
    assert len(packed) == size
    found = {name: struct.unpack_from(kind, packed, at)[0] for (name, kind), at in zip(fields, offsets, strict=True)}
    assert {name: found[name] for name in addresses} == addresses
    assert {dim: found[dim] for dim in scenario.dims} == case.dims
    if name == "mixed":
        assert (found["half"], found["one"], found["rows"]) == (0.5, 1, 2 * case.dims["R"])
        assert found["last"] == pytest.approx(1 / case.dims["C"])
    else:
        assert found["scale"] == pytest.approx(128**-0.5)
        assert found["causal"] == 1


def test_inputs_are_const_and_outputs_are_not(tiny: Scenario) -> None:
    text = header(tiny)
    assert "const float* a;  // in, [R, C]" in text
    assert "  float* y;  // out, [R]" in text
