"""`avo run scenario` from start to end on the tests' own scenario: what it prints, resumes and refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avo.memory.lineage import Lineage
from avo.scenarios.loader import Scenario

AVO = (sys.executable, "-c", "from avo.cli import main; main()")
TINY = Path(__file__).parents[1] / "tiny"
Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [*AVO, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(run / "avo.db") as db:
        return db.execute(query).fetchall()


def commits(run: Path) -> list[str]:
    log = ["git", "-C", str(run / "lineage"), "log", "--reverse", "--format=%H", "main"]
    return subprocess.run(log, capture_output=True, text=True, check=True).stdout.split()


def one_line(done: Done, code: int) -> str:
    """The complaint of a command that failed as it should."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: ")
    return line


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A run from nothing to its end."""
    run = tmp_path_factory.mktemp("finished") / "run"
    process = start("run", "scenario", TINY, "--run", run, "--json")
    out, err = process.communicate(timeout=800)
    return run, subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


def test_a_run_prints_one_json_line_with_these_fields(finished: tuple[Path, Done]) -> None:
    run, done = finished
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert list(told) == [
        "run", "scenario", "target", "model", "stop_reason", "steps", "attempts", "seed", "best", "versions",
        "usd", "sources", "plot",
    ]  # fmt: skip
    assert list(told["seed"]) == ["score", "unit"]
    assert list(told["best"]) == ["version", "commit", "score", "gain", "rules"]
    facts = (told["run"], told["scenario"], told["target"], told["model"], told["stop_reason"])
    assert facts == (str(run), "tiny", "cpu", "tuner", "exhausted")
    assert told["best"]["gain"] > 1.5
    assert told["best"]["gain"] == pytest.approx(told["best"]["score"] / told["seed"]["score"], abs=1e-3)
    assert told["best"]["commit"] in commits(run)
    assert told["versions"] == len(commits(run)) - 1 >= 1
    assert told["attempts"] == rows(run, "SELECT COUNT(*) FROM attempts")[0][0]
    assert told["steps"] == rows(run, "SELECT COUNT(*) FROM steps")[0][0]


def test_the_best_versions_sources_and_a_plot_lie_in_the_run(finished: tuple[Path, Done]) -> None:
    run, told = finished[0], json.loads(finished[1].stdout)
    lineage = Lineage(run / "lineage")
    champion = lineage.version(told["best"]["version"])
    names = [path.name for path in (run / "best").iterdir()]
    assert (told["sources"], told["plot"]) == (str(run / "best"), str(run / "trajectory.png"))
    assert {name: (run / "best" / name).read_bytes() for name in names} == lineage.files(champion)
    assert (run / "trajectory.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_tells_its_last_word_also_where_these_cannot_be_written(run: Path, cli: Cli) -> None:
    (run / "best").write_text("in the way")
    done = cli("run", "scenario", TINY, "--run", run, "--max-attempts", 1)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("attempts: ")
    assert f"avo: {run / 'best'} and trajectory.png cannot be written: File exists" in done.stderr
    assert "its sources" not in done.stdout


def test_progress_is_told_on_standard_error(finished: tuple[Path, Done]) -> None:
    lines = finished[1].stderr.splitlines()
    assert lines[0] == "avo: no knowledge base: avo kb build (going on without)"
    assert lines[1].startswith("step 0   attempt 1")
    assert sum("attempt " in line for line in lines) == json.loads(finished[1].stdout)["attempts"]
    assert any(line.split()[:1] == ["v1"] for line in lines)


def test_the_same_command_resumes_and_evaluates_nothing_twice(finished: tuple[Path, Done], cli: Cli) -> None:
    run, before = finished[0], json.loads(finished[1].stdout)
    kept = commits(run)
    done = cli("run", "scenario", TINY, "--run", run)
    assert done.returncode == 0, done.stderr
    trees = [tree for (tree,) in rows(run, "SELECT tree FROM attempts")]
    assert len(set(trees)) == len(trees) <= 6
    assert commits(run)[: len(kept)] == kept
    assert len(trees) >= before["attempts"]
    assert done.stdout.startswith("exhausted: ")
    assert f" lineage log --run {run} " in done.stdout
    assert done.stdout.endswith(f" {run / 'best'}    its sources; {run / 'trajectory.png'}    the plot\n")


@pytest.mark.slow
def test_the_steps_asked_for_are_done_and_no_more(run: Path, cli: Cli) -> None:
    for _ in range(2):
        done = cli("run", "scenario", TINY, "--run", run, "--steps", 1, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["stop_reason"], told["steps"]) == ("steps", 1)


@pytest.mark.slow
def test_a_goal_that_is_reached_ends_the_run(run: Path, cli: Cli, tiny: Scenario) -> None:
    seed = rows(run, "SELECT score FROM attempts")[0][0]
    told = json.loads(cli("run", "scenario", TINY, "--run", run, "--goal", seed * 1.3, "--json").stdout)
    assert told["stop_reason"] == "target"
    assert told["best"]["score"] >= seed * 1.3


def test_mistakes_are_one_line_with_the_choices(run: Path, cli: Cli, tmp_path: Path) -> None:
    assert "did you mean 'mha_causal'?" in one_line(cli("run", "scenario", "mha_casual"), 2)
    assert "no target 'sm_80'; there are: cpu" in one_line(cli("run", "scenario", TINY, "--target", "sm_80"), 2)
    assert "no scenario.toml in folder" in one_line(cli("run", "scenario", "./nowhere"), 2)
    assert "no run in nowhere" in one_line(cli("run", "scenario", TINY, "--seed-from", "nowhere@best"), 2)
    other = one_line(cli("run", "scenario", "mha_causal", "--run", run), 2)
    assert "holds a run of tiny on cpu, not of mha_causal on cpu" in other
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", ["--stepps", "--steps=-1", "--steps=x", "--minutes=soon"])
def test_a_wrong_option_is_named(cli: Cli, option: str) -> None:
    done = cli("run", "scenario", TINY, option)
    assert done.returncode == 2
    assert option.partition("=")[0] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("signals", [1, 3])
def test_ctrl_c_ends_the_run_so_that_it_can_be_resumed(run: Path, cli: Cli, signals: int) -> None:
    with start("run", "scenario", TINY, "--run", run, "--json") as process:
        assert process.stderr is not None
        assert "no knowledge base" in process.stderr.readline()
        assert "attempt 2" in process.stderr.readline()
        for _ in range(signals):
            os.kill(process.pid, signal.SIGINT)
            if signals > 1:
                process.stderr.readline()
        out, err = process.communicate(timeout=800)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    if signals == 1:
        assert json.loads(out)["stop_reason"] == "interrupted"
        assert "stopping after the current tool call" in err
        return
    kept = rows(run, "SELECT id, tree FROM attempts ORDER BY id")
    assert json.loads(cli("run", "scenario", TINY, "--run", run, "--json").stdout)["stop_reason"] == "exhausted"
    after = rows(run, "SELECT id, tree FROM attempts ORDER BY id")
    assert after[: len(kept)] == kept
    assert len({tree for _, tree in after}) == len(after)


def test_ctrl_c_after_the_last_word_changes_nothing(run: Path) -> None:
    with start("run", "scenario", TINY, "--run", run, "--max-attempts", 1, "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        while process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.005)
    assert (told["stop_reason"], process.returncode) == ("attempts", 0)
