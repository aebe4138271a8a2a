"""The plan: directions of the search, open, tried or abandoned, and why."""

from __future__ import annotations

from typing import Literal

from avo.memory.journal.rows import Direction
from avo.tools.workspace import Workspace
from avo.types import ToolError

OPEN = "open"
"""State of a direction that has not been tried."""
MOST_OPEN, MOST_CLOSED = 20, 20
"""Maximum number of directions that are shown, the latest open and the latest closed ones."""
LARGEST_NUMBER = 1 << 62
"""Largest number that is looked up: SQLite's integers have 64 bits."""
LONGEST = 400
"""Maximum length in characters of a direction, and of its reason."""


async def plan(
    workspace: Workspace, direction: str = "", state: Literal["open", "tried", "abandoned"] = "open", why: str = "",
    number: int = 0,
) -> str:  # fmt: skip
    """Write down a direction worth trying, or what came of one; answers with the plan. It is shown at every step.

    direction: a new one, in a line; leave it out to change direction `number`, or to read the plan.
    why: what it should gain; once it was tried or abandoned, what came of it.
    """
    if direction and number:
        raise ToolError("give a direction to add it, or the number of one to change it")
    if number:
        workspace.journal.change_direction(min(max(number, -1), LARGEST_NUMBER), state, _short(why))
    elif direction.strip():
        workspace.journal.add_direction(workspace.step, _short(direction), state, _short(why))
    return plan_text(workspace) or "no directions yet"


def plan_text(workspace: Workspace) -> str:
    """Return the open directions, then the latest closed ones; "" if there are none."""
    found = workspace.journal.plan()
    still = [entry for entry in found if entry.state == OPEN]
    closed = [entry for entry in found if entry.state != OPEN]
    shown = [*still[-MOST_OPEN:], *closed[-MOST_CLOSED:]]
    left = len(found) - len(shown)
    return "\n".join([*map(direction_line, shown), *([f"[... {left} older ones: see recall ...]"] if left else [])])


def direction_line(direction: Direction) -> str:
    """Return a direction as one line."""
    return f"{direction.id}. {direction.state}: {direction.text}" + (f" ({direction.why})" if direction.why else "")


def _short(text: str) -> str:
    return " ".join(text.split())[:LONGEST]
