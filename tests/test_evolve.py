"""The loop keeps its promises whatever the operator does; here the operator is scripted, all else is real."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from avo.evolve import Limits, evolve
from avo.memory.journal.journal import EXTERNAL
from avo.memory.journal.steering import mark_seen, steer, unseen
from avo.run import open_run
from avo.scenarios.loader import Scenario
from avo.tools.all_tools import registry
from avo.tools.answer import Answer
from avo.tools.score.executor import LocalExecutor
from avo.tools.workspace import Workspace
from avo.types import AvoError, Missing, Outcome

Play = Callable[[Workspace, str], Awaitable[Outcome]]


@pytest.fixture
def ready(tmp_path: Path, planted_run: Path, tiny: Scenario, executor: LocalExecutor) -> Iterator[Workspace]:
    """The seed is planted, no step was begun."""
    with open_run(shutil.copytree(planted_run, tmp_path / "run"), tiny, "cpu", "tuner") as workspace:
        workspace.executor = executor
        yield workspace


class Scripted:
    """An operator that does the same in each step and remembers its briefs."""

    def __init__(self, workspace: Workspace, *plays: Play) -> None:
        self.workspace, self.plays = workspace, plays
        self.briefs: list[str] = []

    async def vary(self, brief: Answer) -> Outcome:
        self.briefs.append(brief.text)
        return await self.plays[min(len(self.briefs), len(self.plays)) - 1](self.workspace, brief)


def ends(kind: str) -> Play:
    async def play(workspace: Workspace, brief: Answer) -> Outcome:
        (workspace.work_tree / "matvec.cpp").write_text("half of an edit")
        (workspace.work_tree / "left_behind.h").write_text("")
        return Outcome(kind, f"it {kind}")

    return play


async def raises(workspace: Workspace, brief: Answer) -> Outcome:
    (workspace.work_tree / "matvec.cpp").unlink()
    raise RuntimeError("the provider fell over")


async def commits(workspace: Workspace, brief: Answer) -> Outcome:
    edit = {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 16;"}
    assert (await registry(workspace).call("edit_file", edit)).worked
    answer = await registry(workspace).call("commit", {"message": "SUMS 1 -> 16"})
    return Outcome("committed" if answer.worked else "gave_up", answer.text)


def play(operator: Scripted, limits: Limits, failures: list[Exception] | None = None) -> str:
    def failed(error: Exception) -> str:
        (failures if failures is not None else []).append(error)
        return str(error)

    return asyncio.run(evolve(operator.workspace, operator.vary, limits.reached, failed))


def outcomes(workspace: Workspace) -> list[str]:
    return [step["outcome"] for step in workspace.journal.steps()]


def test_a_fault_that_nobody_in_a_step_can_mend_leaves_it_open(ready: Workspace) -> None:
    async def fails(workspace: Workspace, brief: Answer) -> Outcome:
        (workspace.work_tree / "matvec.cpp").write_text("half of an edit")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Missing, match="No space left on device"):
        play(Scripted(ready, fails), Limits(steps=1))
    assert outcomes(ready) == [None]
    assert (ready.work_tree / "matvec.cpp").read_text() == "half of an edit"
    operator = Scripted(ready, ends("gave_up"))
    assert play(operator, Limits(steps=1)) == "steps"
    assert "# Step 1 (resumed)" in operator.briefs[0]


def test_it_stops_after_the_steps_asked_for_and_counts_them_over_resumes(ready: Workspace) -> None:
    operator = Scripted(ready, ends("gave_up"))
    assert play(operator, Limits(steps=2)) == "steps"
    assert play(operator, Limits(steps=2)) == "steps"
    assert len(operator.briefs) == 2
    assert play(operator, Limits(steps=3)) == "steps"
    assert outcomes(ready) == ["gave_up"] * 3


def test_it_stops_when_the_minutes_are_over_between_two_steps(ready: Workspace) -> None:
    ready.journal.begin_session()
    operator = Scripted(ready, ends("gave_up"))
    assert play(operator, Limits(minutes=1e-9)) == "time"
    assert not operator.briefs


def test_it_stops_before_the_call_that_is_expected_to_go_beyond_the_budget(ready: Workspace) -> None:
    operator = Scripted(ready, ends("gave_up"))
    for _ in range(3):
        ready.journal.spend(0, "worker", "model", usd=0.1)
    assert play(operator, Limits(budget_usd=0.39)) == "budget"
    assert not operator.briefs
    assert play(operator, Limits(budget_usd=0.4, steps=1)) == "steps"


def test_it_stops_after_the_evaluations_asked_for_the_seed_being_one(ready: Workspace) -> None:
    operator = Scripted(ready, commits, ends("gave_up"))
    assert play(operator, Limits(attempts=1)) == "attempts"
    assert not operator.briefs
    assert play(operator, Limits(attempts=2)) == "attempts"
    assert len(operator.briefs) == 1


def test_what_people_said_stands_in_the_briefs_that_follow(ready: Workspace) -> None:
    steer(ready.journal, "leave the loop\nalone")
    operator = Scripted(ready, ends("gave_up"))
    play(operator, Limits(steps=1))
    assert "leave the loop" not in operator.briefs[0]  # it is told before the first model call
    mark_seen(ready.journal, unseen(ready.journal))
    play(operator, Limits(steps=2))
    assert "# What people said to you, the latest last\n- leave the loop alone\n" in operator.briefs[1]


def test_it_stops_at_once_when_the_goal_was_reached_before(ready: Workspace) -> None:
    operator = Scripted(ready, ends("gave_up"))
    assert play(operator, Limits(goal=ready.lineage.best().score)) == "target"
    assert not operator.briefs


def test_it_stops_when_a_version_reaches_the_goal_and_tells_the_next_step_of_it(ready: Workspace) -> None:
    operator = Scripted(ready, commits, ends("gave_up"))
    goal = ready.lineage.best().score * 1.05
    assert play(operator, Limits(goal=goal)) == "target"
    assert outcomes(ready) == ["committed"]
    assert [version.name for version in ready.lineage.versions()] == ["v0", "v1"]
    ready.journal.add_note(1, "four sums are not enough")
    assert play(operator, Limits(steps=2)) == "steps"
    brief = operator.briefs[-1]
    assert "# Step 2\n" in brief
    assert ready.scenario.task.strip() in brief
    assert "SUMS 1 -> 16" in brief.split("# Versions so far")[1].split("# Latest attempts")[0]
    assert "a2 PASSED" in brief.split("# Latest attempts")[1].split("# Notes")[0]
    assert "- four sums are not enough" in brief.split("# Notes")[1]
    assert brief.endswith("v1. Make it faster.")


def test_an_exhausted_step_ends_the_run(ready: Workspace) -> None:
    assert play(Scripted(ready, ends("gave_up"), ends("exhausted")), Limits()) == "exhausted"
    assert outcomes(ready) == ["gave_up", "exhausted"]


def test_an_interrupted_step_ends_the_run_and_goes_on_where_it_was(ready: Workspace) -> None:
    assert play(Scripted(ready, ends("interrupted")), Limits(steps=1)) == "interrupted"
    assert outcomes(ready) == [None]
    assert (ready.work_tree / "matvec.cpp").read_text() == "half of an edit"
    again = Scripted(ready, ends("gave_up"))
    assert play(again, Limits(steps=1)) == "steps"
    assert "# Step 1 (resumed)" in again.briefs[0]
    assert outcomes(ready) == ["gave_up"]


def test_a_limit_that_interrupted_the_step_is_the_reason_given(ready: Workspace) -> None:
    async def commits_and_is_stopped(workspace: Workspace, brief: Answer) -> Outcome:
        await commits(workspace, brief)
        return Outcome("interrupted", "stopped by a limit")

    goal = ready.lineage.best().score * 1.05
    assert play(Scripted(ready, commits_and_is_stopped), Limits(goal=goal)) == "target"


@pytest.mark.parametrize("kind", ["stalled", "error"])
def test_three_bad_steps_in_a_row_end_the_run(ready: Workspace, kind: str) -> None:
    operator = Scripted(ready, ends(kind), ends(kind), ends("gave_up"), ends(kind))
    assert play(operator, Limits(steps=20)) == kind
    assert outcomes(ready) == [kind, kind, "gave_up", kind, kind, kind]


@pytest.mark.parametrize("kind", ["gave_up", "stalled"])
def test_the_work_tree_is_the_best_version_after_each_step(ready: Workspace, kind: str) -> None:
    play(Scripted(ready, ends(kind)), Limits(steps=1))
    assert ready.sources() == ready.lineage.files(ready.lineage.best())
    assert not (ready.work_tree / "left_behind.h").exists()


def test_an_operator_that_keeps_raising_ends_the_run_and_leaves_it_whole(ready: Workspace) -> None:
    failures: list[Exception] = []
    assert play(Scripted(ready, raises), Limits(), failures) == "error"
    assert [str(error) for error in failures] == ["the provider fell over"] * 3
    assert [step["summary"] for step in ready.journal.steps()] == ["the provider fell over"] * 3
    assert ready.sources() == ready.lineage.files(ready.lineage.best())
    assert play(Scripted(ready, ends("exhausted")), Limits()) == "exhausted"


def test_an_operator_that_raises_once_gets_another_step(ready: Workspace) -> None:
    assert play(Scripted(ready, raises, ends("exhausted")), Limits()) == "exhausted"
    assert outcomes(ready) == ["error", "exhausted"]


def test_a_mistake_of_the_users_is_not_counted_as_a_failed_step(ready: Workspace) -> None:
    def failed(error: Exception) -> str:
        raise AvoError("no key")

    with pytest.raises(AvoError, match="no key"):
        asyncio.run(evolve(ready, Scripted(ready, raises).vary, Limits().reached, failed))
    assert outcomes(ready) == [None]


def test_a_step_that_a_killed_process_left_open_goes_on_and_says_so(ready: Workspace) -> None:
    ready.journal.open_step("v0")
    operator = Scripted(ready, ends("gave_up"))
    assert play(operator, Limits(steps=2)) == "steps"
    assert "# Step 1 (resumed)" in operator.briefs[0]
    assert "# Step 2\n" in operator.briefs[1]
    assert len(ready.journal.steps()) == 2


def test_a_step_that_was_killed_right_after_its_commit_is_over(ready: Workspace) -> None:
    ready.journal.open_step("an earlier version")
    operator = Scripted(ready, ends("gave_up"))
    play(operator, Limits(steps=2))
    assert outcomes(ready) == ["committed", "gave_up"]
    assert "(resumed)" not in operator.briefs[0]


def test_steps_that_were_made_by_commands_do_not_count(ready: Workspace) -> None:
    for _ in range(3):
        number, _ = ready.journal.open_step("v0", EXTERNAL)
        ready.journal.close_step(number, "refused", "by hand")
    operator = Scripted(ready, ends("gave_up"))
    assert play(operator, Limits(steps=2)) == "steps"
    assert len(operator.briefs) == 2
