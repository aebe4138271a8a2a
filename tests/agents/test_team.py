"""A step of worker and supervisor ends as it should, whatever a model says; the models are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from threading import Event, Timer
from typing import Any

import pytest
from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    CreateResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    RequestUsage,
    UserMessage,
)

from avo.agents.context import CUT, JournalContext
from avo.agents.models.client import STOPPED, Client
from avo.agents.models.messages import INTERRUPTED
from avo.agents.step import GO_ON, MOST_IDLE_TURNS, NUDGE
from avo.agents.team import Team
from avo.agents.tuner.tuner import call, say
from avo.tools.all_tools import READING
from avo.tools.answer import Answer
from avo.tools.build.sources import Sources
from avo.tools.score.executor import LocalExecutor
from avo.tools.workspace import Workspace
from avo.types import AvoError, Missing, Outcome, ScenarioError, Verdict

ADVICE = '{"diagnosis": "think less", "directions": [{"title": "act"}]}'
EDIT = {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 16;"}


class Script(Client):
    """Plays its results in order, the last one for ever; remembers messages and tools of every call."""

    def __init__(self, *results: CreateResult | Exception) -> None:
        self.results = list(results)
        self.shown: list[list[LLMMessage]] = []
        self.tools: list[str] = []

    async def create(self, messages: Sequence[LLMMessage], *, tools: Any = (), **options: Any) -> CreateResult:
        self.shown.append(list(messages))
        self.tools = [tool["name"] for tool in tools]
        result = self.results[min(len(self.shown), len(self.results)) - 1]
        if isinstance(result, Exception):
            raise result
        return result


def raw(*calls: tuple[str, str]) -> CreateResult:
    """Tool calls as (name, arguments), the arguments as a model wrote them."""
    content = [FunctionCall(id=f"c{number}", name=name, arguments=text) for number, (name, text) in enumerate(calls)]
    return CreateResult(finish_reason="function_calls", content=content, usage=RequestUsage(7, 3), cached=False)


def vary(
    workspace: Workspace, worker: Script, supervisor: Script | None = None, stopped: Callable[[], bool] = lambda: False
) -> Outcome:
    team = Team(workspace, worker, supervisor or Script(say(ADVICE)), stopped, idle_seconds=0)
    return asyncio.run(asyncio.wait_for(team.vary(Answer("# Step 1")), 60))


def answers(worker: Script) -> list[tuple[str, bool]]:
    """Text of every tool result that the worker was shown last, and whether it is an error."""
    found = [message for message in worker.shown[-1] if isinstance(message, FunctionExecutionResultMessage)]
    return [(result.content, bool(result.is_error)) for message in found for result in message.content]


class Faulty(LocalExecutor):
    """Measures nothing."""

    fault: Exception = Missing("GPU 0 has not answered for 20 s: see nvidia-smi")

    def evaluate(self, files: Sources) -> Verdict:
        raise self.fault


@pytest.mark.parametrize("fault", [Missing("the compiler is gone"), ScenarioError("reference.py:3: no output")])
def test_a_fault_that_is_not_the_agents_ends_the_step_open_with_no_further_call(
    workspace: Workspace, fault: AvoError
) -> None:
    workspace.executor = Faulty(workspace.scenario, "cpu")
    workspace.executor.fault = fault
    worker = Script(call("edit_file", **EDIT), call("evaluate", direction="more sums"), say("never asked"))
    with pytest.raises(type(fault), match=str(fault)):
        vary(workspace, worker)
    assert len(worker.shown) == 2
    assert workspace.journal.count("attempts") == 1
    assert workspace.journal.open_step("v0") == (1, True)
    assert str(fault) not in "".join(message.text for message in workspace.journal.messages())


def test_a_journal_on_a_full_disk_ends_the_step_as_the_machines_fault(workspace: Workspace) -> None:
    workspace.journal.write("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = workspace.journal.value("PRAGMA page_count")
    workspace.journal.write(f"PRAGMA max_page_count={pages + 4}")
    worker = Script(call("read_file"), call("note", text="x" * 100_000), say("never asked"))
    with pytest.raises(Missing, match="full"):
        vary(workspace, worker)
    assert workspace.journal.open_step("v0") == (1, True)


def test_what_a_models_client_cannot_go_on_with_keeps_its_type(workspace: Workspace) -> None:
    with pytest.raises(Missing, match=r"^no key: set A_KEY, or B: Error: C$"):
        vary(workspace, Script(Missing("no key: set A_KEY, or B: Error: C")))


def test_edit_evaluate_commit_ends_the_step_with_a_version(workspace: Workspace) -> None:
    worker = Script(
        call("edit_file", **EDIT), call("evaluate", direction="independent sums"),
        call("commit", message="sixteen sums\n\nThey are independent."), say("done"), say("never asked"),
    )  # fmt: skip
    assert vary(workspace, worker) == Outcome("committed", "v1: sixteen sums")
    assert len(worker.shown) == 4
    assert [failed for _, failed in answers(worker)] == [False, False, False]
    best = workspace.lineage.best()
    assert b"SUMS = 16;" in workspace.lineage.files(best)["matvec.cpp"]
    assert (best.gain > 1.2, best.improved) == (True, True)
    assert [entry["incumbent"] for entry in workspace.journal.comparisons() if entry["accepted"]] == ["v0"]
    assert workspace.journal.count("attempts") == 2  # the seed, and one evaluation for both evaluate and commit


def test_a_commit_of_something_wrong_is_refused_and_the_worker_goes_on(workspace: Workspace) -> None:
    wrong = {"path": "matvec.cpp", "old": "a->y[i] = y;", "new": "a->y[i] = 0;"}
    worker = Script(
        call("edit_file", **wrong), call("commit", message="very fast"), call("end_step", reason="it is wrong"),
        say("sorry"),
    )  # fmt: skip
    assert vary(workspace, worker) == Outcome("gave_up", "it is wrong")
    assert answers(worker)[1][1]
    assert "INCORRECT_NUMERICAL" in answers(worker)[1][0]
    assert len(workspace.lineage.versions()) == 1


def test_the_worker_has_every_tool_and_the_supervisor_those_that_read(workspace: Workspace) -> None:
    worker = Script(say("hm"), say("hm"), call("end_step", reason="enough"), say("bye"))
    forbidden = {"path": "matvec.cpp", "content": "int x;"}
    supervisor = Script(call("write_file", **forbidden), call("read_file", path="matvec.cpp"), say(ADVICE))
    before = workspace.sources()
    vary(workspace, worker, supervisor)
    assert supervisor.tools == [function.__name__ for function in READING]
    assert {"edit_file", "commit", "shell", "end_step"} <= set(worker.tools)
    (refused, was_refused), (text, failed) = answers(supervisor)
    assert was_refused
    assert "write_file" in refused
    assert (failed, "avo_launch" in text) == (False, True)
    assert workspace.sources() == before


def test_turns_of_text_alone_are_nudged_then_the_supervisor_speaks_and_then_the_step_is_stalled(
    workspace: Workspace,
) -> None:
    worker, supervisor = Script(say("I would unroll the loop.")), Script(say(ADVICE))
    assert vary(workspace, worker, supervisor) == Outcome("stalled", "4 turns without a tool call")
    assert len(worker.shown) == MOST_IDLE_TURNS
    assert len(supervisor.shown) == 1
    kinds = [entry.kind for entry in workspace.journal.messages("worker")]
    assert kinds == ["task", "text", "nudge", "text", "advice", "text", "nudge", "text"]
    assert [shown[-1].content for shown in worker.shown[1::2]] == [NUDGE, NUDGE]


def test_a_model_is_never_asked_after_its_own_last_word(workspace: Workspace) -> None:
    worker = Script(call("lineage"), say("and now?"), call("end_step", reason="x"), say("bye"))
    assert vary(workspace, worker).kind == "gave_up"
    assert [entry.text for entry in workspace.journal.messages("worker") if entry.kind == "nudge"] == [GO_ON]
    assert all(shown[-1].type != "AssistantMessage" for shown in worker.shown)


def test_the_wait_after_a_turn_of_text_ends_when_the_run_is_stopped(workspace: Workspace) -> None:
    stopped = Event()

    class Slow(Script):
        async def create(self, *given: Any, **options: Any) -> CreateResult:
            Timer(0.5, stopped.set).start()  # and by then it waits
            return await super().create(*given, **options)

    worker = Slow(say("hm"))
    team = Team(workspace, worker, Script(say(ADVICE)), stopped.is_set, idle_seconds=3600)
    assert asyncio.run(asyncio.wait_for(team.vary(Answer("# Step 1")), 30)).kind == "interrupted"
    assert len(worker.shown) == 1


def test_a_call_that_was_cut_at_the_models_limit_is_told_so(workspace: Workspace) -> None:
    cut = raw(("write_file", '{"path": "matvec.cpp", "content": "int x'))
    cut.finish_reason = "length"
    worker = Script(cut, call("end_step", reason="enough"), say("bye"))
    assert vary(workspace, worker).kind == "gave_up"
    text, failed = answers(worker)[0]
    assert failed
    assert text.endswith(CUT)


def test_one_tool_call_is_enough_not_to_be_stalled(workspace: Workspace) -> None:
    worker = Script(
        *map(say, "abc"), call("lineage"), *map(say, "def"), call("end_step", reason="x"), say("g")
    )  # fmt: skip
    assert vary(workspace, worker).kind == "gave_up"


def test_a_stop_makes_no_further_model_call(workspace: Workspace) -> None:
    worker = Script(call("lineage"))
    assert vary(workspace, worker, stopped=lambda: len(worker.shown) >= 2).kind == "interrupted"
    assert len(worker.shown) == 2
    messages = workspace.journal.messages("worker")
    assert [entry.kind for entry in messages] == ["task", "call", "result", "call", "result", "text"]
    assert messages[-1].text == STOPPED


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("read_file", '{"path": "matvec', "Unterminated string"),
        ("write_file", "{}", "Field required"),
        ("read_file", '{"path": "matvec.cpp", "lines": 3}', "its arguments are: path, first_line, last_line"),
        ("read_file", '{"path": ["matvec.cpp"]}', "valid string"),
        ("read_file", '{"path": "../../../etc/passwd"}', "not in the work tree"),
        ("compile_and_run", "{}", "tool 'compile_and_run'"),
    ],
)
def test_what_a_model_gets_wrong_is_an_error_that_it_can_mend(
    workspace: Workspace, name: str, arguments: str, answer: str
) -> None:
    worker = Script(raw((name, arguments)), call("end_step", reason="enough"), say("bye"))
    assert vary(workspace, worker).kind == "gave_up"
    text, failed = answers(worker)[0]
    assert failed
    assert answer in text


def test_an_unknown_tool_is_answered_with_the_names_that_there_are(workspace: Workspace) -> None:
    worker = Script(raw(("compile_and_run", "{}")), call("end_step", reason="enough"), say("bye"))
    vary(workspace, worker)
    assert "read_file, lineage" in answers(worker)[0][0]


def test_an_empty_argument_string_is_an_empty_object(workspace: Workspace) -> None:
    worker = Script(raw(("lineage", "")), call("end_step", reason="enough"), say("bye"))
    vary(workspace, worker)
    text, failed = answers(worker)[0]
    assert not failed, text


def test_several_calls_at_once_are_all_answered_and_each_is_measured_alone(workspace: Workspace) -> None:
    twice = raw(("evaluate", '{"direction": "one"}'), ("lineage", "{}"), ("evaluate", '{"direction": "two"}'))
    worker = Script(twice, call("end_step", reason="enough"), say("bye"))
    vary(workspace, worker)
    assert [failed for _, failed in answers(worker)] == [False, False, False, False]
    assert workspace.journal.count("attempts") == 1


def test_a_provider_that_fails_raises_and_the_next_step_goes_on(workspace: Workspace) -> None:
    with pytest.raises(Exception, match="502 from the provider"):
        vary(workspace, Script(call("lineage"), RuntimeError("502 from the provider")))
    worker = Script(call("end_step", reason="enough"), say("bye"))
    assert vary(workspace, worker).kind == "gave_up"


def test_a_call_that_was_left_open_is_answered_before_the_model_is_asked(workspace: Workspace) -> None:
    context = JournalContext("worker", workspace)
    opened = [FunctionCall(id="c1", name="evaluate", arguments="{}")]
    asyncio.run(context.add_message(UserMessage(content="# Step 1", source="user")))
    asyncio.run(context.add_message(AssistantMessage(content=opened, source="worker")))
    worker = Script(call("end_step", reason="enough"), say("bye"))
    vary(workspace, worker)
    assert (INTERRUPTED, True) in answers(worker)


def test_tokens_are_counted_per_agent(workspace: Workspace) -> None:
    last = say("bye")
    last.usage = RequestUsage(1, 1)
    vary(workspace, Script(raw(("lineage", "{}")), raw(("end_step", '{"reason": "x"}')), last))
    (spent,) = [entry for entry in workspace.journal.spent() if entry["kind"] == "model"]
    assert (spent["agent"], spent["prompt_tokens"], spent["completion_tokens"]) == ("worker", 15, 7)
