"""Scenarios outside of the repository: on AVO_SCENARIO_PATH, by --scenario-path, and from installed packages."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from avo.scenarios.catalog import PATH, folder, folders, names
from avo.settings import SCENARIOS
from avo.types import AvoError

TINY = Path(__file__).parents[1] / "tiny"


@pytest.fixture(autouse=True)
def nothing_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PATH, raising=False)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with one scenario, called mine."""
    shutil.copytree(TINY, tmp_path / "shelf" / "mine")
    return tmp_path / "shelf"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder as pip installs to, with a package that brings the scenario theirs."""
    site = tmp_path / "site"
    shutil.copytree(TINY, site / "their_kernels" / "scenarios" / "theirs")
    facts = site / "their_kernels-1.0.dist-info"
    facts.mkdir()
    (site / "their_kernels" / "__init__.py").write_text("")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: their_kernels\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[avo.scenarios]\ntheir_kernels = their_kernels.scenarios\n")
    return site


def complaint(name: str) -> str:
    with pytest.raises(AvoError) as caught:
        folder(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folders_of_the_path_are_searched_after_the_shipped_ones(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no scenario 'mine'" in complaint("mine")
    shutil.copytree(TINY, tmp_path / "second" / "another")
    monkeypatch.setenv(PATH, f"{shelf}{os.pathsep}{tmp_path / 'second'}{os.pathsep}")
    assert folder("mine") == shelf / "mine"
    assert folder("another") == tmp_path / "second" / "another"
    assert folder("mha_causal") == SCENARIOS / "mha_causal"
    assert set(folders()) >= {shelf / "mine", SCENARIOS / "mha_causal"}
    assert "mine" not in names()


def test_a_close_name_on_the_path_is_told(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATH, str(shelf))
    assert complaint("mines").startswith("no scenario 'mines'; did you mean 'mine'? there are: add_rmsnorm, gqa_")


def test_two_of_one_name_are_told_with_both_folders(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(TINY, tmp_path / "second" / "mine")
    monkeypatch.setenv(PATH, f"{shelf}{os.pathsep}{other.parent}")
    assert complaint("mine") == (
        f"two scenarios are called 'mine': {shelf / 'mine'} and {other}; rename one, or name its folder"
    )
    assert folder(str(other)) == other
    monkeypatch.setenv(PATH, f"{shelf}{os.pathsep}{shelf}")
    assert folder("mine") == shelf / "mine"
    shutil.copytree(TINY, shelf / "mha_causal")
    assert f"{SCENARIOS / 'mha_causal'} and {shelf / 'mha_causal'}" in complaint("mha_causal")


def test_a_folder_of_the_path_that_is_not_there_is_told_only_when_nothing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PATH, str(tmp_path / "gone"))
    assert folder("mha_causal") == SCENARIOS / "mha_causal"
    assert complaint("mine").endswith(f"; {PATH} names '{tmp_path / 'gone'}', which is no folder")


def test_the_option_serves_every_command(shelf: Path, cli: Any) -> None:
    assert cli("scenario", "show", "mine").returncode == 2
    shown = cli("--scenario-path", "shelf", "scenario", "show", "mine")
    assert shown.returncode == 0, shown.stderr
    assert str(shelf / "mine") in shown.stdout
    scored = cli("--scenario-path", "shelf", "eval", "mine", "--target", "cpu", "--json")
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["status"] == "PASSED"


def test_the_list_says_where_each_comes_from_that_is_not_shipped(shelf: Path, package: Path, cli: Any) -> None:
    (shelf / "broken").mkdir()
    (shelf / "broken" / "scenario.toml").write_text("summary = 3\n")
    outside = {PATH: str(shelf), "PYTHONPATH": str(package)}
    lines = {line.split()[0]: line for line in cli("scenario", "list", **outside).stdout.splitlines()}
    assert lines["mine"].endswith(f"[cpu]  ({shelf})")
    assert lines["theirs"].endswith(f"[cpu]  ({package / 'their_kernels' / 'scenarios'})")
    assert lines["mha_causal"].endswith("]")
    assert f"{shelf / 'broken' / 'scenario.toml'}: " in lines["broken"]
    told = {entry["name"]: entry for entry in json.loads(cli("scenario", "list", "--json", **outside).stdout)}
    assert told["mine"]["from"] == str(shelf)
    assert "from" not in told["mha_causal"]


def test_a_scenario_of_an_installed_package_is_found_by_name(package: Path, cli: Any) -> None:
    done = cli("scenario", "show", "theirs", PYTHONPATH=str(package))
    assert done.returncode == 0, done.stderr
    assert str(package / "their_kernels" / "scenarios" / "theirs") in done.stdout


def test_a_package_that_brings_none_is_one_line_only_when_it_is_asked(package: Path, cli: Any) -> None:
    shutil.rmtree(package / "their_kernels" / "scenarios")
    done = cli("scenario", "show", "theirs", PYTHONPATH=str(package))
    assert done.returncode == 2
    assert done.stderr == ("avo: entry point avo.scenarios: their_kernels = their_kernels.scenarios: no such package\n")
    assert cli("scenario", "show", "mha_causal", PYTHONPATH=str(package)).returncode == 0
