"""What was tried and kept: versions put back and compared, attempts and notes read again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from avo.memory.lineage import Lineage
from avo.tools.all_tools import registry
from avo.tools.build.sources import digest
from avo.tools.history import latest_notes
from avo.tools.workspace import Workspace


def ask(workspace: Workspace, name: str, **arguments: Any) -> str:
    return asyncio.run(registry(workspace).call(name, arguments)).text


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    """The workspace with a v1 that was given twice the seed's score, unmeasured."""
    verdict = workspace.journal.attempts()[0].verdict
    verdict = replace(verdict, cases=tuple(replace(case, value=2 * case.value) for case in verdict.cases))
    files = {**workspace.sources(), "matvec.cpp": workspace.sources()["matvec.cpp"].replace(b"SUMS = 1;", b"SUMS = 4;")}
    workspace.lineage.commit(files, workspace.added(), digest(files), verdict, "Four sums\n\nWhy not.", trailers={})
    return workspace


def test_the_lineage_is_one_line_per_version(two: Workspace) -> None:
    first, second = ask(two, "lineage").splitlines()
    assert first.startswith("v0 ")
    assert first.endswith("Seed of tiny")
    assert second.startswith("v1 ")
    assert second.endswith("Four sums")


def test_a_checkout_puts_a_version_into_the_work_tree_and_nothing_else(two: Workspace) -> None:
    (two.work_tree / "stray.h").write_text("x")
    assert ask(two, "checkout", version="v1") == "the work tree is v1 now"
    assert b"SUMS = 4;" in two.sources()["matvec.cpp"]
    assert not (two.work_tree / "stray.h").exists()
    assert ask(two, "checkout", version="v0") == "the work tree is v0 now"
    assert b"SUMS = 1;" in two.sources()["matvec.cpp"]
    assert ask(two, "checkout", version="best") == "the work tree is v1 now"
    assert Lineage(two.work_tree).best().name == "v1"


@pytest.mark.parametrize("tool", ["checkout", "read_file"])
def test_a_version_that_is_not_there_is_answered_with_those_that_are(two: Workspace, tool: str) -> None:
    assert ask(two, tool, version="v7") == f"{tool}: no version 'v7'; there are: v0 to v1"


def test_an_earlier_version_is_read_without_touching_the_work_tree(two: Workspace) -> None:
    before = two.sources()
    shown = ask(two, "read_file", version="v1")
    assert "Four sums\n\nWhy not." in shown
    assert "scores: wide " in shown
    assert "files: matvec.cpp" in shown
    assert "SUMS = 4;" in ask(two, "read_file", version="v1", path="matvec.cpp")
    assert "v1 has no file 'score.json'; it has: matvec.cpp" in ask(two, "read_file", version="v1", path="score.json")
    assert two.sources() == before


def test_two_versions_are_compared_by_case_and_by_source(two: Workspace) -> None:
    shown = ask(two, "compare_versions", first="v0", second="v1")
    assert "x2.000" in shown
    assert "-constexpr int SUMS = 1;" in shown
    assert "+constexpr int SUMS = 4;" in shown
    assert "median_ms" not in shown
    assert "x0.500" in ask(two, "compare_versions", first="best", second="v0")


def test_attempts_are_listed_and_read_again(workspace: Workspace) -> None:
    source = workspace.work_tree / "matvec.cpp"
    source.write_text(source.read_text().replace("a->y[i] = y;", "a->y[i] = 0;"))
    ask(workspace, "evaluate", direction="zeros\nare fast")
    first, second = ask(workspace, "attempts", last=0).splitlines()
    assert first.startswith("a1 PASSED")
    assert second.startswith("a2 INCORRECT_NUMERICAL")
    assert second.endswith("| SUMS=1 BACKWARDS=0 | zeros are fast")
    assert ask(workspace, "attempts", last=1) == second
    shown = ask(workspace, "attempts", number=2)
    assert shown.startswith("attempt 2, from v0: zeros")
    assert "+        a->y[i] = 0;" in shown
    assert ask(workspace, "attempts", number=9) == "attempts: no attempt 9; there are 2"


def test_notes_are_kept_in_order(workspace: Workspace) -> None:
    assert latest_notes(workspace) == ""
    for text in ("tiles of 64 spill", "prefetching bought nothing"):
        assert ask(workspace, "note", text=text) == "noted"
    assert latest_notes(workspace) == "- tiles of 64 spill\n- prefetching bought nothing"


def test_ending_a_step_is_remembered_for_the_loop(workspace: Workspace) -> None:
    ask(workspace, "end_step", reason="nothing left", exhausted=True)
    assert (workspace.ended, workspace.exhausted) == ("nothing left", True)
