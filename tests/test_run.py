"""A run directory is made or opened again, belongs to one process, and is never somebody else's."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from avo.memory.journal.journal import SCHEMA
from avo.run import existing, open_run, plant_seed, seed_sources
from avo.scenarios.loader import Scenario, load
from avo.tools.score.executor import LocalExecutor
from avo.types import AvoError, Missing, NothingScored

HOLDER = """
import fcntl, sys
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def refused(folder: Path, scenario: Scenario, target: str = "cpu") -> str:
    """What open_run says against the folder."""
    with pytest.raises(AvoError) as caught, open_run(folder, scenario, target, "tuner"):
        pass
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path, tiny: Scenario) -> None:
    with open_run(tmp_path / "deep" / "run", tiny, "cpu", "tuner") as workspace:
        assert workspace.journal.count("steps") == 0
        assert workspace.lineage.versions() == []
        assert workspace.artifacts.is_dir()
    assert 'scenario = "tiny"' in (tmp_path / "deep" / "run" / "run.toml").read_text()


def test_opened_again_it_holds_what_it_held(run: Path, tiny: Scenario) -> None:
    with open_run(run, tiny, "cpu", "tuner") as workspace:
        assert [version.name for version in workspace.lineage.versions()] == ["v0"]
        assert workspace.journal.count("attempts") == 1


def test_a_run_of_another_scenario_is_left_alone(run: Path, own_scenario: Path, tmp_path: Path) -> None:
    other = load(str(own_scenario.rename(tmp_path / "other")))
    before = (run / "run.toml").read_text()
    assert "holds a run of tiny on cpu, not of other on cpu" in refused(run, other)
    assert (run / "run.toml").read_text() == before


def test_a_run_on_another_target_is_left_alone(run: Path, tiny: Scenario) -> None:
    assert "not of tiny on sm_90a" in refused(run, tiny, "sm_90a")


def test_a_folder_with_other_things_in_it_is_no_run(tmp_path: Path, tiny: Scenario) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "not a run and not empty (it has thesis.txt)" in refused(tmp_path, tiny)
    assert not (tmp_path / "avo.db").exists()


def test_a_run_that_lost_its_settings_is_not_taken_over(run: Path, tiny: Scenario) -> None:
    (run / "run.toml").unlink()
    assert "a run without its run.toml" in refused(run, tiny)


def test_a_run_in_use_by_another_process_is_refused_until_that_ends(run: Path, tiny: Scenario) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert "in use by another avo process" in refused(run, tiny)
        holder.kill()
    with open_run(run, tiny, "cpu", "tuner") as workspace:
        assert workspace.lineage.best().name == "v0"


@pytest.mark.parametrize("below", ["a file", "/proc/avo-run"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, tiny: Scenario, below: str) -> None:
    (tmp_path / "a file").write_text("")
    place = tmp_path / below / "run"
    with pytest.raises(Missing, match="name another place with --run DIR"), open_run(place, tiny, "cpu", "tuner"):
        pass


def test_a_journal_of_a_newer_avo_is_not_touched(run: Path, tiny: Scenario) -> None:
    with sqlite3.connect(run / "avo.db") as db:
        db.execute(f"PRAGMA user_version={SCHEMA + 1}")
    assert f"newer avo (schema {SCHEMA + 1}" in refused(run, tiny)


def test_damaged_settings_are_named_with_their_line(run: Path, tiny: Scenario) -> None:
    (run / "run.toml").write_text('scenario = "tiny\n')
    assert "run.toml: " in refused(run, tiny)
    assert "line 1" in refused(run, tiny)


def test_empty_settings_do_not_take_the_run_for_another(run: Path, tiny: Scenario) -> None:
    (run / "run.toml").write_text("")
    with pytest.raises(AvoError, match=r"run\.toml is damaged"), open_run(run, tiny, "cpu", "tuner"):
        pass


def test_a_scenario_that_changed_since_the_run_began_is_refused(run: Path, own_scenario: Path) -> None:
    text = (own_scenario / "scenario.toml").read_text()
    (own_scenario / "scenario.toml").write_text(text.replace("2 * R * C", "20 * R * C"))
    changed = load(str(own_scenario))
    told = rf"not as it was when this run began.*--seed-from {run}@best"
    with pytest.raises(AvoError, match=told), open_run(run, changed, "cpu", "tuner"):
        pass


def test_a_run_whose_lineage_was_lost_is_not_begun_anew(run: Path, tiny: Scenario) -> None:
    with open_run(run, tiny, "cpu", "tuner") as workspace:
        workspace.journal.open_step("v0")
    shutil.rmtree(run / "lineage")
    with pytest.raises(AvoError, match="the lineage has no version"), open_run(run, tiny, "cpu", "tuner"):
        pass


def test_a_repository_that_a_kill_left_half_made_is_made_again(tmp_path: Path, tiny: Scenario) -> None:
    with open_run(tmp_path / "run", tiny, "cpu", "tuner"):
        pass
    (tmp_path / "run" / "lineage" / ".git" / "HEAD").unlink()
    with open_run(tmp_path / "run", tiny, "cpu", "tuner") as workspace:
        assert workspace.lineage.versions() == []


def test_a_model_with_a_quotation_mark_does_not_damage_the_settings(tmp_path: Path, tiny: Scenario) -> None:
    for _ in range(2):
        with open_run(tmp_path / "run", tiny, "cpu", 'a"b\\c'):
            pass


def test_a_seed_that_does_not_pass_ends_the_run(tmp_path: Path, own_scenario: Path) -> None:
    source = own_scenario / "seed" / "matvec.cpp"
    source.write_text(source.read_text().replace("a->y[i] = y;", "a->y[i] = y + 1;"))
    with (
        open_run(tmp_path / "run", load(str(own_scenario)), "cpu", "tuner") as workspace,
        pytest.raises(NothingScored, match="INCORRECT_NUMERICAL") as caught,
    ):
        asyncio.run(plant_seed(workspace))
    assert caught.value.exit_code == 4


def test_a_seed_that_is_planted_is_not_scored_again(run: Path, tiny: Scenario, executor: LocalExecutor) -> None:
    with open_run(run, tiny, "cpu", "tuner") as workspace:
        workspace.executor = executor
        asyncio.run(plant_seed(workspace))
        assert workspace.journal.count("attempts") == 1
        assert len(workspace.lineage.versions()) == 1


def test_a_planted_seed_stands_in_the_work_tree_as_it_was_declared(run: Path, tiny: Scenario) -> None:
    with open_run(run, tiny, "cpu", "tuner") as workspace:
        assert workspace.sources() == seed_sources(tiny, "cpu") == workspace.lineage.files(workspace.lineage.best())


def test_a_seed_that_is_nowhere_names_file_and_key(own_scenario: Path) -> None:
    file = own_scenario / "scenario.toml"
    file.write_text(file.read_text().replace('seed = "seed"', 'seed = "seeed"'))
    with pytest.raises(AvoError, match=r"scenario\.toml: targets\.cpu\.seed: no folder 'seeed'"):
        seed_sources(load(str(own_scenario)), "cpu")


def test_reading_where_no_run_is_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="start one: avo run scenario"):
        existing(tmp_path)
