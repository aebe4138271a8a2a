"""Whose fault it was, as a run tells it from start to end: the machine's and the scenario's are no attempts."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "tiny"
AVO = (sys.executable, "-c", "from avo.cli import main; main()")
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(run / "avo.db") as db:
        return db.execute(query).fetchall()


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A C++ compiler of its own, that stands first in PATH."""
    folder = Path(f"/opt/avo-owners-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no folder in /opt can be made, where the sandbox lets compilers be")
    (folder / "c++").symlink_to(shutil.which("g++") or "/usr/bin/c++")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield folder / "c++"
    shutil.rmtree(folder)


def test_a_compiler_that_vanishes_during_a_run_ends_it_open_and_the_same_command_goes_on(
    compiler: Path, tmp_path: Path, cli: Cli
) -> None:
    run, command = tmp_path / "run", ["run", "scenario", str(TINY), "--run", str(tmp_path / "run")]
    with subprocess.Popen([*AVO, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("step 1   attempt 2 "):
            assert process.poll() is None
        compiler.rename(compiler.with_name("away"))
        *_, last = process.stderr.read().splitlines()
        assert process.wait(800) == 3
    assert re.match(
        rf"avo: (the compiler )?{re.escape(str(compiler))} (is gone: put it back|cannot be started: No)", last
    )
    assert {status for (status,) in rows(run, "SELECT status FROM attempts")} == {"PASSED"}
    assert rows(run, "SELECT outcome FROM steps ORDER BY id DESC LIMIT 1") == [(None,)]
    before = rows(run, "SELECT tree FROM attempts ORDER BY id")
    compiler.with_name("away").rename(compiler)
    done = cli(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("exhausted: ")
    after = rows(run, "SELECT tree, status FROM attempts ORDER BY id")
    assert [(tree,) for tree, _ in after[: len(before)]] == before
    assert len(after) > len(before)
    assert {status for _, status in after} == {"PASSED"}


MISTAKES = {
    "inputs of another type": ('"x": x}', '"x": x.double()}'),
    "inputs that it changes": ("(a @ x, ", "(inputs['a'].zero_().double() @ x, "),
    "outputs of another shape": ("(a @ x, ", "((a @ x)[:, None], "),
    "an error": ('"x": x}', '"x": x.missing}'),
}


@pytest.mark.parametrize(("old", "new"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_reference_is_one_line_of_eval_run_and_check_and_no_attempt(
    own_scenario: Path, tmp_path: Path, cli: Cli, old: str, new: str
) -> None:
    reference = own_scenario / "reference.py"
    reference.write_text(reference.read_text().replace(old, new))
    told = [cli("eval", own_scenario, "--run", "r"), cli("run", "scenario", own_scenario, "--run", "r")]
    (line, *_), *others = (done.stderr.splitlines() for done in told)
    assert [done.returncode for done in told] == [2, 2]
    assert re.match(rf"avo: {re.escape(str(reference))}:\d+: \w+\(case '\w+'\): ", line)
    assert [lines[-1] for lines in others] == [line]
    assert line.removeprefix("avo: ").partition(" (")[0] in cli("scenario", "check", own_scenario).stdout
    found = [*tmp_path.glob("r/avo.db")]
    assert not found or rows(tmp_path / "r", "SELECT id FROM attempts") == []


def test_an_edited_seed_is_told_by_a_run_that_goes_on(own_scenario: Path, cli: Cli) -> None:
    command = ("run", "scenario", own_scenario, "--run", "r", "--max-attempts", 1)
    assert "was edited" not in cli(*command).stderr
    source = own_scenario / "seed" / "matvec.cpp"
    source.write_text(source.read_text().replace("SUMS = 1;", "SUMS = 16;"))
    done = cli(*command, "--json")
    assert f"avo: the seed in {source.parent} was edited since this run began from it" in done.stderr
    assert json.loads(done.stdout)["attempts"] == 1
