"""A run that an older avo made, another machine measured, or whose scenario lies elsewhere goes on, and says so."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from avo.memory.journal.journal import Journal
from avo.memory.lineage import Lineage
from avo.types import RULES

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "tiny"
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


def journalled(run: Path, **changes: Any) -> None:
    """Change what the verdict of the seed's attempt says."""
    with closing(sqlite3.connect(run / "avo.db")) as db, db:
        (text,) = db.execute("SELECT verdict FROM attempts").fetchone()
        verdict = json.loads(text) | changes
        row = (json.dumps(verdict), verdict["status"], verdict["reason"])
        db.execute("UPDATE attempts SET verdict=?, status=?, reason=?", row)


def seed_kept_anew(run: Path, **changes: Any) -> None:
    """Make v0 once more, of the same sources, with a verdict that is changed."""
    lineage = Lineage(run / "lineage")
    seed = lineage.best()
    files, verdict = lineage.files(seed), lineage.verdict(seed)
    shutil.rmtree(run / "lineage")
    made = Lineage(run / "lineage", create=True)
    made.commit(files, {}, seed.tree, type(verdict)(**vars(verdict) | changes), "Seed of tiny", trailers={})
    made.restore()
    journalled(run, **changes)


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: ")
    return line


def attempts(run: Path) -> list[tuple[int, str, str | None]]:
    with closing(Journal(run / "avo.db", reading=True)) as journal:
        found = journal.attempts(forgotten=True)
        return [(entry.id, entry.verdict.rules, entry.why_forgotten) for entry in found]


def test_the_best_version_of_an_older_judge_is_scored_anew_first_and_the_old_score_marked(run: Path, cli: Cli) -> None:
    seed_kept_anew(run, rules="")
    assert " (by an older judge)" in cli("lineage", "log", "--run", run).stdout
    assert " (by an older judge) | " in cli("attempts", "list", "--run", run).stdout
    begun = cli("step", "begin", TINY, "--target", "cpu", "--run", run)
    assert begun.returncode == 0, begun.stderr
    why = "scored anew, since it was scored by an older judge"
    assert attempts(run) == [(1, "", why), (2, RULES, None)]
    assert "a2 PASSED" in begun.stdout
    assert "a1 PASSED" not in begun.stdout
    assert "by an older judge" not in begun.stdout
    told = cli("lineage", "log", "--run", run).stdout
    assert " (by an older judge, scored anew: " in told
    assert cli("step", "begin", TINY, "--target", "cpu", "--run", run).returncode == 0
    assert len(attempts(run)) == 2


def test_a_best_version_of_another_machine_is_scored_here_first(run: Path, cli: Cli) -> None:
    seed_kept_anew(run, device="another machine")
    done = cli("eval", TINY, "--target", "cpu", "--run", run)
    assert done.returncode == 0, done.stderr
    assert [number for number, _, why in attempts(run) if why is None] == [2]
    assert attempts(run)[0][2] == "scored anew, since it was scored on another machine"


def test_a_best_version_that_does_not_pass_any_more_is_named_with_the_way_on(run: Path, cli: Cli) -> None:
    lineage = Lineage(run / "lineage")
    verdict = lineage.verdict(lineage.best())
    wrong = {"matvec.cpp": lineage.files(lineage.best())["matvec.cpp"].replace(b"a->y[i] = y;", b"a->y[i] = y * 2;")}
    from avo.tools.build.sources import digest

    older = type(verdict)(**vars(verdict) | {"rules": ""})
    lineage.commit(wrong, {}, digest(wrong), older, "twice", trailers={})
    lineage.restore()
    for _ in range(2):
        line = one_line(cli("step", "begin", TINY, "--target", "cpu", "--run", run), 2)
        assert f"v1 of {run}, scored by an older judge, does not pass here: INCORRECT_NUMERICAL" in line
        assert f"--seed-from {run}@v0" in line


def test_forgotten_attempts_are_scored_again_and_stay_as_history(run: Path, cli: Cli) -> None:
    with closing(Journal(run / "avo.db")) as journal:
        seed = journal.attempt(1)
    broken = Path(shutil.copytree(TINY / "seed", run.parent / "mine"))
    (broken / "matvec.cpp").write_text("nothing that compiles")
    options = ("--target", "cpu", "--run", run, "--json")
    first = json.loads(cli("eval", TINY, broken, *options).stdout)
    assert (first["attempt"], first["new"]) == (2, True)
    assert json.loads(cli("eval", TINY, broken, *options).stdout)["new"] is False
    kept = one_line(cli("attempts", "forget", 2, 1, "--run", run), 2)
    assert "attempt 1 is v0, a version: it cannot be forgotten" in kept
    assert "no attempt 9; there are 2" in one_line(cli("attempts", "forget", 9, "--run", run), 2)
    done = cli("attempts", "forget", 2, "--run", run)
    assert done.stdout == "attempt 2 is forgotten (COMPILE_ERROR): its sources will be scored again\n"
    assert "attempt 2 was forgotten already: by hand" in one_line(cli("attempts", "forget", 2, "--run", run), 2)
    again = json.loads(cli("eval", TINY, broken, *options).stdout)
    assert (again["attempt"], again["new"]) == (3, True)
    (fact,) = json.loads(cli("attempts", "forget", 3, "--run", run, "--json").stdout)
    assert (fact["id"], fact["why_forgotten"]) == (3, "by hand")
    assert "a2 COMPILE_ERROR" in cli("attempts", "list", "--run", run).stdout
    assert "(forgotten: by hand) | " in cli("attempts", "list", "--run", run).stdout
    assert "forgotten: by hand" in cli("attempts", "show", 2, "--run", run).stdout
    stats = json.loads(cli("memory", "stats", "--run", run, "--json").stdout)
    assert stats["attempts"] == {"PASSED": 1, "forgotten": 2}
    with closing(Journal(run / "avo.db")) as journal:
        assert journal.attempt(1) == seed


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A scenario outside of every place where scenarios are found by name."""
    return Path(shutil.copytree(TINY, tmp_path / "far" / "away" / "rows"))


def test_a_run_of_a_scenario_in_a_folder_of_ones_own_goes_on(elsewhere: Path, cli: Cli, tmp_path: Path) -> None:
    assert cli("step", "begin", "./far/away/rows", "--run", "r").returncode == 0
    begun = cli("step", "begin", "--run", "r")
    assert begun.returncode == 0, begun.stderr
    assert f"avo scenario show {elsewhere}" in begun.stdout.replace("'", "")
    assert cli("eval", "rows", "--run", "r").returncode == 0
    assert cli("run", "scenario", "rows", "--run", "r", "--max-attempts", 1).returncode == 0
    assert cli("lineage", "export", "-o", "r.zip", "--run", "r").returncode == 0
    assert cli("lineage", "import", "r.zip", "--run", "moved").returncode == 0
    assert cli("step", "begin", "--run", "moved").returncode == 0
    elsewhere.rename(tmp_path / "rows_now")
    line = one_line(cli("step", "begin", "--run", "r"), 2)
    assert f"its scenario rows, which was in {elsewhere}, is gone" in line
    assert "avo step begin FOLDER --run r" in line
    (tmp_path / "rows_now").rename(tmp_path / "other")
    assert "holds a run of rows" in one_line(cli("step", "begin", "./other", "--run", "r"), 2)
    (tmp_path / "there").mkdir()
    (tmp_path / "other").rename(tmp_path / "there" / "rows")
    assert cli("step", "begin", "./there/rows", "--run", "r").returncode == 0
    assert cli("step", "begin", "--run", "r").returncode == 0


def test_a_seed_that_was_edited_since_is_told_in_one_line(elsewhere: Path, cli: Cli) -> None:
    assert cli("step", "begin", elsewhere, "--run", "r").stderr == ""
    source = elsewhere / "seed" / "matvec.cpp"
    source.write_text(source.read_text().replace("SUMS = 1;", "SUMS = 16;"))
    line = one_line(cli("step", "begin", "--run", "r"), 0)
    assert f"the seed in {source.parent} was edited since this run began from it, and plays no part in it" in line
    command = line.partition("as a version: avo ")[2].split(" -m ")[0].split()
    done = cli(*command, "-m", "the edited seed")
    assert done.returncode == 0, done.stderr
    assert "committed as v1" in done.stdout
