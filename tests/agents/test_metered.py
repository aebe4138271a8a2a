"""A metered model is asked only while the run allows it, and what it cost is on disk before its answer counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from autogen_core import FunctionCall
from autogen_core.models import AssistantMessage, CreateResult, LLMMessage, RequestUsage, SystemMessage, UserMessage

from avo.agents.context import JournalContext
from avo.agents.metered import Metered, Terms
from avo.agents.models.client import STOPPED, Client, Usage, stopped_answer
from avo.agents.models.prices import Price, prices
from avo.agents.team import Team
from avo.memory.journal.steering import steer, unseen
from avo.tools.workspace import Workspace


def answer(text: str = "an answer") -> CreateResult:
    return CreateResult(finish_reason="stop", content=text, usage=RequestUsage(100, 10), cached=False)


class Inner(Client):
    """Answers always the same; remembers what it was shown."""

    def __init__(self, result: CreateResult | Exception, usage: Usage | None = None) -> None:
        self.result, self.shown = result, list[list[LLMMessage]]()
        self.last_usage = usage or Usage()

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        self.shown.append(list(messages))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def metered(
    inner: Client, workspace: Workspace, terms: Terms | None = None, context: JournalContext | None = None,
    stopped: bool = False,
) -> Metered:  # fmt: skip
    return Metered(inner, workspace, "worker", terms or Terms(), lambda: stopped, context)


def ask(model: Metered) -> CreateResult:
    return asyncio.run(model.create([SystemMessage(content="be quick")]))


def spent(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.journal.rows("SELECT * FROM ledger WHERE kind='model'")


async def never() -> bool:
    return False


def test_a_call_that_is_not_allowed_is_not_made_and_costs_nothing(workspace: Workspace) -> None:
    inner = Inner(answer())
    assert ask(metered(inner, workspace, stopped=True)).content == STOPPED
    assert ask(metered(inner, workspace, Terms(never))).content == STOPPED
    assert inner.shown == []
    assert spent(workspace) == []


def test_the_ledger_has_tokens_usd_and_model_of_a_call(workspace: Workspace) -> None:
    terms = Terms(models={"worker": "openai:big"}, prices={"worker": Price(10, 1, 40)})
    assert ask(metered(Inner(answer(), Usage(1000, 400, 100)), workspace, terms)).content == "an answer"
    (row,) = spent(workspace)
    assert (row["step"], row["agent"], row["model"]) == (1, "worker", "openai:big")
    assert (row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]) == (1000, 400, 100)
    assert row["usd"] == pytest.approx(0.0104)


def test_what_is_written_to_a_providers_cache_is_paid_as_the_list_says(workspace: Workspace) -> None:
    terms = Terms(prices={"worker": prices().of("anthropic:claude-sonnet-4-5")})
    ask(metered(Inner(answer(), Usage(1000, 400, 100, 200)), workspace, terms))
    (row,) = spent(workspace)
    assert row["usd"] == pytest.approx((400 * 3 + 400 * 0.3 + 200 * 3.75 + 100 * 15) / 1e6)


def test_without_a_price_the_tokens_that_autogen_counted_stand_alone(workspace: Workspace) -> None:
    ask(metered(Inner(answer()), workspace))
    (row,) = spent(workspace)
    assert (row["prompt_tokens"], row["completion_tokens"], row["usd"], row["model"]) == (100, 10, None, "")


def test_an_answer_is_not_handed_on_when_the_ledger_cannot_be_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*row: Any, **more: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(workspace.journal, "spend", full)
    with pytest.raises(OSError, match="disk full"):
        ask(metered(Inner(answer()), workspace))


def test_a_call_that_was_stopped_costs_what_was_spent_on_it_before(workspace: Workspace) -> None:
    ask(metered(Inner(stopped_answer()), workspace))
    assert spent(workspace) == []
    ask(metered(Inner(stopped_answer(), Usage(50, 0, 1)), workspace))
    assert [row["prompt_tokens"] for row in spent(workspace)] == [50]


def test_a_call_that_fails_costs_nothing(workspace: Workspace) -> None:
    with pytest.raises(RuntimeError):
        ask(metered(Inner(RuntimeError("gone")), workspace))
    assert spent(workspace) == []


def test_an_answer_and_its_price_are_kept_together_before_the_agent_has_it(workspace: Workspace) -> None:
    call = FunctionCall(id="1", name="note", arguments='{"text": "an idea"}')
    result = CreateResult(finish_reason="function_calls", content=[call], usage=RequestUsage(1, 1), cached=False)
    team, context = Team(workspace, Inner(result), Inner(answer()), lambda: False), JournalContext("worker", workspace)
    ask(team.model("worker", context))  # and here the process is killed
    assert len(spent(workspace)) == 1
    again = JournalContext("worker", workspace)
    asyncio.run(again.repair())
    assert [message.kind for message in workspace.journal.messages("worker")] == ["call", "result"]

    ask(team.model("worker", context))  # here it is not, and the agent adds what it was given
    message = AssistantMessage(content=[call], source="worker")
    asyncio.run(context.add_message(message))
    asyncio.run(context.add_message(message))
    assert [entry.kind for entry in workspace.journal.messages("worker")] == ["call", "result", "call", "call"]


def test_arguments_that_autogen_would_choke_on_are_mended(workspace: Workspace) -> None:
    content = [FunctionCall(id="1", name="note", arguments=""), FunctionCall(id="2", name="note", arguments="[" * 9999)]
    result = CreateResult(finish_reason="function_calls", content=content, usage=RequestUsage(1, 1), cached=False)
    calls = ask(metered(Inner(result), workspace)).content
    assert isinstance(calls, list)
    assert calls[0].arguments == "{}"
    assert calls[1].arguments.startswith("(not readable as JSON")


def test_what_people_said_comes_after_the_rest_and_stays_in_the_conversation(workspace: Workspace) -> None:
    context, inner = JournalContext("worker", workspace), Inner(answer())
    steer(workspace.journal, "try four sums")
    model = metered(inner, workspace, context=context)
    ask(model)
    ask(model)
    first, second = inner.shown
    assert isinstance(first[-1], UserMessage)
    assert (first[-1].content, first[-1].source) == ("A person steers this run: try four sums", "steering")
    assert len(second) == len(first) - 1  # the context shows it from now on
    assert asyncio.run(context.get_messages())[0] == first[-1]
    message = workspace.journal.messages("worker")[0]
    assert (message.kind, message.text) == ("steering", first[-1].content)
    assert unseen(workspace.journal) == []


def test_what_people_said_waits_while_no_call_is_made(workspace: Workspace) -> None:
    steer(workspace.journal, "try four sums")
    context = JournalContext("worker", workspace)
    ask(metered(Inner(answer()), workspace, Terms(never), context))
    assert [entry.text for entry in unseen(workspace.journal)] == ["try four sums"]


def test_answers_of_no_use_are_entered_when_the_call_fails_after_them(workspace: Workspace) -> None:
    with pytest.raises(RuntimeError):
        ask(metered(Inner(RuntimeError("gone"), Usage(50, 0, 2)), workspace))
    (row,) = spent(workspace)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (50, 2)


def test_tokens_that_a_server_does_not_count_are_reckoned(workspace: Workspace) -> None:
    silent = CreateResult(finish_reason="stop", content="x" * 4000, usage=RequestUsage(0, 0), cached=False)
    terms = Terms(prices={"worker": Price(1.0, 1.0, 10.0)})
    ask(metered(Inner(silent), workspace, terms))
    (row,) = spent(workspace)
    assert row["prompt_tokens"] > 0
    assert 1000 <= row["completion_tokens"] < 1100
    assert row["usd"] > 0.01


def test_half_a_character_beside_a_call_does_not_lose_the_answer(workspace: Workspace) -> None:
    odd = CreateResult(
        finish_reason="function_calls", content=[FunctionCall(id="1", name="note", arguments="{}")],
        usage=RequestUsage(100, 10), cached=False, thought="half: \ud83d",
    )  # fmt: skip
    assert ask(metered(Inner(odd), workspace)).thought == "half: ?"
    assert len(spent(workspace)) == 1
