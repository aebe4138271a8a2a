"""Recall finds what was said and done, however long ago, in a bounded answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from avo.tools.all_tools import registry
from avo.tools.bench import Bench
from avo.tools.recall import MOST_FOUND


def recall(bench: Bench, **arguments: Any) -> tuple[str, bool]:
    answer = asyncio.run(registry(bench).call("recall", arguments))
    return answer.text, answer.worked


def said(bench: Bench, text: str, kind: str = "text", tool: str | None = None, agent: str = "worker") -> int:
    return bench.journal.add_message(bench.step, agent, kind, text, "{}", tool)


def test_what_holds_most_of_the_words_comes_first_then_the_latest(bench: Bench) -> None:
    one = said(bench, "the K tile of 64 spills")
    said(bench, "nothing of interest")
    two = said(bench, "a tile is a tile", agent="supervisor")
    both = said(bench, "attempt 4: spills with a Tile of 128", "result", "evaluate")
    lines = recall(bench, query="tile spills")[0].splitlines()
    assert [line.split()[0] for line in lines] == [f"#{both}", f"#{one}", f"#{two}"]
    assert lines[0] == f"#{both} step 1 result evaluate: attempt 4: spills with a Tile of 128"
    assert lines[2].startswith(f"#{two} step 1 supervisor: ")


def test_what_holds_all_words_is_found_behind_many_that_hold_one(bench: Bench) -> None:
    kept = said(bench, "swizzle and bank conflicts")
    for _ in range(3 * MOST_FOUND):
        said(bench, "swizzle")
    assert recall(bench, query="swizzle bank conflicts")[0].startswith(f"#{kept} ")


def test_a_message_is_shown_whole_by_its_number_and_a_huge_one_in_part(bench: Bench) -> None:
    number = said(bench, "head " + "x" * 100_000 + " tail")
    short = said(bench, "line one\nline two", "result", "build")
    assert recall(bench, number=short)[0] == f"#{short} step 1 result build\nline one\nline two"
    text, worked = recall(bench, number=number)
    assert worked
    assert len(text) < 40_000
    assert "head " in text
    assert text.endswith(" tail")


def test_notes_are_found_and_briefs_and_earlier_recalls_are_not(bench: Bench) -> None:
    said(bench, "# Step 1\nspills", "task")
    said(bench, "#1: spills", "result", "recall")
    said(bench, "recall(spills)", "call", "recall")
    bench.journal.add_note(1, "LANES of 32 spills")
    assert recall(bench, query="spills")[0] == "note: LANES of 32 spills"


def test_the_answer_is_bounded_and_shows_what_stands_round_a_hit(bench: Bench) -> None:
    for number in range(100):
        said(bench, "before " * 200 + f"swizzle {number} " + "after " * 200)
    text, _ = recall(bench, query="swizzle")
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
def test_a_mistake_is_answered(bench: Bench, arguments: dict[str, Any], problem: str) -> None:
    text, worked = recall(bench, **arguments)
    assert not worked
    assert problem in text


def test_percent_and_underscore_are_found_as_they_are(bench: Bench) -> None:
    said(bench, "KVxTILE")
    kept = said(bench, "KV_TILE")
    assert recall(bench, query="kv_tile")[0] == f"#{kept} step 1 worker: KV_TILE"
    assert recall(bench, query="unheard-of")[0] == "nothing holds any of these words"
