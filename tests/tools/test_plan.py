"""The plan: directions are written down, closed with a reason, and shown where they are needed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from avo.evolve import brief
from avo.memory.journal.journal import Journal
from avo.tools.all_tools import registry
from avo.tools.plan import LONGEST, MOST_CLOSED, MOST_OPEN, plan_text
from avo.tools.workspace import Workspace


def plan(workspace: Workspace, **arguments: Any) -> tuple[str, bool]:
    answer = asyncio.run(registry(workspace).call("plan", arguments))
    return answer.text, answer.worked


def test_a_direction_is_written_down_tried_and_read_again(workspace: Workspace, tmp_path: Path) -> None:
    assert plan(workspace) == ("no directions yet", True)
    plan(workspace, direction="swap  the\nloops", why="fewer misses")
    plan(workspace, direction="16 sums")
    plan(workspace, number=1, state="abandoned", why="twice as slow")
    text, worked = plan(workspace, number=2, state="tried", why="x1.4, kept as v1")
    assert worked
    assert text == "1. abandoned: swap the loops (twice as slow)\n2. tried: 16 sums (x1.4, kept as v1)"
    assert plan(workspace)[0] == text
    assert [entry.state for entry in Journal(tmp_path / "run" / "avo.db", reading=True).plan()] == [
        "abandoned",
        "tried",
    ]
    assert f"# Plan\n{text}" in asyncio.run(brief(workspace, resumed=False)).text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"number": 7, "state": "tried"}, "no direction 7; it has 1"),
        ({"number": 1, "direction": "x"}, "or the number of one to change it"),
        ({"direction": "x", "state": "done"}, "'open', 'tried' or 'abandoned'"),
        ({"number": 2**70, "state": "tried"}, "no direction"),
        ({"number": -1, "state": "tried"}, "no direction"),
    ],
)
def test_a_mistake_is_answered_and_changes_nothing(
    workspace: Workspace, arguments: dict[str, Any], problem: str
) -> None:
    plan(workspace, direction="16 sums")
    text, worked = plan(workspace, **arguments)
    assert not worked
    assert problem in text
    assert plan(workspace)[0] == "1. open: 16 sums"


def test_a_plan_of_days_is_shown_in_part_the_open_directions_first(workspace: Workspace) -> None:
    for number in range(100):
        plan(workspace, direction=f"direction {number} {'x' * 2 * LONGEST}")
    for number in range(1, 61):
        plan(workspace, number=number, state="tried", why="y" * 2 * LONGEST)
    lines = plan_text(workspace).splitlines()
    assert len(lines) == MOST_OPEN + MOST_CLOSED + 1
    assert lines[0].startswith("81. open: direction 80 ")
    assert lines[MOST_OPEN].startswith("41. tried: ")
    assert lines[-1] == "[... 60 older ones: see recall ...]"
    assert max(map(len, lines)) < 2 * LONGEST + 50
