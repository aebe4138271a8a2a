"""A commit that is killed half way is put right at the next start, and what was not kept may be tried again."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avo.memory.lineage import Lineage
from avo.run import held, open_run
from avo.scenarios.loader import Scenario
from avo.tools.commit import commit

pytestmark = pytest.mark.slow

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
TINY = Path(__file__).parents[1] / "tiny"
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from avo.memory.journal.journal import Journal
from avo.memory.lineage import Lineage
from avo.run import open_run
from avo.scenarios.loader import load
from avo.tools.commit import commit

def die(*arguments, **facts):
    os.kill(os.getpid(), signal.SIGKILL)

owner, name = sys.argv[3].split(".")
with open_run(Path(sys.argv[1]), load(sys.argv[2]), "cpu") as workspace:
    workspace.step, _ = workspace.journal.open_step("v0")
    workspace.journal.add_intervention(workspace.step, "stalled", {}, "v0")
    path = workspace.work_tree / "matvec.cpp"
    path.write_text(path.read_text().replace("SUMS = 1;", "SUMS = 16;"))
    setattr({"Journal": Journal, "Lineage": Lineage}[owner], name, die)
    asyncio.run(commit(workspace, "Sixteen sums"))
"""
"""Commits 16 sums to a run and kills itself where the function of that name is called."""


def killed(folder: Path, planted: Path, where: str) -> Path:
    """A run that was killed in its commit."""
    run = Path(shutil.copytree(planted, folder / "run"))
    done = subprocess.run([sys.executable, "-c", KILLED, run, TINY, where], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return run


@pytest.fixture(scope="module")
def before_the_commit(tmp_path_factory: pytest.TempPathFactory, planted_run: Path) -> Path:
    run = killed(tmp_path_factory.mktemp("killed"), planted_run, "Lineage.commit")
    assert rows(run, "SELECT accepted FROM comparisons") == [(1,)]
    assert len(Lineage(run / "lineage").versions()) == 1
    return run


@pytest.fixture
def run(tmp_path: Path, before_the_commit: Path) -> Path:
    """A run that was killed when the gate had accepted a candidate and git had not."""
    return Path(shutil.copytree(before_the_commit, tmp_path / "run"))


def rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(run / "avo.db") as db:
        return db.execute(query).fetchall()


def test_what_was_accepted_and_not_committed_may_be_committed_again(run: Path, tiny: Scenario) -> None:
    with open_run(run, tiny, "cpu") as workspace:
        assert [entry["accepted"] for entry in workspace.journal.comparisons()] == [0]
        assert workspace.journal.kept(1, "") == []
        workspace.step, resumed = workspace.journal.open_step("v0")
        assert resumed
        asyncio.run(commit(workspace, "Sixteen sums, again"))
        assert workspace.journal.count("attempts") == 2
        assert [version.message for version in workspace.lineage.versions()][1:] == ["Sixteen sums, again"]
    with open_run(run, tiny, "cpu") as workspace:
        assert [entry["accepted"] for entry in workspace.journal.comparisons()] == [0, 1]


def test_what_was_committed_stands_and_is_credited_to_the_advice_before_it(
    tmp_path: Path, planted_run: Path, tiny: Scenario
) -> None:
    run = killed(tmp_path, planted_run, "Journal.record_effect")
    with open_run(run, tiny, "cpu") as workspace:
        assert [version.name for version in workspace.lineage.versions()] == ["v0", "v1"]
        assert [entry["accepted"] for entry in workspace.journal.comparisons()] == [1]
        assert [entry.effect for entry in workspace.journal.interventions()] == ["v1"]
        _, resumed = workspace.journal.open_step("v1")
        assert not resumed
    assert rows(run, "SELECT outcome FROM steps") == [("committed",), (None,)]


def test_a_step_that_is_given_up_leaves_no_acceptance(run: Path) -> None:
    with held(run) as (journal, _):
        assert [entry["accepted"] for entry in journal.comparisons()] == [0]


def test_an_archive_from_before_the_mending_is_no_other_run(run: Path, cli: Cli, tiny: Scenario) -> None:
    exported = cli("lineage", "export", "-o", "killed.zip", "--run", run)
    assert exported.returncode == 0, exported.stderr
    with open_run(run, tiny, "cpu"):
        pass
    done = cli("lineage", "import", "killed.zip", "--run", run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["new_versions"] == 0
