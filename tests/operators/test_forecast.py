"""A dry run says what would be brought in and refuses what a start would refuse, and writes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from avo.memory.lineage import Lineage
from avo.operators.forecast import begins_from
from avo.run import open_run
from avo.scenarios.loader import Scenario
from avo.types import AvoError, figure

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
TINY = Path(__file__).parents[1] / "tiny"


@pytest.fixture
def source(tmp_path: Path, planted_run: Path) -> Path:
    """A run with a v0."""
    return Path(shutil.copytree(planted_run, tmp_path / "source"))


def test_it_says_what_would_be_brought_in_and_from_where(source: Path, cli: Cli, tmp_path: Path) -> None:
    command = ("run", "scenario", TINY, "--run", "new", "--dry-run", "--seed-from", f"{source}@best")
    done = cli(*command, "--json")
    assert done.returncode == 0, done.stderr
    version = Lineage(source / "lineage").version("v0")
    assert json.loads(done.stdout)["seed_from"] == {
        "run": "source", "scenario": "tiny", "version": "v0", "commit": version.commit, "score": version.score,
        "unit": "GFLOP/s", "files": ["matvec.cpp"], "already": False,
    }  # fmt: skip
    line, last = cli(*command).stdout.splitlines()[-2:]
    score = f"{figure(version.score)} GFLOP/s"
    assert line.startswith(f"would be brought in: v0 of source (tiny), {score} there, matvec.cpp: ")
    assert last == "nothing was started"
    assert not (tmp_path / "new").exists()


def test_it_says_that_a_run_was_begun_from_there_already(
    source: Path, cli: Cli, tiny: Scenario, tmp_path: Path
) -> None:
    with open_run(tmp_path / "new", tiny, "cpu", seed_from=str(source)):
        pass
    done = cli("run", "scenario", TINY, "--run", "new", "--dry-run", "--seed-from", f"{source}@v0")
    assert done.returncode == 0, done.stderr
    assert "begun from v0 of source (tiny) already" in done.stdout


def for_another_target(source: Path) -> str:
    settings = source / "run.toml"
    settings.write_text(settings.read_text().replace('target = "cpu"', 'target = "sm_90a"'))
    return str(source)


def over_a_run_with_versions(source: Path) -> str:
    shutil.copytree(source, source.with_name("new"))
    return str(source)


def over_a_run_of_another_scenario(source: Path) -> str:
    (source.with_name("new")).mkdir()
    (source.with_name("new") / "run.toml").write_text('scenario = "other"\ntarget = "cpu"\n')
    return str(source)


def into_a_folder_with_other_things(source: Path) -> str:
    (source.with_name("new")).mkdir()
    (source.with_name("new") / "thesis.tex").touch()
    return str(source)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (lambda source: "nowhere", "no run in nowhere"),
        (lambda source: f"{source}@v9", "no version 'v9'"),
        (for_another_target, "target is sm_90a, and this run is for cpu"),
        (over_a_run_with_versions, "new has versions already (v0 to v0)"),
        (over_a_run_of_another_scenario, "new holds a run of other on cpu"),
        (into_a_folder_with_other_things, "new is not a run and not empty (it has thesis.tex)"),
    ],
)
def test_it_refuses_what_a_start_refuses_in_the_same_line(
    source: Path, tiny: Scenario, spec: Callable[[Path], str], said: str
) -> None:
    new, seed_from = source.with_name("new"), spec(source)
    with pytest.raises(AvoError) as dry:
        begins_from(new, tiny, "cpu", seed_from)
    assert said in str(dry.value)
    with pytest.raises(AvoError) as start, open_run(new, tiny, "cpu", seed_from=seed_from):
        pass
    assert str(start.value) == str(dry.value)


def test_a_refusal_is_one_line_and_starts_nothing(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", "scenario", TINY, "--run", "new", "--dry-run", "--seed-from", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: --seed-from nowhere: no run in nowhere")
    assert not (tmp_path / "new").exists()
