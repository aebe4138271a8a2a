"""What was brought in has a name beside the versions: it is compared with them and measured against them."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from avo.memory.journal.origin import Brought
from avo.run import open_run
from avo.scenarios.loader import Scenario
from avo.tools.all_tools import registry
from avo.tools.build.sources import Sources
from avo.tools.workspace import Workspace
from avo.types import Status

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
TINY = Path(__file__).parents[1] / "tiny"


def brought(files: Sources) -> Brought:
    return Brought("runs/x", "x", "other", "v3", "0" * 40, 12.5, "GFLOP/s", "", "", files)


@pytest.fixture
def begun(tmp_path: Path, planted_run: Path, tiny: Scenario, seed: Sources) -> Iterator[Workspace]:
    """A run whose journal says that 16 sums were brought in, which did not pass."""
    run = Path(shutil.copytree(planted_run, tmp_path / "begun"))
    files = {"matvec.cpp": seed["matvec.cpp"].replace(b"SUMS = 1;", b"SUMS = 16;")}
    with open_run(run, tiny, "cpu") as workspace:
        workspace.journal.keep_brought(brought(files))
        verdict = replace(workspace.journal.attempts()[0].verdict, status=Status.COMPILE_ERROR, reason="no", cases=())
        workspace.record(files, "brought in", verdict, {})
        yield workspace


def ask(workspace: Workspace, tool: str, **arguments: str) -> tuple[str, bool]:
    answer = asyncio.run(registry(workspace).call(tool, arguments))
    return answer.text, answer.worked


def test_the_tool_compares_it_with_a_version(begun: Workspace) -> None:
    text, worked = ask(begun, "compare_versions", first="v0", second="seed-from")
    assert worked, text
    version, came, *diff = text.splitlines()
    assert version.startswith("v0 ")
    assert came == "seed-from: v3 of x (other), 12.5 GFLOP/s there, COMPILE_ERROR here"
    assert "-constexpr int SUMS = 1;  // partial sums of a row" in diff
    assert "+constexpr int SUMS = 16;  // partial sums of a row" in diff


def test_where_it_passed_the_scores_are_compared_too(begun: Workspace) -> None:
    verdict = begun.journal.attempts()[0].verdict
    twice = replace(verdict, cases=tuple(replace(case, value=2 * case.value) for case in verdict.cases))
    files = {"matvec.cpp": b"// 16 sums"}
    begun.journal.write("DELETE FROM brought")
    begun.journal.write("DELETE FROM brought_files")
    begun.journal.keep_brought(brought(files))
    begun.record(files, "", twice, {})
    text, _ = ask(begun, "compare_versions", first="v0", second="seed-from")
    assert "PASSED here" in text
    assert "x2.000" in text


def test_a_name_that_is_not_there_is_answered_with_those_that_are(begun: Workspace, workspace: Workspace) -> None:
    text, worked = ask(begun, "compare_versions", first="v0", second="v7")
    assert (text, worked) == ("compare_versions: no version 'v7'; there are: v0 to v0, and seed-from", False)
    text, worked = ask(workspace, "compare_versions", first="v0", second="seed-from")
    assert (text, worked) == (
        "compare_versions: this run was not begun from another, so it has no seed-from", False
    )  # fmt: skip


@pytest.mark.slow
def test_by_command_it_is_shown_against_a_version_and_measured_against_it(begun: Workspace, cli: Cli) -> None:
    run = begun.lineage.folder.parent
    done = cli("lineage", "diff", "seed-from", "v0", "--run", run)
    assert done.returncode == 0, done.stderr
    assert "+constexpr int SUMS = 1;  // partial sums of a row" in done.stdout.splitlines()
    done = cli("compare", TINY, "v0", "seed-from", "--run", run, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ratio"] > 1
