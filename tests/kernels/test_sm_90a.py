"""The evolved Hopper kernel: its lineage can be read, and compiles to wgmma and bulk copies, nothing spilled."""

from __future__ import annotations

from pathlib import Path

import pytest

from avo.memory.lineage import Lineage
from avo.run import existing, import_run
from avo.scenarios.loader import load
from avo.settings import KERNELS
from avo.tools.build.binary import remarks
from avo.tools.build.sources import read_sources
from avo.tools.score.executor import LocalExecutor

pytestmark = pytest.mark.slow

FOLDER = KERNELS / "mha" / "sm_90a"


def brought(name: str, versions: int, folder: Path) -> Lineage:
    """A lineage as it came from an H200."""
    folder, manifest, new = import_run(FOLDER / name, folder)
    assert (manifest.scenario, manifest.target, manifest.versions, new) == ("mha_causal", "sm_90a", versions, versions)
    return existing(folder)[1]


@pytest.fixture(scope="module")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    return brought("lineage.avo.zip", 16, tmp_path_factory.mktemp("h200") / "run")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    return brought("lineage_from_v13.avo.zip", 2, tmp_path_factory.mktemp("from_v13") / "run")


@pytest.mark.parametrize("version", ["v7", "v13", "v14", "v16"])
def test_a_version_compiles_to_what_is_said_of_it(lineage: Lineage, second: Lineage, version: str) -> None:
    run, name = (second, "v1") if version == "v16" else (lineage, version)
    built = LocalExecutor(load("mha_causal"), "sm_90a").build(run.files(run.version(name)))
    assert built.sass["wgmma"] >= 32
    assert built.sass["bulk copy"] > 0
    assert "local load" not in built.sass
    assert all(kernel.spill_stores == 0 for kernel in built.kernels)
    assert not remarks(built.log)


def test_the_plain_files_are_the_version_that_the_gate_calls_best(lineage: Lineage, second: Lineage) -> None:
    assert (
        second.files(second.version("v0")) == lineage.files(lineage.champion()) == lineage.files(lineage.version("v13"))
    )
    assert second.champion().name == "v1"
    assert read_sources(FOLDER / "best") == second.files(second.champion())


def test_each_version_was_measured_on_one_gpu_and_told_with_its_gain(lineage: Lineage, second: Lineage) -> None:
    rows = (FOLDER / "LINEAGE.md").read_text().splitlines()
    told = {version.name: version for version in lineage.versions()[1:]} | {"v16": second.version("v1")}
    for run in (lineage, second):
        assert {run.facts(version)["Device"] for version in run.versions()} == {"NVIDIA H200, driver 580.159.04"}
    for name, version in told.items():
        row = next(line for line in rows if line.startswith(f"| {name} |"))
        assert f"x{version.gain:.3f}" in row
