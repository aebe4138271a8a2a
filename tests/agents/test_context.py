"""A conversation is in the journal before it goes on, whole after a restart, and bounded in what a model sees."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest
from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    UserMessage,
)

from avo.agents.context import CHARACTERS, JournalContext
from avo.agents.models.messages import INTERRUPTED, describe
from avo.tools.workspace import Workspace

LONG = 30_000


def task(text: str = "# Step 1") -> UserMessage:
    return UserMessage(content=text, source="user")


def call(*ids: str, tool: str = "read_file", thought: str | None = None) -> AssistantMessage:
    calls = [FunctionCall(id=i, name=tool, arguments='{"path": "matvec.cpp"}') for i in ids]
    return AssistantMessage(content=calls, source="worker", thought=thought)


def result(*ids: str, text: str = "text", tool: str = "read_file") -> FunctionExecutionResultMessage:
    results = [FunctionExecutionResult(content=text, name=tool, call_id=i, is_error=False) for i in ids]
    return FunctionExecutionResultMessage(content=results)


def context(workspace: Workspace, *messages: LLMMessage, agent: str = "worker") -> JournalContext:
    opened = JournalContext(agent, workspace)

    async def fill() -> None:
        for message in messages:
            await opened.add_message(message)

    asyncio.run(fill())
    return opened


def shown(opened: JournalContext) -> list[LLMMessage]:
    return asyncio.run(opened.get_messages())


def unpaired(messages: list[LLMMessage]) -> set[str]:
    """Ids of calls without a result, of results without a call before them."""
    open_calls: set[str] = set()
    alone: set[str] = set()
    for message in messages:
        if isinstance(message, AssistantMessage) and isinstance(message.content, list):
            open_calls |= {entry.id for entry in message.content}
        elif isinstance(message, FunctionExecutionResultMessage):
            ids = {entry.call_id for entry in message.content}
            alone |= ids - open_calls
            open_calls -= ids
    return open_calls | alone


def test_a_message_that_the_journal_did_not_take_is_not_shown(workspace: Workspace) -> None:
    opened = context(workspace, task())
    workspace.journal.close()
    with pytest.raises(sqlite3.ProgrammingError):
        asyncio.run(opened.add_message(call("c1")))
    assert shown(opened) == [task()]


def test_every_message_is_in_the_journal_with_kind_tool_and_text(workspace: Workspace) -> None:
    advice = UserMessage(content="try tiles", source="supervisor")
    said = AssistantMessage(content="done", source="worker")
    context(workspace, task(), advice, call("c1", thought="look first"), result("c1", text="int x;"), said)
    assert [(entry.kind, entry.tool, entry.text) for entry in workspace.journal.messages("worker")] == [
        ("task", None, "# Step 1"),
        ("advice", None, "try tiles"),
        ("call", "read_file", 'look first\nread_file({"path": "matvec.cpp"})'),
        ("result", "read_file", "int x;"),
        ("text", None, "done"),
    ]
    assert {entry.step for entry in workspace.journal.messages()} == {workspace.step}


def test_a_restart_shows_the_same_messages_and_writes_none(workspace: Workspace) -> None:
    before = shown(context(workspace, task(), call("c1"), result("c1")))
    count = workspace.journal.count("messages")
    assert shown(context(workspace)) == before
    assert workspace.journal.count("messages") == count


def test_worker_and_supervisor_have_conversations_of_their_own(workspace: Workspace) -> None:
    context(workspace, task("for the worker"))
    assert shown(context(workspace, agent="supervisor")) == []


def test_a_call_that_a_killed_process_left_open_is_answered_in_journal_and_context(workspace: Workspace) -> None:
    context(workspace, task(), call("c1", "c2"))
    opened = context(workspace)
    asyncio.run(opened.repair())
    last = shown(opened)[-1]
    assert isinstance(last, FunctionExecutionResultMessage)
    assert [(entry.call_id, entry.content, entry.is_error) for entry in last.content] == [
        ("c1", INTERRUPTED, True),
        ("c2", INTERRUPTED, True),
    ]
    assert shown(context(workspace)) == shown(opened)


@pytest.mark.parametrize("last", [(), (call("c1"), result("c1")), (AssistantMessage(content="x", source="worker"),)])
def test_a_conversation_without_an_open_call_needs_no_repair(
    workspace: Workspace, last: tuple[LLMMessage, ...]
) -> None:
    opened = context(workspace, task(), *last)
    asyncio.run(opened.repair())
    assert len(shown(opened)) == 1 + len(last)


BUDGET = 40_000


def filled(workspace: Workspace, rounds: int, *, size: int = 3_000, budget: int = BUDGET) -> JournalContext:
    """A conversation of a task and many calls with their results."""
    opened = JournalContext("worker", workspace, budget=budget)

    async def fill() -> None:
        await opened.add_message(task())
        for number in range(rounds):
            await opened.add_message(call(f"c{number}", thought="because"))
            await opened.add_message(result(f"c{number}", text=f"{number}" + "x" * size))

    asyncio.run(fill())
    return opened


def size(messages: list[LLMMessage]) -> int:
    return sum(len(entry.model_dump_json()) for entry in messages)


def test_a_long_conversation_is_bounded_and_never_splits_a_call_from_its_result(workspace: Workspace) -> None:
    opened = context(workspace, task())
    for number in range(40):
        thought, text = ("y" * LONG, "x") if number % 3 else ("y", "x" * LONG)
        for message in (call(f"c{number}", thought=thought), result(f"c{number}", text=text)):
            asyncio.run(opened.add_message(message))
            messages = shown(opened)
            assert size(messages) <= CHARACTERS + LONG
            assert unpaired(messages) <= ({f"c{number}"} if message.type == "AssistantMessage" else set())
    assert len(shown(opened)) < 40
    assert workspace.journal.count("messages") == 81


def test_the_task_of_the_step_stays_first_when_the_oldest_go(workspace: Workspace) -> None:
    opened = context(workspace, task("# Step 1"), task("# Step 2"))
    for number in range(20):
        asyncio.run(opened.add_message(call(f"c{number}")))
        asyncio.run(opened.add_message(result(f"c{number}", text="x" * LONG)))
    messages = shown(opened)
    assert messages[0] == task("# Step 2")
    assert messages.count(task("# Step 2")) == 1
    assert task("# Step 1") not in messages


@pytest.mark.parametrize("budget", [BUDGET, 4 * BUDGET])
def test_one_answer_longer_than_all_is_elided_for_the_model_and_whole_in_the_journal(
    workspace: Workspace, budget: int
) -> None:
    opened = filled(workspace, 3, budget=budget)
    text = "head" + "x" * (2 * budget) + "tail"
    for message in (call("long"), result("long", text=text)):
        asyncio.run(opened.add_message(message))
    messages = shown(opened)
    last = messages[-1]
    assert isinstance(last, FunctionExecutionResultMessage)
    assert last.content[0].content.startswith("head")
    assert last.content[0].content.endswith("tail")
    assert "characters left out" in last.content[0].content
    assert size(messages) <= budget
    assert not unpaired(messages)
    assert workspace.journal.messages("worker", last=1)[0].text == text
    assert shown(JournalContext("worker", workspace, budget=budget)) == messages


def test_a_call_with_endless_arguments_is_elided_and_stays_json(workspace: Workspace) -> None:
    whole = json.dumps({"path": "k.cpp", "content": "int x;\n" * BUDGET, "lines": [1] * BUDGET})
    made = AssistantMessage(content=[FunctionCall(id="c", name="write_file", arguments=whole)], source="worker")
    opened = JournalContext("worker", workspace, budget=BUDGET)
    for message in (task(), made, result("c")):
        asyncio.run(opened.add_message(message))
    asked = shown(opened)[1]
    assert isinstance(asked, AssistantMessage)
    assert isinstance(asked.content[0], FunctionCall)
    assert json.loads(asked.content[0].arguments)["path"] == "k.cpp"
    assert size(shown(opened)) <= BUDGET
    assert whole in workspace.journal.messages("worker")[1].text


@pytest.mark.parametrize("rounds", [3, 12, 50])
def test_a_restart_shows_what_was_shown_before_however_long_the_conversation(workspace: Workspace, rounds: int) -> None:
    before = shown(filled(workspace, rounds))
    assert size(before) <= BUDGET * 1.5
    assert shown(JournalContext("worker", workspace, budget=BUDGET)) == before


def test_the_beginning_stays_the_same_from_call_to_call_until_a_compaction(workspace: Workspace) -> None:
    opened = filled(workspace, 2)
    kept, changes = shown(opened), 0
    for number in range(100, 150):
        for message in (call(f"c{number}"), result(f"c{number}", text="x" * 2_000)):
            asyncio.run(opened.add_message(message))
        now = shown(opened)
        changes += now[: len(kept)] != kept
        kept = now
    assert 1 <= changes <= 10


def test_what_was_measured_kept_and_said_stands_in_the_digest(workspace: Workspace) -> None:
    opened = JournalContext("worker", workspace, budget=BUDGET)
    told = [
        call("c1", tool="evaluate"), result("c1", tool="evaluate", text="attempt 7: PASSED 9.10 GFLOP/s\ncase …"),
        call("c2", tool="note"), result("c2", tool="note", text="noted"),
        UserMessage(content="Advice: the loop is memory bound", source="supervisor"),
        AssistantMessage(content="I see.", source="worker"),
    ]  # fmt: skip
    for message in [task(), *told]:
        asyncio.run(opened.add_message(message))
    for number in range(30):
        for message in (call(f"r{number}"), result(f"r{number}", text="x" * 3_000)):
            asyncio.run(opened.add_message(message))
    messages = shown(opened)
    assert messages[0] == task()
    digest = str(messages[1].content)
    assert digest.startswith("# Earlier\nMessages up to #")
    assert "#3 evaluate" in digest
    assert "attempt 7: PASSED 9.10 GFLOP/s" in digest
    assert "#6 supervisor: Advice: the loop is memory bound" in digest
    assert "#7 said: I see." in digest
    assert "other calls: read_file" in digest


def test_plan_notes_and_advice_are_pinned_when_older_messages_go(workspace: Workspace) -> None:
    workspace.journal.add_direction(1, "swap the loops", "open", "fewer misses")
    workspace.journal.add_note(1, "LANES of 16 spill")
    advice = {"diagnosis": "memory bound", "directions": [{"title": "tile"}]}
    workspace.journal.add_intervention(1, "lost", advice, "v0")
    pinned = str(shown(filled(workspace, 40))[1].content)
    for line in ("1. open: swap the loops (fewer misses)", "- LANES of 16 spill", "memory bound", "- tile"):
        assert line in pinned


def test_digests_of_days_stay_short_and_keep_the_first_and_the_latest(workspace: Workspace) -> None:
    opened = JournalContext("worker", workspace, budget=BUDGET)
    for number in range(250):
        calls = [FunctionCall(id=f"c{number}", name="note", arguments=json.dumps({"text": f"lesson {number} " * 5}))]
        asyncio.run(opened.add_message(AssistantMessage(content=calls, source="worker")))
        asyncio.run(opened.add_message(result(f"c{number}", tool="note", text="noted")))
    digest = str(shown(opened)[0].content)
    assert len(digest) < BUDGET / 4 + 500
    assert "lesson 0 " in digest
    assert "lines left out" in digest
    assert digest.count("lines left out") == 1


def test_shortening_halves_what_is_shown_again_and_again_until_nothing_can_go(workspace: Workspace) -> None:
    opened = filled(workspace, 60, budget=400_000)
    sizes = [size(shown(opened))]
    while opened.shorten():
        sizes.append(size(shown(opened)))
        assert not unpaired(shown(opened))
        assert shown(opened)[0] == task()
    assert len(sizes) >= 4
    assert sorted(sizes, reverse=True) == sizes
    assert sizes[-1] < 12_000
    asyncio.run(opened.add_message(call("more")))
    asyncio.run(opened.add_message(result("more", text="x" * 50_000)))
    assert size(shown(opened)) < 16_000


def test_a_journal_of_an_older_avo_is_compacted_at_its_first_start(workspace: Workspace) -> None:
    pairs = [message for number in range(250) for message in (call(f"c{number}"), result(f"c{number}", text="x" * 900))]
    for message in [task(), *pairs]:  # as it was written then: the payload holds the text too
        kind, tool, text = describe(message)
        workspace.journal.add_message(1, "worker", kind, text, message.model_dump_json(), tool)
    opened = JournalContext("worker", workspace, budget=BUDGET)
    messages = shown(opened)
    assert messages[0] == task()
    assert not unpaired(messages)
    assert size(messages) <= BUDGET
    assert shown(JournalContext("worker", workspace, budget=BUDGET)) == messages


def test_a_text_stands_in_the_journal_once(workspace: Workspace) -> None:
    secret = "a line that is nowhere else"
    several = result("c2", "c3", text=secret)
    thinking = call("c2", "c3", thought=secret)
    for number, message in enumerate([task(secret), call("c1"), result("c1", text=secret), thinking, several]):
        context(workspace, message)
        row = workspace.journal.messages("worker", last=1)[0]
        assert (secret in row.payload) == (number == 4)
        assert shown(context(workspace))[-1] == message


@pytest.mark.parametrize("thought", [None, "", "hm", "shell(x)\nshell({})", "\N{SNOWMAN}\n\n"])
@pytest.mark.parametrize(
    "arguments", ["{}", '{"command": "a)\\nshell(b"}', "no JSON (", "\N{GREEK SMALL LETTER MU}\n)"]
)
def test_thought_and_arguments_come_back_as_they_were(
    workspace: Workspace, thought: str | None, arguments: str
) -> None:
    calls = [FunctionCall(id=f"c{n}", name=name, arguments=arguments) for n, name in enumerate(["shell", "lineage"])]
    for some in (calls, calls[:1]):
        message = AssistantMessage(content=some, source="worker", thought=thought)
        context(workspace, message)
        assert shown(context(workspace))[-1] == message
