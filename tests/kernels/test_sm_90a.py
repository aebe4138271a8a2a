"""The evolved Hopper kernel: its lineage can be read, and compiles to wgmma and bulk copies, nothing spilled."""

from __future__ import annotations

import pytest

from avo.memory.lineage import Lineage
from avo.run import existing, import_run
from avo.scenarios.loader import load
from avo.settings import KERNELS
from avo.tools.executor import LocalExecutor
from avo.tools.score.binary import warning
from avo.tools.sources import read_sources

FOLDER = KERNELS / "mha" / "sm_90a"


@pytest.fixture(scope="module")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    """The lineage as it came from an H200."""
    folder, manifest, new = import_run(FOLDER / "lineage.avo.zip", tmp_path_factory.mktemp("h200") / "run")
    assert (manifest.scenario, manifest.target, manifest.versions, new) == ("mha_causal", "sm_90a", 16, 16)
    return existing(folder)[1]


@pytest.mark.parametrize("version", ["v7", "v13", "v14"])
def test_a_version_compiles_to_what_is_said_of_it(lineage: Lineage, version: str) -> None:
    built = LocalExecutor(load("mha_causal"), "sm_90a").build(lineage.files(lineage.version(version)))
    assert built.sass["wgmma"] >= 32
    assert built.sass["bulk copy"] > 0
    assert "local load" not in built.sass
    assert all(kernel.spill_stores == 0 for kernel in built.kernels)
    assert warning(built.log) == ""


def test_the_plain_files_are_the_version_that_the_gate_calls_best(lineage: Lineage) -> None:
    assert lineage.champion().name == "v13"
    assert read_sources(FOLDER / "best") == lineage.files(lineage.champion())


def test_each_version_was_measured_on_one_gpu_and_told_with_its_gain(lineage: Lineage) -> None:
    text = (FOLDER / "LINEAGE.md").read_text()
    assert {lineage.facts(version)["Device"] for version in lineage.versions()} == {"NVIDIA H200, driver 580.159.04"}
    for version in lineage.versions()[1:]:
        row = next(line for line in text.splitlines() if line.startswith(f"| {version.name} |"))
        assert f"x{version.gain:.3f}" in row
