"""kill -9 at random moments of a run, each followed by the same command: is anything lost, done twice, or worse?

python benchmarks/kill_resume.py [KILLS] [SCENARIO]
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

AVO = [sys.executable, "-c", "from avo.cli import main; main()"]


def command(scenario: str, run: Path) -> list[str]:
    return [*AVO, "run", "scenario", scenario, "--run", str(run), "--json"]


def finished(scenario: str, run: Path) -> dict[str, Any]:
    """The result of a run that nobody disturbs."""
    done = subprocess.run(command(scenario, run), capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def state(run: Path) -> tuple[set[str], set[tuple[int, str]]]:
    """Commits of main and finished attempts, read past the running process."""
    git = ["git", "-C", str(run / "lineage"), "rev-list", "main"]
    commits = set(subprocess.run(git, capture_output=True, text=True, check=False).stdout.split())
    if not (run / "avo.db").is_file():
        return commits, set()
    with sqlite3.connect(f"file:{run / 'avo.db'}?mode=ro", uri=True) as db:
        try:
            return commits, set(db.execute("SELECT id, tree FROM attempts"))
        except sqlite3.OperationalError:
            return commits, set()


def killed(scenario: str, run: Path, seconds: float) -> bool:
    """Start the command and kill it after that time; False when it had ended by itself."""
    child = subprocess.Popen(command(scenario, run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    running = child.poll() is None
    os.kill(child.pid, signal.SIGKILL) if running else None
    child.wait()
    return running


def main(kills: int, scenario: str) -> int:
    rng = random.Random(2603)
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = finished(scenario, Path(folder) / "undisturbed")
        run, count = Path(folder) / "killed", 0
        while count < kills:
            before = state(run)
            if not killed(scenario, run, rng.uniform(0.5, 9)):
                break
            count += 1
            after = state(run)
            if not before[0] <= after[0]:
                problems.append(f"kill {count}: commits lost: {before[0] - after[0]}")
            if not before[1] <= after[1]:
                problems.append(f"kill {count}: attempts lost: {before[1] - after[1]}")
        result = finished(scenario, run)
        trees = [tree for _, tree in state(run)[1]]
        if len(trees) != len(set(trees)):
            problems.append("a tree was evaluated twice")
        fsck = subprocess.run(["git", "-C", str(run / "lineage"), "fsck"], capture_output=True, text=True, check=False)
        if fsck.returncode or "error" in fsck.stderr + fsck.stdout:
            problems.append(f"git fsck: {fsck.stdout}{fsck.stderr}")
    print(json.dumps({"kills": count, "problems": problems, "undisturbed": undisturbed, "killed": result}, indent=1))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(int((sys.argv[1:2] or ["20"])[0]), (sys.argv[2:3] or ["mha_causal"])[0]))
