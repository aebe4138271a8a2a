"""profile: a real candidate, real machine code, and perf where this machine has it; never a guess in its place."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from avo.tools.all_tools import registry
from avo.tools.profile import KEPT, _room, profiled, timed_case
from avo.tools.score.executor import LocalExecutor
from avo.tools.workspace import Workspace
from avo.types import AvoError

Seed = dict[str, bytes]


def ask(workspace: Workspace, name: str, **arguments: Any) -> tuple[str, bool]:
    answer = asyncio.run(registry(workspace).call(name, arguments))
    return answer.text, answer.worked


def measured(shown: str) -> bool:
    """Whether perf could watch here; else the first line has to say why not."""
    assert shown.startswith(("time goes to ", "not measured: "))
    return shown.startswith("time goes to ")


@pytest.mark.slow
def test_the_hottest_function_and_line_of_a_candidate_are_named(workspace: Workspace) -> None:
    path = workspace.work_tree / "matvec.cpp"
    slow = "float y = 0; for (int k = 0; k < 20000; k++) y += __builtin_sqrtf(y + k);"
    assert "float y = 0;" in path.read_text()
    path.write_text(path.read_text().replace("float y = 0;", slow))
    shown, worked = ask(workspace, "profile")
    assert worked
    assert "avo_launch" in shown.splitlines()[0]
    assert "functions:" in shown
    if measured(shown):
        assert "__builtin_sqrtf" in shown.partition("source lines by time:")[2].splitlines()[1]
        kept = [*(workspace.artifacts / "profiles").iterdir()]
        assert [path.name for path in kept] == ["0001"]
        assert (kept[0] / "perf-script.txt").stat().st_size
    assert workspace.journal.count("attempts") == 1


def test_without_perf_the_machine_code_is_counted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in os.environ["PATH"].split(":"):
        for path in Path(folder).glob("*") if Path(folder).is_dir() else ():
            if not path.name.startswith("perf") and not (tmp_path / path.name).exists():
                (tmp_path / path.name).symlink_to(path.resolve())
    monkeypatch.setenv("PATH", str(tmp_path))
    shown, worked = ask(workspace, "profile")
    assert worked
    assert shown.startswith("not measured: perf is not installed here")
    assert "avo_launch: " in shown
    assert "instructions" in shown


@pytest.mark.slow
def test_a_case_is_chosen_by_its_id(workspace: Workspace) -> None:
    assert ask(workspace, "profile", case="wide")[1]
    shown, worked = ask(workspace, "profile", case="odd")  # a test, not a timed case
    assert not worked
    assert "no timed case 'odd' for cpu; there are: wide" in shown


def test_the_case_with_the_most_work_is_taken_by_itself() -> None:
    from avo.scenarios.loader import load

    scenario = load("mha_causal")
    most = max(scenario.timed("cpu"), key=lambda case: scenario.work_of("TFLOPS", case))
    assert timed_case(scenario, "cpu", "") == most
    with pytest.raises(AvoError, match="no timed case 'nope'"):
        timed_case(scenario, "cpu", "nope")


def test_the_reports_of_the_latest_profiles_are_kept(tmp_path: Path) -> None:
    for _ in range(KEPT + 5):
        room = _room(tmp_path / "profiles")
        room.mkdir(parents=True)
    names = sorted(path.name for path in (tmp_path / "profiles").iterdir())
    assert names == [f"{number:04}" for number in range(6, KEPT + 6)]


def test_what_does_not_compile_is_told_as_by_build(workspace: Workspace) -> None:
    (workspace.work_tree / "matvec.cpp").write_text("flaot")
    shown, worked = ask(workspace, "profile")
    assert not worked
    assert "flaot" in shown


def test_a_candidate_that_crashes_leaves_the_machine_code(executor: LocalExecutor) -> None:
    source = b'#include "avo_abi.h"\nextern "C" int avo_launch(const avo_args*, void*) { __builtin_trap(); }'
    scenario = executor.scenario
    found = profiled(executor, {"a.cpp": source}, scenario, "cpu", scenario.timed("cpu")[0])
    assert found.text.startswith("not measured: ")
    assert "avo_launch" in found.text
    assert found.facts["unmeasured"]
    if shutil.which("perf"):
        assert "Illegal instruction" in found.text


@pytest.mark.slow
def test_the_command_prints_the_same_as_json(cli: Any, seed: Seed, own_scenario: Path) -> None:
    done = cli("profile", own_scenario, "--target", "cpu", "--output", "kept", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["case"], facts["target"]) == ("wide", "cpu")
    launch = next(function for function in facts["functions"] if "avo_launch" in function["name"])
    assert launch["digest"]["instructions"] > 5
    assert bool(facts["samples"]) != bool(facts["unmeasured"])


def test_mistakes_of_the_command_are_one_line(cli: Any, own_scenario: Path) -> None:
    done = cli("profile", own_scenario, "--target", "cpu", "--case", "nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "avo: scenario tiny has no timed case 'nope' for cpu; there are: wide\n"
    (own_scenario / "seed" / "matvec.cpp").write_text("flaot")
    done = cli("profile", own_scenario, "--target", "cpu")
    assert done.returncode == 2
    assert done.stderr.startswith("avo: COMPILE_ERROR: ")
