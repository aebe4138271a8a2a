"""`avo commit` and `avo eval --run`: the gate and the journal as commands, also where no agent could run."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avo.memory.journal.journal import AGENT, EXTERNAL, Journal
from avo.memory.lineage import Lineage
from avo.run import existing, open_run, plant_seed
from avo.scenarios.loader import Scenario

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "tiny"
Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]
ABSENT = ("autogen_agentchat", "autogen_core", "autogen_ext", "chromadb", "openai")
BLOCKER = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


@pytest.fixture
def candidate(tmp_path: Path) -> Callable[..., Path]:
    """The seed with replacements, in a folder of its own."""

    def make(name: str, *changes: tuple[str, str]) -> Path:
        folder = Path(shutil.copytree(TINY / "seed", tmp_path / name))
        source = folder / "matvec.cpp"
        text = source.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        source.write_text(text)
        return folder

    return make


FASTER = ("SUMS = 1;", "SUMS = 16;")
SLOWER = ("for (int64_t n = 0; n < a->R; n++) {", "for (int64_t n = 0; n < a->R * 4; n++) {")
SAME_ROW = ("const int64_t i = BACKWARDS ? a->R - 1 - n : n;", "const int64_t i = n % a->R;")
WRONG = ("a->y[i] = y;", "a->y[i] = y * 1.01f;")


def test_a_faster_candidate_is_committed_into_a_run_that_is_made_for_it(
    cli: Cli, candidate: Callable[..., Path], tmp_path: Path
) -> None:
    folder = candidate("c", FASTER)
    done = cli("commit", TINY, folder, "-m", "sixteen sums\n\nthey are independent", "--direction", "wider", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["accepted"], told["version"], told["against"], told["run"]) == (True, "v1", "v0", "runs/tiny-cpu")
    assert told["comparison"]["ratio"] > 1.3
    assert told["text"].startswith("committed as v1, an improvement: ")
    assert "stays in the journal" not in told["text"]
    assert "answer with" not in told["text"]
    journal, lineage = existing(tmp_path / "runs" / "tiny-cpu")
    assert lineage.best().message == "sixteen sums\n\nthey are independent"
    assert lineage.facts(lineage.best())["Direction"] == "wider"
    assert "SUMS = 16" in (lineage.folder / "matvec.cpp").read_text()
    assert [attempt.direction for attempt in journal.attempts()] == ["the seed", "wider"]
    (step,) = journal.steps()
    assert (step["operator"], step["outcome"], step["summary"]) == (EXTERNAL, "committed", "v1: sixteen sums")
    again = cli("commit", TINY, folder, "-m", "once more")
    assert (again.returncode, again.stdout) == (1, "nothing to commit: these sources are v1 already\n")


def test_a_slower_and_a_wrong_candidate_are_refused_and_kept_as_attempts(
    cli: Cli, candidate: Callable[..., Path], run: Path
) -> None:
    slow = cli("commit", TINY, candidate("slow", SLOWER, SAME_ROW), "-m", "each row four times", "--run", run)
    assert slow.returncode == 1, slow.stderr
    assert slow.stdout.startswith("refused: slower than the best version: x0.")
    wrong = cli("commit", TINY, candidate("wrong", WRONG), "-m", "one percent more", "--run", run, "--json")
    assert wrong.returncode == 1, wrong.stderr
    told = json.loads(wrong.stdout)
    assert (told["accepted"], told["version"], told["comparison"]) == (False, None, None)
    assert (told["status"], told["attempt"]) == ("INCORRECT_NUMERICAL", 3)
    journal, lineage = existing(run)
    assert [version.name for version in lineage.versions()] == ["v0"]
    assert [str(attempt.verdict.status) for attempt in journal.attempts()][1:] == ["PASSED", "INCORRECT_NUMERICAL"]
    assert [(step["outcome"], step["operator"]) for step in journal.steps()] == [("refused", EXTERNAL)] * 2
    assert "SUMS = 1;" in (lineage.folder / "matvec.cpp").read_text()
    log = json.loads(cli("memory", "log", "--run", run, "--json").stdout)
    assert [(entry["agent"], entry["kind"], entry["tool"]) for entry in log] == [
        (EXTERNAL, kind, "commit") for kind in ("call", "result")
    ] * 2
    stats = json.loads(cli("memory", "stats", "--run", run, "--json").stdout)
    assert {entry["agent"]: entry["entries"] for entry in stats["spent"]} == {"worker": 1, EXTERNAL: 2}


def test_without_a_path_the_work_tree_is_committed(cli: Cli, run: Path) -> None:
    source = run / "lineage" / "matvec.cpp"
    source.write_text(source.read_text().replace(*FASTER))
    done = cli("commit", TINY, "-m", "edited in place", "--run", run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert existing(run)[1].best().message == "edited in place"


def test_evaluations_are_kept_in_the_step_that_a_commit_then_ends(
    cli: Cli, candidate: Callable[..., Path], run: Path
) -> None:
    folder = candidate("c", FASTER)
    told = [
        json.loads(cli("eval", TINY, folder, "--run", run, "--direction", words, "--json").stdout)
        for words in ("wider sums", "said otherwise")
    ]
    assert [(entry["attempt"], entry["new"], entry["status"]) for entry in told] == [
        (2, True, "PASSED"), (2, False, "PASSED"),
    ]  # fmt: skip
    assert told[0]["score"] == told[1]["score"]
    shown = cli("eval", TINY, folder, "--run", run)
    assert "(these sources were scored before, as attempt 2: wider sums)" in shown.stdout
    assert cli("commit", TINY, folder, "-m", "kept", "--run", run).returncode == 0
    journal, _ = existing(run)
    assert [attempt.direction for attempt in journal.attempts()] == ["the seed", "wider sums"]
    assert journal.count("revisits") == 2
    assert [step["outcome"] for step in journal.steps()] == ["committed"]


def test_an_agents_interrupted_step_keeps_its_edits_when_a_folder_is_refused_and_is_over_after_a_commit(
    cli: Cli, candidate: Callable[..., Path], run: Path
) -> None:
    source = run / "lineage" / "matvec.cpp"
    source.write_text(source.read_text() + "// half an idea\n")
    journal = Journal(run / "avo.db")
    journal.open_step("v0")
    journal.close()
    assert cli("commit", TINY, candidate("wrong", WRONG), "-m", "no", "--run", run).returncode == 1
    assert source.read_text().endswith("// half an idea\n")
    assert [step["ended"] is None for step in existing(run)[0].steps()] == [True, False]
    assert cli("commit", TINY, candidate("c", FASTER), "-m", "yes", "--run", run).returncode == 0
    assert "half an idea" not in source.read_text()
    journal = Journal(run / "avo.db")
    assert journal.open_step("v1") == (4, False)
    assert [(s["operator"], s["outcome"]) for s in journal.steps()] == [
        (AGENT, "interrupted"), (EXTERNAL, "refused"), (EXTERNAL, "committed"), (AGENT, None),
    ]  # fmt: skip


def test_a_work_tree_that_a_kill_left_behind_its_version_is_mended(run: Path, tiny: Scenario) -> None:
    with open_run(run, tiny, "cpu") as workspace:
        files = dict(workspace.sources()) | {"note.txt": b"new\n"}
        first = workspace.journal.attempts()[0]
        workspace.lineage.commit(files, {}, "t", replace(first.verdict, compiler="another"), "m", trailers={})
        assert not (workspace.work_tree / "note.txt").exists()
        asyncio.run(plant_seed(workspace))
        assert (workspace.work_tree / "note.txt").exists()
        (workspace.work_tree / "note.txt").write_text("edited since")
        asyncio.run(plant_seed(workspace))
        assert (workspace.work_tree / "note.txt").read_text() == "edited since"


def test_mistakes_are_one_line(cli: Cli, run: Path, tmp_path: Path, candidate: Callable[..., Path]) -> None:
    for arguments, says in (
        (("commit", TINY, "--run", run), "needs a message"),
        (("commit", TINY, tmp_path / "nowhere", "-m", "x", "--run", run), "no folder"),
        (("commit", "mha_casual", "-m", "x"), "did you mean 'mha_causal'?"),
        (("commit", "mha_causal", "-m", "x", "--target", "cpu", "--run", run), "holds a run of tiny"),
        (("eval", TINY, "--direction", "x"), "name it with --run DIR"),
        (("eval", TINY, tmp_path / "nowhere", "--run", run), "no folder"),
    ):
        done = cli(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1
    (tmp_path / "empty").mkdir()
    assert "no source files" in cli("commit", TINY, tmp_path / "empty", "-m", "x", "--run", tmp_path / "new").stderr
    assert not (tmp_path / "new").exists()


def test_a_commit_leaves_the_model_of_a_run_as_it_was(cli: Cli, run: Path, candidate: Callable[..., Path]) -> None:
    before = (run / "run.toml").read_text()
    assert 'model = "tuner"' in before
    cli("commit", TINY, candidate("c", FASTER), "-m", "yes", "--run", run)
    assert (run / "run.toml").read_text() == before


def test_a_machine_without_autogen_and_chroma_evaluates_commits_and_reads(
    cli: Cli, run: Path, tmp_path: Path, candidate: Callable[..., Path]
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCKER)
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH", ""))))

    def there(*arguments: Any) -> Done:
        return cli(*arguments, PYTHONPATH=path, AVO_RUN=str(run))

    folder = candidate("c", FASTER)
    assert "No module named" in there("run", "scenario", TINY).stderr
    for arguments in (
        ("scenario", "show", TINY),
        ("build", TINY, folder),
        ("bench", TINY, folder),
        ("profile", TINY, folder),
        ("redteam", "nothing_written", "--target", "cpu"),
        ("eval", TINY, folder, "--direction", "wider"),
        ("commit", TINY, folder, "-m", "sixteen sums"),
        ("lineage", "log"),
        ("lineage", "show", "v1"),
        ("lineage", "diff", "v0", "v1"),
        ("lineage", "plot", "--json"),
        ("lineage", "plot", "-o", "a.svg"),
        ("lineage", "export", "-o", "a.zip"),
        ("lineage", "import", "a.zip", "--run", "other"),
        ("memory", "log"),
        ("memory", "stats"),
    ):
        done = there(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert Lineage(tmp_path / "other" / "lineage").best().name == "v1"


def test_edits_in_the_work_tree_are_not_lost_to_a_folder_that_is_committed(
    cli: Cli, candidate: Callable[..., Path], run: Path
) -> None:
    source = run / "lineage" / "matvec.cpp"
    source.write_text(source.read_text() + "// an idea that was not tried yet\n")
    done = cli("commit", TINY, candidate("c", FASTER), "--run", run, "-m", "sixteen sums")
    assert done.returncode == 0, done.stderr
    assert "stays in the journal: avo memory log --agent external" in done.stdout
    assert "idea" not in source.read_text()
    log = cli("memory", "log", "--run", run, "--agent", "external").stdout
    assert "not committed, against v0:" in log
    assert "+// an idea that was not tried yet" in log
