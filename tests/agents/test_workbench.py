"""The workbench answers every call: it never raises, and a call whose process is killed ends."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from typing import Any

import pytest
from autogen_core.tools import ToolResult

from avo.agents.models.messages import INTERRUPTED
from avo.agents.workbench import RegistryWorkbench
from avo.sandbox.confine import landlock_version
from avo.sandbox.process import kill_all
from avo.tools.all_tools import CHANGING, READING, registry
from avo.tools.registry import Registry, tool
from avo.tools.workspace import Workspace
from avo.types import AvoError, Cancelled, Defect, Missing, Rejected, ScenarioError, Status, ToolError


async def fails(workspace: Workspace, how: str) -> str:
    """Fail in a way that is asked for."""
    errors: dict[str, BaseException] = {
        "bug": ZeroDivisionError("a bug of ours"), "tool": ToolError("mend it"),
        "rejected": Rejected(Status.TIMEOUT, "too slow"), "cancelled": Cancelled("stopped"),
        "machine": Missing("GPU 0 has not answered for 20 s"),
        "user": AvoError("no such folder"), "scenario": ScenarioError("reference.py:3: no output"),
        "disk": OSError(errno.ENOSPC, "No space left on device"),
    }  # fmt: skip
    raise errors[how]


async def works(workspace: Workspace) -> str:
    """Do nothing."""
    return "done"


def call(workspace: Workspace, name: str, arguments: Mapping[str, Any] | None = None) -> tuple[str, bool]:
    own = Registry(workspace, [tool(fails, changes=True), tool(works, changes=False)])
    return read(asyncio.run(RegistryWorkbench(own).call_tool(name, arguments)))


def read(result: ToolResult) -> tuple[str, bool]:
    return result.to_text(), not result.is_error


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ("tool", "fails: mend it"),
        ("rejected", "fails: TIMEOUT: too slow"),
        ("cancelled", "fails: stopped by the user"),
        ("bug", "fails: internal error: ZeroDivisionError: a bug of ours"),
    ],
)
def test_whatever_a_tool_raises_becomes_an_error_that_says_so(workspace: Workspace, how: str, answer: str) -> None:
    assert call(workspace, "fails", {"how": how}) == (answer, False)


def test_a_bug_of_ours_leaves_its_traceback_in_the_artifacts(workspace: Workspace) -> None:
    call(workspace, "fails", {"how": "tool"})
    assert not (workspace.artifacts / "errors.log").exists()
    call(workspace, "fails", {"how": "bug"})
    call(workspace, "fails", {"how": "bug"})
    assert (workspace.artifacts / "errors.log").read_text().count("Traceback") == 2


@pytest.mark.parametrize(
    ("how", "kind"), [("machine", Missing), ("user", AvoError), ("scenario", ScenarioError), ("disk", Missing)]
)
def test_what_no_agent_can_mend_is_kept_at_the_bench_and_not_told(
    workspace: Workspace, how: str, kind: type[AvoError]
) -> None:
    assert call(workspace, "fails", {"how": how}) == (INTERRUPTED, False)
    assert type(workspace.fault) is kind
    assert not (workspace.artifacts / "errors.log").exists()
    assert call(workspace, "works") == (INTERRUPTED, False)  # nothing begins any more


def test_a_bug_that_comes_three_times_in_a_row_ends_the_run(workspace: Workspace) -> None:
    for _ in range(2):
        assert "internal error: ZeroDivisionError" in call(workspace, "fails", {"how": "bug"})[0]
        call(workspace, "fails", {"how": "tool"})
        assert "internal error: ZeroDivisionError" in call(workspace, "fails", {"how": "bug"})[0]
    assert workspace.fault is None
    call(workspace, "fails", {"how": "bug"})
    assert call(workspace, "fails", {"how": "bug"}) == (INTERRUPTED, False)
    assert isinstance(workspace.fault, Defect)
    assert "a bug of ours" in str(workspace.fault)


def test_an_unknown_tool_is_answered_with_the_names_that_there_are(workspace: Workspace) -> None:
    text, worked = call(workspace, "compile_it")
    assert not worked
    assert "no tool 'compile_it'; there are: fails, works" in text


@pytest.mark.parametrize("arguments", [{}, {"how": 3}, {"how": "bug", "why": "x"}])
def test_wrong_arguments_are_answered_with_what_is_wrong(workspace: Workspace, arguments: Mapping[str, Any]) -> None:
    text, worked = call(workspace, "fails", arguments)
    assert not worked
    assert text.startswith("fails: ")
    assert "internal error" not in text


@pytest.mark.skipif(not landlock_version(), reason="the shell tool needs Landlock")
def test_a_tool_whose_process_is_killed_returns(workspace: Workspace) -> None:
    async def scene() -> tuple[str, bool]:
        workbench = RegistryWorkbench(registry(workspace))
        under_way = asyncio.ensure_future(workbench.call_tool("shell", {"command": "sleep 500", "seconds": 500}))
        while not kill_all():
            await asyncio.sleep(0.05)
        return read(await asyncio.wait_for(under_way, 20))

    assert asyncio.run(scene()) == ("shell: stopped by the user", False)


def test_reading_only_hides_every_tool_that_changes_and_refuses_its_name(workspace: Workspace) -> None:
    workbench = RegistryWorkbench(registry(workspace), reading_only=True)
    assert [schema["name"] for schema in asyncio.run(workbench.list_tools())] == [f.__name__ for f in READING]
    before = workspace.sources()
    for function in CHANGING:
        text, worked = read(asyncio.run(workbench.call_tool(function.__name__, {"path": "matvec.cpp"})))
        assert not worked
        assert f"no tool '{function.__name__}'" in text
    assert workspace.sources() == before


def test_every_tool_is_offered_with_its_docstring_and_closed_arguments(workspace: Workspace) -> None:
    offered = {entry["name"]: entry for entry in asyncio.run(RegistryWorkbench(registry(workspace)).list_tools())}
    assert list(offered) == [function.__name__ for function in (*READING, *CHANGING)]
    assert all(entry.get("description") for entry in offered.values())
    edit = offered["edit_file"]["parameters"]  # type: ignore[typeddict-item]
    assert edit["required"] == ["path", "old", "new"]
    assert edit["additionalProperties"] is False


def test_calls_of_one_answer_that_change_something_go_in_the_models_order(workspace: Workspace) -> None:
    """AutoGen starts them all at once."""

    async def answer() -> list[ToolResult]:
        shared = RegistryWorkbench(registry(workspace))
        edit = {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 2;"}
        called = (("edit_file", edit), ("evaluate", {"direction": "two sums"}), ("evaluate", {"direction": "again"}))
        return await asyncio.gather(*(shared.call_tool(name, arguments) for name, arguments in called))

    edited, first, again = map(read, asyncio.run(answer()))
    assert edited[1]
    assert first[1]
    assert again[1]
    assert [(a.direction, a.knobs["SUMS"]) for a in workspace.journal.attempts()[1:]] == [("two sums", "2")]
