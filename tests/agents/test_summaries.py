"""At the end of a step the model sums up a long conversation; what is too long for a provider is shortened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from autogen_core.models import CreateResult, LLMMessage, SystemMessage, UserMessage

from avo.agents.context import JournalContext
from avo.agents.metered import Metered, Terms
from avo.agents.models.client import STOPPED, Client
from avo.agents.models.errors import ContextTooLong
from avo.agents.summaries import LEFT_OUT, REQUEST, joined
from avo.agents.team import Team, budget_of
from avo.agents.tuner.tuner import Tuner, call, say
from avo.tools.answer import Answer
from avo.tools.workspace import Workspace
from avo.types import AvoError, Outcome

ADVICE = '{"diagnosis": "think less", "directions": [{"title": "act"}]}'
SUMMARY = "Unrolling by 16 gave x1.4 (attempt 2). Next: the reduction."


class Writer(Client):
    """Reads the sources `rounds` times, ends the step, and writes a summary when it is asked for one."""

    context_tokens = 10_000

    def __init__(self, rounds: int, summary: Callable[[], CreateResult], *, longest: int = 10**9) -> None:
        self.rounds, self.summary, self.longest = rounds, summary, longest
        self.shown: list[list[LLMMessage]] = []
        self.asked: list[dict[str, Any]] = []
        self.refused = 0

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        if sum(len(message.model_dump_json()) for message in messages) > self.longest:
            self.refused += 1
            raise ContextTooLong("prompt is too long")
        self.shown.append(list(messages))
        if messages[-1].content == REQUEST:
            self.asked.append(options)
            return self.summary()
        number = len(self.shown) - len(self.asked)
        if number % (self.rounds + 2) == 0:
            return say("bye")
        return call("end_step", reason="enough") if number % (self.rounds + 2) > self.rounds else reading()


def reading() -> CreateResult:
    return call("read_file", path="matvec.cpp")


def fails() -> CreateResult:
    raise RuntimeError("503 from the provider")


def team(workspace: Workspace, worker: Client, stopped: Callable[[], bool] = lambda: False) -> Team:
    class Adviser(Writer):
        async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
            return say(ADVICE)

    return Team(workspace, worker, Adviser(0, fails), stopped, idle_seconds=0)


def vary(opened: Team, brief: str = "# Step 1") -> Outcome:
    return asyncio.run(asyncio.wait_for(opened.vary(Answer(brief)), 60))


def test_a_long_step_is_summed_up_by_the_model_in_one_call_and_the_next_step_is_shown_that(
    workspace: Workspace,
) -> None:
    worker = Writer(14, lambda: say(SUMMARY))
    opened = team(workspace, worker)
    assert vary(opened).kind == "gave_up"
    assert len(worker.asked) == 1
    assert worker.asked[0]["tool_choice"] == "none"
    before, request = worker.shown[-2:]
    assert request[: len(before)] == before  # the provider's cache serves it
    summary = workspace.journal.summary("worker")
    assert summary is not None
    assert (summary.writer, summary.text, summary.upto) == ("model", SUMMARY, workspace.journal.count("messages"))
    vary(opened, "# Step 2")
    system, earlier, task = worker.shown[17][:3]
    assert isinstance(system, SystemMessage)
    assert "you summed them up" in str(earlier.content)
    assert SUMMARY in str(earlier.content)
    assert task == UserMessage(content="# Step 2", source="user")


def test_a_short_step_is_not_summed_up(workspace: Workspace) -> None:
    worker = Writer(2, lambda: say(SUMMARY))
    vary(team(workspace, worker))
    assert worker.asked == []
    assert workspace.journal.summary("worker") is None


@pytest.mark.parametrize("summary", [fails, reading, lambda: say("  "), lambda: say(STOPPED)])
def test_what_is_no_summary_is_left_alone_and_a_digest_stands_in_when_it_has_to(
    workspace: Workspace, summary: Callable[[], CreateResult]
) -> None:
    worker = Writer(14, summary)
    opened = team(workspace, worker)
    assert vary(opened).kind == "gave_up"
    assert len(worker.asked) == 1
    assert workspace.journal.summary("worker") is None
    assert vary(opened, "# Step 2").kind == "gave_up"
    found = workspace.journal.summary("worker")
    assert found is not None
    assert found.writer == "digest"
    assert "other calls: read_file" in found.text


def test_a_step_that_was_stopped_is_not_summed_up(workspace: Workspace) -> None:
    worker = Writer(40, lambda: say(SUMMARY))
    assert vary(team(workspace, worker, lambda: len(worker.shown) >= 14)).kind == "interrupted"
    assert worker.asked == []


class Watched(Tuner):
    """A tuner with a short memory."""

    context_tokens = 1_000
    asked = 0

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        Watched.asked += messages[-1].content == REQUEST
        return await super().create(messages, **options)


def test_a_tuner_is_never_asked_for_a_summary(workspace: Workspace) -> None:
    opened = JournalContext("worker", workspace)
    asyncio.run(opened.add_message(UserMessage(content="x" * 300_000, source="steering")))
    assert vary(Team(workspace, Watched(), Tuner(), lambda: False), "# Step 1\nv0 1.00 GFLOP/s").kind == "committed"
    assert Watched.asked == 0


def test_what_is_too_long_for_the_provider_is_shortened_and_the_step_goes_on(workspace: Workspace) -> None:
    worker = Writer(30, lambda: say(SUMMARY), longest=26_000)
    worker.context_tokens = 100_000
    opened = team(workspace, worker)
    assert vary(opened).kind == "gave_up"
    assert 1 <= worker.refused <= 6
    refused = worker.refused
    assert vary(opened, "# Step 2").kind == "gave_up"
    assert worker.refused == refused
    assert workspace.journal.summary("worker") is not None


def test_a_context_too_short_for_anything_ends_the_run_in_one_line(workspace: Workspace) -> None:
    worker = Writer(3, fails, longest=10)
    opened = JournalContext("worker", workspace)
    asyncio.run(opened.add_message(UserMessage(content="# Step 1", source="user")))
    model = Metered(worker, workspace, "worker", Terms(), lambda: False, opened)
    with pytest.raises(AvoError, match="too short even for the latest messages"):
        asyncio.run(model.create([UserMessage(content="# Step 1", source="user")]))
    assert worker.refused < 8


def test_the_budget_follows_the_length_of_the_models_context() -> None:
    worker = Writer(1, fails)
    assert budget_of(worker) == 24_000
    assert budget_of(Client()) == 400_000
    worker.context_tokens = 1_000_000
    assert budget_of(worker) == 480_000
    assert budget_of(Tuner()) > 2_000_000


def test_lines_that_were_left_out_once_stay_marked_as_such() -> None:
    cut = joined("", [f"line {number}" for number in range(100)], 300)
    assert cut.splitlines()[0] == "line 0"
    assert cut.splitlines()[-1] == "line 99"
    assert cut.count(LEFT_OUT) == 1
    assert joined(cut, ["line 100"], 3_000).count(LEFT_OUT) == 1
    assert joined("one", ["two"], 300) == "one\ntwo"
    assert len(joined("x" * 5_000, ["y" * 5_000], 300)) < 400
