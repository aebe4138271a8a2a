"""What a run shows of itself: where it is, what its limits leave, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from avo.evolve import Limits
from avo.memory.journal.steering import go_on, pause
from avo.operators.progress import Progress
from avo.operators.session import Session
from avo.tools.workspace import Workspace
from avo.types import ScenarioError


@pytest.fixture
def progress(workspace: Workspace) -> Progress:
    shown = Progress(workspace, Limits(steps=3, minutes=9, budget_usd=2, attempts=20))
    shown.show()
    return shown


@pytest.fixture
def next_line(workspace: Workspace, progress: Progress, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Begins a step, and gives the line that is printed then where there is no terminal."""

    def show() -> str:
        workspace.step += 1
        capsys.readouterr()
        progress.show()
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return show


def test_it_tells_step_best_version_attempts_and_what_the_limits_leave(
    workspace: Workspace, next_line: Callable[[], str]
) -> None:
    workspace.journal.begin_session()
    workspace.journal.spend(1, "worker", "model", usd=0.5)
    workspace.journal.spend(1, "supervisor", "model", usd=0.25)
    line = next_line()
    assert line.startswith("step 2 (0 of 3 done), 1 of 20 attempts, best v0 ")
    assert line.endswith(", 0.75 of 2.00 USD, 9.0 min left")


def test_it_sets_the_best_version_beside_each_baseline(
    workspace: Workspace, next_line: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (seed,) = workspace.journal.attempts()
    half = {case.id: case.value / 2 for case in seed.verdict.cases}
    measured = replace(seed, verdict=replace(seed.verdict, baselines={"torch": half}))
    monkeypatch.setattr(workspace.journal, "attempts", lambda **which: [measured] if "last" in which else [])
    assert " of the seed), x2.00 of torch, " in next_line()


def test_without_limits_it_tells_what_was_spent(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(workspace, Limits())
    progress.show()
    workspace.journal.spend(1, "worker", "model", usd=0.5)
    workspace.step = 2
    progress.show()
    line = capsys.readouterr().err.strip()
    assert line.startswith("step 2, 1 attempt, best v0 ")
    assert line.endswith(", 0.50 USD")


def test_it_tells_of_a_pause_and_of_a_model_that_is_waited_for(
    workspace: Workspace, progress: Progress, next_line: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    progress.waits("model: 503\x1b[31m; again in 8 s")
    assert capsys.readouterr().err == "model: 503[31m; again in 8 s\n"
    assert next_line().endswith(", model: 503[31m; again in 8 s")
    pause(workspace.journal)
    assert ", paused since 2" in next_line()
    go_on(workspace.journal)
    workspace.journal.spend(1, "worker", "model")
    assert next_line().endswith(" min left")


def test_a_step_that_failed_is_told_without_keys_and_in_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-0123456789")
    session = object.__new__(Session)
    session._workspace, session._progress = workspace, Progress(workspace, Limits())
    line = session._failed(ValueError("x" * 480 + " Error: sk-0123456789 was refused\nand more"))
    assert line.startswith("ValueError: xxx")
    assert "sk-" not in line
    assert len(line) <= 500
    assert "sk-" not in capsys.readouterr().err


def test_a_step_that_failed_is_told_with_the_file_and_no_key_is_left_where_it_is_cut(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-" + "0123456789" * 4
    monkeypatch.setenv("SOME_API_KEY", key)
    session = object.__new__(Session)
    session._workspace, session._progress = workspace, Progress(workspace, Limits())
    told = session._failed(ScenarioError("/s/reference.py: make_inputs(case 'a'): ValueError: bad shape"))
    assert told == "ScenarioError: /s/reference.py: make_inputs(case 'a'): ValueError: bad shape"
    assert "sk-01" not in session._failed(ValueError("x" * 475 + key))
