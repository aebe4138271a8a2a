"""A client's call meets what neither it nor its kernel is to blame for: one line, and the desk goes on."""

from __future__ import annotations

import asyncio

import pytest

from avo.mcp.desk import Desk
from avo.memory.journal.journal import EXTERNAL
from avo.tools.answer import Answer
from avo.tools.build.sources import Sources
from avo.tools.devices.lease import lease
from avo.tools.payloads import Interrupted
from avo.tools.score.executor import LocalExecutor
from avo.tools.workspace import Workspace
from avo.types import AvoError, Missing, ScenarioError, Verdict

SOON = 120
"""Seconds after which something that was to end has not, on the slowest machine."""
EDIT = {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 16;"}


class Faulty(LocalExecutor):
    """Measures nothing while there is a fault."""

    fault: Exception | None = None

    def evaluate(self, files: Sources) -> Verdict:
        if self.fault:
            raise self.fault
        return super().evaluate(files)


async def called(desk: Desk, name: str, **arguments: object) -> Answer:
    return await desk.start(name, arguments)


def test_a_fault_is_one_line_for_the_client_and_the_desk_goes_on(workspace: Workspace) -> None:
    executor = workspace.executor = Faulty(workspace.scenario, "cpu")

    async def scene() -> list[Answer]:
        desk = Desk(workspace)
        said = [await called(desk, "edit_file", **EDIT)]
        executor.fault = Missing("GPU 0 has not answered for 20 s")
        said.append(await called(desk, "evaluate", direction="more sums"))
        executor.fault = ScenarioError("reference.py:3: case 'large values' makes no output of [16, 300]")
        said.append(await called(desk, "evaluate", direction="more sums"))
        executor.fault = None
        said.append(await called(desk, "evaluate", direction="more sums"))
        await desk.close()
        return said

    _, gone, wrong, fine = asyncio.run(scene())
    assert gone == Answer("evaluate: GPU 0 has not answered for 20 s", worked=False)
    assert wrong == Answer("evaluate: reference.py:3: case a hidden test makes no output of […, …]", worked=False)
    assert fine.worked
    assert workspace.journal.count("attempts") == 2
    assert [step["ended"] for step in workspace.journal.steps() if step["operator"] == EXTERNAL] == [None]


def test_a_journal_that_is_full_is_told_and_written_again_once_there_is_room(workspace: Workspace) -> None:
    async def scene() -> list[Answer]:
        desk = Desk(workspace)
        said = [await called(desk, "read_file")]
        workspace.journal.write(f"PRAGMA max_page_count={workspace.journal.value('PRAGMA page_count')}")
        said.append(await called(desk, "note", text="x" * 100_000))
        workspace.journal.write("PRAGMA max_page_count=1000000")
        said.append(await called(desk, "note", text="a lesson"))
        await desk.close()
        return said

    first, full, later = asyncio.run(scene())
    assert first.worked
    assert not full.worked
    assert full.text.startswith("note: the run's database: database or disk is full")
    assert later == Answer("noted")


def test_what_kept_a_run_from_its_beginning_is_looked_at_again(workspace: Workspace) -> None:
    seed = workspace.journal.attempt(1)
    workspace.journal.forget(seed.tree, "for this test")
    workspace.journal.write("UPDATE attempts SET verdict=json_set(verdict, '$.rules', '')")
    executor = workspace.executor = Faulty(workspace.scenario, "another machine's")
    executor.target, executor.fault = "cpu", Missing("no compiler")
    executor._here = ["another machine"]

    async def scene() -> tuple[Answer, Answer, str]:
        desk = Desk(workspace)
        with pytest.raises(AvoError, match="no compiler"):
            await desk.read("brief")
        refused = await called(desk, "read_file")
        executor.fault, executor._here = None, []
        fine, brief = await called(desk, "read_file"), await desk.read("brief")
        await desk.close()
        return refused, fine, brief

    refused, fine, brief = asyncio.run(scene())
    assert refused == Answer("the run cannot begin: no compiler", worked=False)
    assert fine.worked
    assert "# Versions so far" in brief


def test_a_call_that_waits_for_a_device_holds_up_nobody_who_leaves(workspace: Workspace) -> None:
    async def scene() -> Answer:
        desk = Desk(workspace)
        assert (await called(desk, "edit_file", **EDIT)).worked
        task = desk.start("evaluate", {"direction": "more sums"})
        while desk._working is not task:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(desk.close(), SOON)
        return await task

    with lease("cpu"):
        assert asyncio.run(scene()) == Answer("evaluate: stopped by the client", Interrupted(), False)
    with lease("cpu"):
        pass
