"""An operator's call from outside is journalled with its answer, whatever becomes of it."""

from __future__ import annotations

import pytest

from avo.operators import external
from avo.tools.answer import Answer
from avo.tools.workspace import Workspace
from avo.types import AvoError, Missing, ToolError


def test_what_a_tool_could_not_do_is_its_answer(workspace: Workspace) -> None:
    async def refuses() -> Answer:
        raise ToolError("no file 'x'")

    made = external.answer(workspace, "read_file", "x", refuses)
    assert (made.text, made.worked) == ("no file 'x'", False)
    assert workspace.journal.messages(external.EXTERNAL, last=1)[0].text == "no file 'x'"


def test_a_fault_of_the_machine_is_told_also_where_the_journal_cannot_be_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def without_compiler() -> Answer:
        raise Missing("the compiler is gone")

    def full(*_: object) -> None:
        raise AvoError("the disk is full")

    with pytest.raises(Missing, match="the compiler is gone"):
        external.answer(workspace, "evaluate", "x", without_compiler)
    assert workspace.journal.messages(external.EXTERNAL, last=1)[0].text == external.CUT_OFF.text
    monkeypatch.setattr(external, "answered", full)
    with pytest.raises(Missing, match="the compiler is gone"):
        external.answer(workspace, "evaluate", "x", without_compiler)
