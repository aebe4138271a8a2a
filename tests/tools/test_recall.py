"""Recall finds what was said and done, however long ago, in a bounded answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from avo.tools.all_tools import registry
from avo.tools.recall import MOST_FOUND
from avo.tools.workspace import Workspace


def recall(workspace: Workspace, **arguments: Any) -> tuple[str, bool]:
    answer = asyncio.run(registry(workspace).call("recall", arguments))
    return answer.text, answer.worked


def said(workspace: Workspace, text: str, kind: str = "text", tool: str | None = None, agent: str = "worker") -> int:
    return workspace.journal.add_message(workspace.step, agent, kind, text, "{}", tool)


def test_what_holds_most_of_the_words_comes_first_then_the_latest(workspace: Workspace) -> None:
    one = said(workspace, "the K tile of 64 spills")
    said(workspace, "nothing of interest")
    two = said(workspace, "a tile is a tile", agent="supervisor")
    both = said(workspace, "attempt 4: spills with a Tile of 128", "result", "evaluate")
    lines = recall(workspace, query="tile spills")[0].splitlines()
    assert [line.split()[0] for line in lines] == [f"#{both}", f"#{one}", f"#{two}"]
    assert lines[0] == f"#{both} step 1 result evaluate: attempt 4: spills with a Tile of 128"
    assert lines[2].startswith(f"#{two} step 1 supervisor: ")


def test_what_holds_all_words_is_found_behind_many_that_hold_one(workspace: Workspace) -> None:
    kept = said(workspace, "swizzle and bank conflicts")
    for _ in range(3 * MOST_FOUND):
        said(workspace, "swizzle")
    assert recall(workspace, query="swizzle bank conflicts")[0].startswith(f"#{kept} ")


def test_a_message_is_shown_whole_by_its_number_and_a_huge_one_in_part(workspace: Workspace) -> None:
    number = said(workspace, "head " + "x" * 100_000 + " tail")
    short = said(workspace, "line one\nline two", "result", "build")
    assert recall(workspace, number=short)[0] == f"#{short} step 1 result build\nline one\nline two"
    text, worked = recall(workspace, number=number)
    assert worked
    assert len(text) < 40_000
    assert "head " in text
    assert text.endswith(" tail")


def test_notes_are_found_and_briefs_and_earlier_recalls_are_not(workspace: Workspace) -> None:
    said(workspace, "# Step 1\nspills", "task")
    said(workspace, "#1: spills", "result", "recall")
    said(workspace, "recall(spills)", "call", "recall")
    workspace.journal.add_note(1, "LANES of 32 spills")
    assert recall(workspace, query="spills")[0] == "note: LANES of 32 spills"


def test_the_answer_is_bounded_and_shows_what_stands_round_a_hit(workspace: Workspace) -> None:
    for number in range(100):
        said(workspace, "before " * 200 + f"swizzle {number} " + "after " * 200)
    text, _ = recall(workspace, query="swizzle")
    lines = text.splitlines()
    assert len(lines) == MOST_FOUND
    assert all(f"swizzle {99 - place} " in line for place, line in enumerate(lines))
    assert max(map(len, lines)) < 500


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "at least one word"),
        ({"query": "% _ '"}, "at least one word"),
        ({"number": 999}, "no message 999"),
        ({"number": 2**80}, "no message"),
        ({"query": 3}, "valid string"),
    ],
)
def test_a_mistake_is_answered(workspace: Workspace, arguments: dict[str, Any], problem: str) -> None:
    text, worked = recall(workspace, **arguments)
    assert not worked
    assert problem in text


def test_percent_and_underscore_are_found_as_they_are(workspace: Workspace) -> None:
    said(workspace, "KVxTILE")
    kept = said(workspace, "KV_TILE")
    assert recall(workspace, query="kv_tile")[0] == f"#{kept} step 1 worker: KV_TILE"
    assert recall(workspace, query="unheard-of")[0] == "nothing holds any of these words"
