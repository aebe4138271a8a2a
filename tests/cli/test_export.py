"""`avo lineage export` and `import`: a run goes to another machine, goes on there, and comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "tiny"
Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "there"))


def good(done: Done) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def one_line(done: Done, code: int) -> str:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_a_run_goes_there_and_back(cli: Cli, run: Path, tmp_path: Path) -> None:
    assert "1 version and 1 attempt of" in good(cli("lineage", "export", "--run", run))
    told = json.loads(good(cli("lineage", "import", "tiny-cpu-v0.avo.zip", "--json")))
    assert (told["run"], told["versions"], told["new_versions"], told["best"]) == ("runs/tiny-cpu", 1, 1, "v0")
    assert told["device"]
    went_on = json.loads(good(cli("run", "scenario", TINY, "--run", "runs/tiny-cpu", "--steps", 1, "--json")))
    assert went_on["versions"] == 1
    exported = json.loads(good(cli("lineage", "export", "-o", "back.zip", "--run", "runs/tiny-cpu", "--json")))
    assert (exported["versions"], exported["scenario"], exported["target"]) == (2, "tiny", "cpu")
    assert exported["attempts"] == went_on["attempts"]
    assert "1 new version" in good(cli("lineage", "import", "back.zip", "--run", run))
    assert json.loads(good(cli("memory", "log", "--run", run, "--json"))) == json.loads(
        good(cli("memory", "log", "--run", "runs/tiny-cpu", "--json"))
    )
    assert "archive lacks" in one_line(cli("lineage", "import", "tiny-cpu-v0.avo.zip", "--run", run), 2)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_an_archive_of_a_scenario_that_changed_can_be_read_but_not_gone_on_with(
    cli: Cli, run: Path, own_scenario: Path
) -> None:
    good(cli("lineage", "export", "-o", "a.zip", "--run", run))
    good(cli("lineage", "import", "a.zip", "--run", "here"))
    text = (own_scenario / "scenario.toml").read_text()
    (own_scenario / "scenario.toml").write_text(text.replace("2 * R * C", "20 * R * C"))
    assert good(cli("lineage", "log", "--run", "here")).startswith("v0 ")
    for command in (("run", "scenario", own_scenario), ("commit", own_scenario, "-m", "x")):
        assert "not as it was when this run began" in one_line(cli(*command, "--run", "here"), 2)


def test_a_run_in_use_is_exported_but_not_imported_into(cli: Cli, run: Path) -> None:
    import fcntl

    with (run / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        good(cli("lineage", "export", "-o", "a.zip", "--run", run))
        assert "in use by another avo process" in one_line(cli("lineage", "import", "a.zip", "--run", run), 2)


def test_what_is_not_there_is_one_line(cli: Cli, tmp_path: Path) -> None:
    assert "start one" in one_line(cli("lineage", "export", "--run", tmp_path), 3)
    assert "No such file" in one_line(cli("lineage", "import", "nothing.zip"), 2)
    (tmp_path / "x.zip").write_text("no archive")
    assert "is no archive of a run" in one_line(cli("lineage", "import", "x.zip"), 2)
    assert not list((tmp_path / "runs").iterdir())
