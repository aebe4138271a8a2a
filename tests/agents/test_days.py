"""A short day of a run over HTTP, with a kill, storms of 429 and a context that is too long: what it has to hold."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_trajectories import loaded

from avo.agents.context import JournalContext
from avo.agents.models.messages import unpacked
from avo.memory.journal.journal import Journal
from avo.run import open_run
from avo.scenarios.loader import Scenario

pytestmark = pytest.mark.slow

TURNS, BUDGET = 130, 96_000


@pytest.fixture(scope="module")
def days() -> ModuleType:
    return loaded("days")


@pytest.fixture(scope="module")
def day(days: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("day") / "run"
    return days.day(TURNS, 1, folder), folder


def test_nothing_is_lost_split_or_done_twice(day: tuple[dict[str, Any], Path]) -> None:
    figures, _ = day
    assert figures["problems"] == []
    assert figures["kills"] == 1
    assert TURNS - 5 <= figures["turns"] <= TURNS + 5
    assert figures["refused"] >= 6  # five of a storm, and the context that is too long
    assert figures["summaries_by_the_model"] + figures["digests"] >= 1


def test_what_the_model_is_shown_is_bounded_and_the_journal_small(day: tuple[dict[str, Any], Path]) -> None:
    figures, _ = day
    assert figures["longest_request_characters"] < 1.2 * BUDGET
    assert figures["most_messages_shown"] < figures["messages"]
    assert figures["bytes_beyond_the_text_per_message"] <= 2048


def test_a_context_that_is_rebuilt_is_the_one_that_was_live(
    day: tuple[dict[str, Any], Path], tiny: Scenario, tmp_path: Path
) -> None:
    """The same messages, written anew one by one, leave the context that a restart reads back."""
    folder = shutil.copytree(day[1], tmp_path / "run")
    rows = Journal(folder / "avo.db", reading=True).messages("worker")
    with open_run(folder, tiny, "cpu") as workspace:
        workspace.journal.write("DELETE FROM messages")
        workspace.journal.write("DELETE FROM summaries")
        live = JournalContext("worker", workspace, budget=BUDGET // 4)

        async def again() -> None:
            for row in rows:
                await live.add_message(unpacked(row.payload, row.text))

        asyncio.run(again())
        rebuilt = JournalContext("worker", workspace, budget=BUDGET // 4)
        shown = asyncio.run(live.get_messages())
        assert asyncio.run(rebuilt.get_messages()) == shown
        assert sum(len(message.model_dump_json()) for message in shown) < 1.5 * BUDGET / 4
        assert workspace.journal.count("summaries") > 1
