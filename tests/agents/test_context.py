"""A conversation is in the journal before it goes on, whole after a restart, and bounded in what a model sees."""

from __future__ import annotations

import asyncio
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

from avo.agents.context import CHARACTERS, INTERRUPTED, JournalContext
from avo.tools.bench import Bench

LONG = 30_000


def task(text: str = "# Step 1") -> UserMessage:
    return UserMessage(content=text, source="user")


def call(*ids: str, tool: str = "read_file", thought: str | None = None) -> AssistantMessage:
    calls = [FunctionCall(id=i, name=tool, arguments='{"path": "matvec.cpp"}') for i in ids]
    return AssistantMessage(content=calls, source="worker", thought=thought)


def result(*ids: str, text: str = "text", tool: str = "read_file") -> FunctionExecutionResultMessage:
    results = [FunctionExecutionResult(content=text, name=tool, call_id=i, is_error=False) for i in ids]
    return FunctionExecutionResultMessage(content=results)


def context(bench: Bench, *messages: LLMMessage, agent: str = "worker") -> JournalContext:
    opened = JournalContext(agent, bench)

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


def test_a_message_that_the_journal_did_not_take_is_not_shown(bench: Bench) -> None:
    opened = context(bench, task())
    bench.journal.close()
    with pytest.raises(sqlite3.ProgrammingError):
        asyncio.run(opened.add_message(call("c1")))
    assert shown(opened) == [task()]


def test_every_message_is_in_the_journal_with_kind_tool_and_text(bench: Bench) -> None:
    advice = UserMessage(content="try tiles", source="supervisor")
    said = AssistantMessage(content="done", source="worker")
    context(bench, task(), advice, call("c1", thought="look first"), result("c1", text="int x;"), said)
    assert [(entry.kind, entry.tool, entry.text) for entry in bench.journal.messages("worker")] == [
        ("task", None, "# Step 1"),
        ("advice", None, "try tiles"),
        ("call", "read_file", 'look first\nread_file({"path": "matvec.cpp"})'),
        ("result", "read_file", "int x;"),
        ("text", None, "done"),
    ]
    assert {entry.step for entry in bench.journal.messages()} == {bench.step}


def test_a_restart_shows_the_same_messages_and_writes_none(bench: Bench) -> None:
    before = shown(context(bench, task(), call("c1"), result("c1")))
    count = bench.journal.count("messages")
    assert shown(context(bench)) == before
    assert bench.journal.count("messages") == count


def test_worker_and_supervisor_have_conversations_of_their_own(bench: Bench) -> None:
    context(bench, task("for the worker"))
    assert shown(context(bench, agent="supervisor")) == []


def test_a_call_that_a_killed_process_left_open_is_answered_in_journal_and_context(bench: Bench) -> None:
    context(bench, task(), call("c1", "c2"))
    opened = context(bench)
    asyncio.run(opened.repair())
    last = shown(opened)[-1]
    assert isinstance(last, FunctionExecutionResultMessage)
    assert [(entry.call_id, entry.content, entry.is_error) for entry in last.content] == [
        ("c1", INTERRUPTED, True),
        ("c2", INTERRUPTED, True),
    ]
    assert shown(context(bench)) == shown(opened)


@pytest.mark.parametrize("last", [(), (call("c1"), result("c1")), (AssistantMessage(content="x", source="worker"),)])
def test_a_conversation_without_an_open_call_needs_no_repair(bench: Bench, last: tuple[LLMMessage, ...]) -> None:
    opened = context(bench, task(), *last)
    asyncio.run(opened.repair())
    assert len(shown(opened)) == 1 + len(last)


def test_a_long_conversation_is_bounded_and_never_splits_a_call_from_its_result(bench: Bench) -> None:
    opened = context(bench, task())
    for number in range(40):
        thought, text = ("y" * LONG, "x") if number % 3 else ("y", "x" * LONG)
        for message in (call(f"c{number}", thought=thought), result(f"c{number}", text=text)):
            asyncio.run(opened.add_message(message))
            messages = shown(opened)
            assert sum(len(entry.model_dump_json()) for entry in messages) <= CHARACTERS + LONG
            assert unpaired(messages) <= ({f"c{number}"} if message.type == "AssistantMessage" else set())
    assert len(shown(opened)) < 40
    assert bench.journal.count("messages") == 81


def test_the_task_of_the_step_stays_first_when_the_oldest_go(bench: Bench) -> None:
    opened = context(bench, task("# Step 1"), task("# Step 2"))
    for number in range(20):
        asyncio.run(opened.add_message(call(f"c{number}")))
        asyncio.run(opened.add_message(result(f"c{number}", text="x" * LONG)))
    messages = shown(opened)
    assert messages[0] == task("# Step 2")
    assert messages.count(task("# Step 2")) == 1
    assert task("# Step 1") not in messages


def test_one_answer_longer_than_all_is_kept_with_its_call(bench: Bench) -> None:
    opened = context(bench, task(), call("c0"), result("c0"), call("c1"), result("c1", text="x" * (CHARACTERS + 1)))
    messages = shown(opened)
    assert messages[0] == task()
    assert not unpaired(messages)
    assert [entry.type for entry in messages[1:]] == ["AssistantMessage", "FunctionExecutionResultMessage"]


def test_a_restart_in_the_middle_of_a_pair_does_not_begin_with_a_result(bench: Bench) -> None:
    pairs = [message for number in range(250) for message in (call(f"c{number}"), result(f"c{number}"))]
    context(bench, *pairs, task("last"))
    messages = shown(context(bench))
    assert 300 < len(messages) <= 401
    assert not unpaired(messages)
