"""The evolved Hopper kernel compiles to what its notes say: wgmma, bulk copies, nothing spilled or serialised."""

from __future__ import annotations

import pytest

from avo.scenarios.loader import load
from avo.settings import KERNELS
from avo.tools.executor import LocalExecutor
from avo.tools.score.binary import warning
from avo.tools.sources import read_sources

FOLDER = KERNELS / "mha" / "sm_90a"


@pytest.mark.parametrize(
    ("kernel", "ptx"),
    [("best/attention.cu", "best"), ("steps/v1.cu", "best"), ("next/n134w/attention.cu", "next/n134w")],
)
def test_it_compiles_to_what_its_notes_say(kernel: str, ptx: str) -> None:
    files = {"attention.cu": (FOLDER / kernel).read_bytes(), "ptx.cuh": (FOLDER / ptx / "ptx.cuh").read_bytes()}
    built = LocalExecutor(load("mha_causal"), "sm_90a").build(files)
    assert built.sass["wgmma"] >= 32
    assert built.sass["bulk copy"] > 0
    assert "local load" not in built.sass
    assert all(kernel.spill_stores == 0 for kernel in built.kernels)
    assert warning(built.log) == ""


def test_the_best_version_is_a_candidate_as_it_stands() -> None:
    assert set(read_sources(FOLDER / "best")) == {"attention.cu", "ptx.cuh"}
