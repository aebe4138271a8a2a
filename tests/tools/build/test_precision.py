"""A scenario in bf16 or fp32 is computed in no less, unless it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from avo.scenarios.loader import Scenario, load
from avo.tools.build.binary import digest_sass
from avo.tools.build.builder import build
from avo.tools.build.precision import on_cpu, refusal
from avo.tools.build.sources import Sources
from avo.types import AvoError, Rejected, Status

SASS = "\n        /*0010*/              @!P0 %s R24, R8, R10, R24 ;   /* 0x0 */"


def allowing(scenario: Scenario, target: str, **update: Any) -> Scenario:
    return scenario.model_copy(update={"targets": {target: scenario.target(target).model_copy(update=update)}})


def source(instruction: str) -> Sources:
    text = '#include "avo_abi.h"\nextern "C" int avo_launch(const avo_args*, void*) { asm volatile("%s"); return 0; }\n'
    return {"a.cpp": (text % instruction).encode()}


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("IMMA.16832.S8.S8", "computes in int8 (1 instructions such as IMMA and IGMMA)"),
        ("IGMMA.64x8x32.S8.S8", "computes in int8"),
        ("UTCIMMA", "computes in int8"),
        ("IDP.4A.S8.S8", "computes in int8"),
        ("QGMMA.64x8x32.F32.E4M3.E4M3", "computes in fp8 (1 instructions such as QGMMA)"),
        ("UTCOMMA", "computes in fp4"),
        ("HMMA.16816.F16", "sums up in fp16"),
        ("HGMMA.64x128x16.F16", "sums up in fp16"),
        ("HMMA.16816.F32.BF16", ""),
        ("HMMA.16816.F32", ""),
        ("HGMMA.64x128x16.F32.BF16", ""),
        ("UTCHMMA", ""),
        ("IMAD.WIDE", ""),
    ],
)
def test_what_the_cores_of_a_gpu_compute_in_is_seen(instruction: str, reason: str) -> None:
    found = refusal(digest_sass(SASS % instruction), load("mha_causal"), "sm_90a")
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    ("instruction", "kind"),
    [
        ("vpdpbusd %%ymm0, %%ymm1, %%ymm2", "int8"),
        ("{vex} vpdpbusd %%ymm0, %%ymm1, %%ymm2", "int8"),
        ("tdpbssd %%tmm0, %%tmm1, %%tmm2", "int8"),
        ("vpmaddubsw %%ymm0, %%ymm1, %%ymm2", "int8"),
        ("vfmadd231ph %%zmm0, %%zmm1, %%zmm2", "fp16"),
        ("vdpbf16ps %%ymm0, %%ymm1, %%ymm2", ""),
        ("tdpbf16ps %%tmm0, %%tmm1, %%tmm2", ""),
        ("vpmaddwd %%ymm0, %%ymm1, %%ymm2", ""),
    ],
)
def test_what_a_cpu_computes_in_is_seen(tiny: Scenario, tmp_path: Path, instruction: str, kind: str) -> None:
    files = source(instruction.replace("%%", "%"))
    if not kind:
        assert build(files, tiny, "cpu", tmp_path / "build").code
        return
    with pytest.raises(Rejected, match=f" in {kind} ") as caught:
        build(files, tiny, "cpu", tmp_path / "build")
    assert caught.value.status is Status.INCORRECT_DTYPE
    assert build(files, allowing(tiny, "cpu", allow=(kind,)), "cpu", tmp_path / "allowed").code


def test_integers_are_no_less_than_what_a_scenario_of_integers_holds(tiny: Scenario) -> None:
    counts = on_cpu(" 1130:\tvpdpbusd %ymm0,%ymm1,%ymm2\n 1134:\tret\n")
    assert counts == {"int8 products": 1}
    whole = tuple(tensor.model_copy(update={"dtype": "int32"}) for tensor in tiny.tensors)
    assert refusal(counts, tiny, "cpu")
    assert refusal(counts, tiny.model_copy(update={"tensors": whole}), "cpu") == ""


def test_a_scenario_says_what_it_allows(own_scenario: Path) -> None:
    file = own_scenario / "scenario.toml"
    text = file.read_text()
    file.write_text(text.replace("launch_seconds = 2\n", 'launch_seconds = 2\nallow = ["int8"]\n'))
    assert load(str(own_scenario)).target("cpu").allow == ("int8",)
    file.write_text(text.replace("launch_seconds = 2\n", 'launch_seconds = 2\nallow = ["int7"]\n'))
    with pytest.raises(AvoError, match=r"targets\.cpu\.allow\.0"):
        load(str(own_scenario))
