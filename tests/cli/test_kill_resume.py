"""A run that is killed again and again ends as if it had not been: nothing lost, nothing evaluated twice."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

AVO = (sys.executable, "-c", "from avo.cli import main; main()")
TINY = Path(__file__).parents[1] / "tiny"
KILLS = 4
LATEST = 3.0
"""When a kill comes at the latest after the first new result, in measurements: twelve and more are made in all."""
GAIN = 1.5
"""What 16 sums are worth on any machine: four times the seed's score where it was written."""

Attempt = tuple[int, str, float]


def command(run: Path, scenario: Path = TINY) -> list[str]:
    return [*AVO, "run", "scenario", str(scenario), "--run", str(run)]


def attempts(run: Path) -> list[Attempt]:
    with sqlite3.connect(run / "avo.db") as db:
        return db.execute("SELECT id, tree, score FROM attempts ORDER BY id").fetchall()


def git(run: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(run / "lineage"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def commits(run: Path) -> list[str]:
    """Of every branch and tag: none yet when the seed was not committed."""
    return git(run, "log", "--reverse", "--format=%H", "--branches").split()


def results(run: Path) -> int:
    """Evaluations and comparisons so far."""
    try:
        with sqlite3.connect(f"file:{run / 'avo.db'}?mode=ro", uri=True) as db:
            query = "SELECT (SELECT COUNT(*) FROM attempts) + (SELECT COUNT(*) FROM comparisons)"
            return int(db.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def pace(run: Path) -> float:
    """Seconds that the quickest measurement took on this machine."""
    with sqlite3.connect(run / "avo.db") as db:
        query = "SELECT MIN(device_seconds) FROM ledger WHERE kind = 'evaluation'"
        return float(db.execute(query).fetchone()[0])


def killed_at_work(command: list[str], run: Path, part: float) -> tuple[int, float]:
    """Start the run and kill it `part` of a measurement after its first new result: its exit code, and when."""
    before, moment = results(run), 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while results(run) == before and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is None:
            moment = part * pace(run)
            time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        return process.wait(), moment


def test_a_run_killed_at_random_moments_loses_nothing(tmp_path: Path, own_scenario: Path) -> None:
    source = own_scenario / "seed" / "matvec.cpp"
    source.write_text(source.read_text().replace("{1, 4, 16}", "{1, 2, 4, 8, 16, 32}"))
    run, dice = tmp_path / "killed", random.Random(os.urandom(8))
    seen_commits, seen_attempts, codes = list[str](), list[Attempt](), []
    for _ in range(KILLS):
        code, moment = killed_at_work(command(run, own_scenario), run, dice.uniform(0, LATEST))
        codes.append(code)
        told = f"killed after {moment:.3f} s"
        assert commits(run)[: len(seen_commits)] == seen_commits, told
        assert attempts(run)[: len(seen_attempts)] == seen_attempts, told
        seen_commits, seen_attempts = commits(run), attempts(run)
    assert codes.count(-signal.SIGKILL) >= 2

    done = subprocess.run(command(run, own_scenario), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("exhausted: ")
    assert commits(run)[: len(seen_commits)] == seen_commits
    finished = attempts(run)
    assert finished[: len(seen_attempts)] == seen_attempts
    assert len({tree for _, tree, _ in finished}) == len(finished) <= 12
    assert git(run, "tag").split() == [f"v{number}" for number in range(len(commits(run)))]
    assert not [line for line in git(run, "fsck", "--full", "--strict").splitlines() if "dangling" not in line]
    assert git(run, "status", "--porcelain") == ""
    with sqlite3.connect(run / "avo.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT COUNT(*) FROM steps WHERE ended IS NULL").fetchone() == (0,)

    scores = {tree: score for _, tree, score in finished}
    kept = [scores[tree] for tree in re.findall(r"^ *Avo-Tree: (\w+)$", git(run, "log", "--reverse"), re.MULTILINE)]
    assert len(kept) >= 2
    assert kept[-1] > GAIN * kept[0]


def test_what_a_kill_may_leave_behind_is_cleared(tmp_path: Path, planted_run: Path) -> None:
    run = Path(shutil.copytree(planted_run, tmp_path / "run"))
    git(run, "tag", "-d", "v0")
    for lock in ("index.lock", "refs/heads/main.lock"):
        (run / "lineage" / ".git" / lock).write_text("")
    (run / "lineage" / "matvec.cpp").write_text("half of")
    with sqlite3.connect(run / "avo.db") as db:
        db.execute("INSERT INTO steps (parent, started) VALUES ('v0', '2026-01-01T00:00:00+00:00')")
    done = subprocess.run([*command(run), "--steps", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert git(run, "tag").split() == ["v0", "v1"]
    assert [status for status, _ in statuses(run)] == ["PASSED"] * len(statuses(run))


def statuses(run: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(run / "avo.db") as db:
        return db.execute("SELECT status, id FROM attempts").fetchall()
