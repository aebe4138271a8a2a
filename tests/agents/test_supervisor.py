"""The supervisor's answer becomes stored advice, whatever it looks like, and its effect is recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from autogen_core.models import CreateResult, LLMMessage

from avo.agents.models.advice import Advice, Direction
from avo.agents.models.client import Client
from avo.agents.supervisor import advice_text, read_advice, review
from avo.agents.team import SUPERVISOR_ROUNDS, Team
from avo.agents.tuner.tuner import call, say
from avo.evolve import brief
from avo.tools.answer import Answer
from avo.tools.workspace import Workspace
from avo.types import Outcome, Status, Verdict

ANSWER = {
    "diagnosis": "one sum depends on the last",
    "directions": [{"title": "more sums", "why": "they are independent", "measure_first": "SUMS=4"}],
}
EDIT = {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 16;"}


class Script(Client):
    """Plays its results in order, the last one for ever; remembers what it was shown."""

    def __init__(self, *results: CreateResult) -> None:
        self.results, self.shown = list(results), list[Sequence[LLMMessage]]()

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        self.shown.append(list(messages))
        return self.results[min(len(self.shown), len(self.results)) - 1]


def vary(workspace: Workspace, worker: Script, supervisor: Script) -> Outcome:
    team = Team(workspace, worker, supervisor, lambda: False, idle_seconds=0)
    return asyncio.run(team.vary(Answer("# Step 1")))


@pytest.mark.parametrize("around", ["{}", "Here is my advice:\n```json\n{}\n```\nGood luck.", "  {}"])
def test_json_within_prose_is_read(around: str) -> None:
    advice = read_advice(around.replace("{}", json.dumps(ANSWER)))
    assert advice.diagnosis == "one sum depends on the last"
    assert advice.directions == (
        Direction(title="more sums", why="they are independent", start_from="best", measure_first="SUMS=4"),
    )


@pytest.mark.parametrize(
    "text",
    ["Unroll the loop.", '{"diagnosis": "cut', '{"directions": []}', "} {", "[]", '{"diagnosis": 3}', ""],
)
def test_anything_else_becomes_a_direction_as_it_stands(text: str) -> None:
    advice = read_advice(text)
    assert [direction.title for direction in advice.directions] == [text]
    assert "not the JSON" in advice.diagnosis


def test_an_answer_without_directions_means_that_nothing_is_left() -> None:
    assert read_advice('{"diagnosis": "done", "directions": []}') == Advice(diagnosis="done")


def test_advice_reads_as_numbered_directions() -> None:
    assert advice_text(Advice.model_validate(ANSWER)) == (
        "Advice: one sum depends on the last\n1. more sums\n   why: they are independent\n"
        "   start from: best\n   measure first: SUMS=4"
    )


def test_the_review_counts_advice_that_led_to_nothing_since_the_last_version(workspace: Workspace) -> None:
    assert "led to nothing: 0\n" in asyncio.run(review(workspace, "lost")).text
    workspace.journal.add_intervention(1, "lost", ANSWER, "v0")
    workspace.journal.add_intervention(1, "lost", ANSWER, "an older version")
    text = asyncio.run(review(workspace, "lost")).text
    assert text.startswith("The worker is stuck: lost.\n")
    assert "led to nothing: 1\n" in text
    assert "a1 PASSED" in text


def test_advice_is_stored_with_its_trigger_and_shown_to_the_worker(workspace: Workspace) -> None:
    worker = Script(say("I wonder."), say("I do."), call("end_step", reason="enough"), say("bye"))
    assert vary(workspace, worker, Script(say(f"I think: {json.dumps(ANSWER)}"))).kind == "gave_up"
    (stored,) = workspace.journal.interventions()
    assert stored.trigger == "it ended 2 turns without calling a tool"
    assert stored.advice["directions"][0]["title"] == "more sums"
    assert (stored.step, stored.version_before, stored.attempts_before, stored.effect) == (1, "v0", 1, None)
    heard = [message.content for message in worker.shown[2] if getattr(message, "source", "") == "supervisor"]
    assert heard == [advice_text(Advice.model_validate(ANSWER))]
    assert [entry.kind for entry in workspace.journal.messages("worker")][:5] == [
        "task", "text", "nudge", "text", "advice",
    ]  # fmt: skip


def test_the_supervisor_is_shown_the_trajectory_and_why_it_has_the_floor(workspace: Workspace) -> None:
    supervisor = Script(say('{"diagnosis": "the end", "directions": []}'))
    worker = Script(call("end_step", reason="all tried", exhausted=True), say("that was all"))
    assert vary(workspace, worker, supervisor) == Outcome("exhausted", "the end")
    shown = str(supervisor.shown[0][-1].content)
    assert "The worker is stuck: it says that it has no direction left (all tried)" in shown
    assert "# Versions\nv0 " in shown
    assert workspace.journal.messages("supervisor")[-2].kind == "review"


def test_a_version_that_follows_is_the_effect_of_the_advice(workspace: Workspace) -> None:
    worker = Script(
        say("I wonder."), say("I do."), call("edit_file", **EDIT), call("commit", message="more sums"), say("kept")
    )
    outcome = vary(workspace, worker, Script(say(json.dumps(ANSWER))))
    assert outcome == Outcome("committed", "v1: more sums")
    assert [entry.effect for entry in workspace.journal.interventions()] == ["v1"]
    assert "led to nothing: 0\n" in asyncio.run(review(workspace, "")).text


def test_an_effect_belongs_to_the_latest_advice_and_to_the_first_version(workspace: Workspace) -> None:
    for _ in range(2):
        workspace.journal.add_intervention(1, "lost", ANSWER, "v0")
    workspace.journal.record_effect("v1")
    workspace.journal.record_effect("v2")
    assert [entry.effect for entry in workspace.journal.interventions()] == [None, "v1"]


def test_a_stagnating_search_gives_the_supervisor_the_floor_though_the_worker_is_busy(workspace: Workspace) -> None:
    busy = [call("edit_file", **EDIT), *(call("evaluate", direction="again") for _ in range(24))]
    worker = Script(*busy, call("end_step", reason="enough"), say("bye"))
    vary(workspace, worker, Script(say(json.dumps(ANSWER))))
    triggers = [entry.trigger for entry in workspace.journal.interventions()]
    assert triggers == ["came back 23 times to sources that were scored before"]


def test_a_stop_during_the_supervisors_turn_is_no_advice(workspace: Workspace) -> None:
    supervisor = Script(call("lineage"), say(json.dumps(ANSWER)))
    team = Team(workspace, Script(say("I wonder.")), supervisor, lambda: bool(supervisor.shown), idle_seconds=0)
    assert asyncio.run(team.vary(Answer("# Step 1"))).kind == "interrupted"
    assert len(supervisor.shown) == 1
    assert [entry.advice for entry in workspace.journal.interventions()] == []


def test_what_came_of_advice_is_shown_at_the_next_review_and_in_the_brief(workspace: Workspace) -> None:
    workspace.journal.add_intervention(1, "lost", ANSWER, "v0")
    workspace.journal.add_intervention(1, "lost again", ANSWER, "v0")
    verdict = Verdict(Status.COMPILE_ERROR, "x", "GFLOP/s")
    for name in ("a", "b"):
        workspace.journal.add_attempt(1, name, "v0", name, {}, verdict, "", 0.1)
    workspace.journal.add_intervention(1, "and again", ANSWER, "v0")
    workspace.journal.record_effect("v1")
    text = asyncio.run(review(workspace, "lost")).text
    assert "advice 1, lost: more sums -> 0 evaluations, no version" in text
    assert "advice 2, lost again: more sums -> 2 evaluations, no version" in text
    assert "advice 3, and again: more sums -> v1 followed" in text
    shown = asyncio.run(brief(workspace, resumed=False)).text
    assert "# Latest advice of the supervisor\none sum depends on the last [v1 followed]\n- more sums" in shown


def test_the_review_shows_plan_and_notes(workspace: Workspace) -> None:
    workspace.journal.add_direction(1, "swap the loops", "abandoned", "twice as slow")
    workspace.journal.add_note(1, "LANES of 16 spill")
    text = asyncio.run(review(workspace, "lost")).text
    assert "# The worker's plan\n1. abandoned: swap the loops (twice as slow)" in text
    assert "# Notes\n- LANES of 16 spill" in text


def test_a_search_that_is_stuck_from_step_to_step_gets_advice_before_the_worker_begins(workspace: Workspace) -> None:
    for number in range(9):
        verdict = Verdict(Status.RUNTIME_ERROR, f"reason {number}", "GFLOP/s")
        workspace.journal.add_attempt(1, f"t{number}", "v0", "x", {}, verdict, "", 0.1)
    worker = Script(call("end_step", reason="enough"), say("bye"))
    supervisor = Script(say(json.dumps(ANSWER)))
    assert vary(workspace, worker, supervisor).kind == "gave_up"
    assert [entry.trigger for entry in workspace.journal.interventions()] == ["no improvement in 9 evaluations"]
    assert [message.source for message in worker.shown[0][1:]] == ["user", "supervisor"]


def test_a_supervisor_that_only_reads_is_asked_for_its_advice(workspace: Workspace) -> None:
    worker = Script(say("I wonder."), say("I do."), call("end_step", reason="enough"), say("bye"))
    supervisor = Script(*[call("lineage")] * SUPERVISOR_ROUNDS, say(json.dumps(ANSWER)))
    vary(workspace, worker, supervisor)
    (stored,) = workspace.journal.interventions()
    assert stored.advice["diagnosis"] == ANSWER["diagnosis"]
    assert len(supervisor.shown) == SUPERVISOR_ROUNDS + 1
    assert [entry.kind for entry in workspace.journal.messages("supervisor")][-2:] == ["nudge", "text"]
