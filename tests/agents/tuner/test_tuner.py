"""The tuner finds what knobs can give, says so when that is all, and knows only what the conversation shows it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    UserMessage,
)

from avo.agents.supervisor import read_advice
from avo.agents.team import Team
from avo.agents.tuner.transcript import Call, Conversation
from avo.agents.tuner.tuner import Reader, Tuner, TunerSupervisor, lost
from avo.evolve import Limits, evolve
from avo.run import open_run, plant_seed
from avo.scenarios.loader import load
from avo.tools.build.knobs import knobs_of
from avo.tools.payloads import (
    ADVICE,
    REVIEW,
    TASK,
    Advised,
    Begun,
    Committed,
    Evaluations,
    Payload,
    Refusal,
    Review,
    Scored,
    Tree,
)
from avo.tools.workspace import Workspace

VALUES = {"A": ("1", "2", "4"), "B": ("0", "1"), "C": ("8", "16"), "D": ("x", "y")}
SOURCE = "\n".join(f"// avo:knob {n} {{{', '.join(v)}}}\nconstexpr auto {n} = {v[0]};" for n, v in VALUES.items())
Knobs = dict[str, str]
BASE: Knobs = {name: values[0] for name, values in VALUES.items()}


class World:
    """Answers a tuner's calls as the tools would tell a program, in no words, with scores that a test chooses."""

    def __init__(self, score: Callable[[Knobs], float], *, commits: bool = True) -> None:
        self.score, self.commits = score, commits
        self.attempts: list[Knobs] = [BASE]
        self.source = SOURCE
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def told(self, trees: list[Knobs]) -> Evaluations:
        return Evaluations(tuple(Scored(self.attempts.index(k) + 1, self.score(k), k, True) for k in trees))

    def tree(self) -> Tree:
        return Tree(("k.cpp",), tuple(knobs_of({"k.cpp": self.source.encode()}).values()))

    def answer(self, tool: str, arguments: dict[str, Any]) -> Payload | None:
        match tool:
            case "sweep":
                names, values = list(arguments["knobs"]), itertools.product(*arguments["knobs"].values())
                trees = [BASE | dict(zip(names, chosen, strict=True)) for chosen in values]
                self.attempts += [tree for tree in trees if tree not in self.attempts]
                return self.told(trees)
            case "attempts":
                return self.told(self.attempts)
            case "commit":
                knobs = {name: knob.value for name, knob in knobs_of({"k.cpp": self.source.encode()}).items()}
                return Committed("v1", True) if self.commits else Refusal(knobs)
            case "edit_file":
                self.source = self.source.replace(arguments["old"], arguments["new"])
            case "checkout":
                self.source = SOURCE
        return self.tree() if tool in ("read_file", "edit_file", "checkout") else None

    def converse(self, model: Reader, *said: tuple[str, str, Payload], most: int = 60) -> str:
        """Let the model call tools until it says something; `said`: source, key and payload of what others said."""
        messages: list[LLMMessage] = [UserMessage(content="said", source=source) for source, _, _ in said]
        heard: dict[str, Payload] = {key: data for _, key, data in said}
        model.heard = heard
        for _ in range(most):
            result = asyncio.run(model.create(messages))
            if isinstance(result.content, str):
                return result.content
            (call,) = result.content
            self.calls.append((call.name, json.loads(call.arguments)))
            if data := self.answer(*self.calls[-1]):
                heard[call.id] = data
            failed = isinstance(data, Refusal)
            answer = FunctionExecutionResult(content="said", name=call.name, call_id=call.id, is_error=failed)
            messages.append(AssistantMessage(content=result.content, source="worker"))
            messages.append(FunctionExecutionResultMessage(content=[answer]))
        raise AssertionError(f"no end: {self.calls[-3:]}")

    def called(self, tool: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == tool]


BEGUN = Begun(1, False, 1, "make it fast")
BRIEF = ("user", TASK, BEGUN)


def sweeps(seed: int) -> list[dict[str, list[str]]]:
    world = World(lambda knobs: 1.0)
    world.converse(Tuner(seed), BRIEF)
    return [arguments["knobs"] for arguments in world.called("sweep")]


def run(workspace: Workspace) -> str:
    team = Team(workspace, Tuner(), TunerSupervisor(), lambda: False)
    return asyncio.run(evolve(workspace, team.vary, Limits(steps=9).reached, repr))


@pytest.mark.slow
def test_it_improves_a_real_scenario_and_ends_exhausted(workspace: Workspace) -> None:
    assert run(workspace) == "exhausted"
    versions = workspace.lineage.versions()
    assert len(versions) >= 2
    assert workspace.lineage.champion().score > 1.5 * versions[0].score
    attempts = workspace.journal.attempts()
    assert len({attempt.tree for attempt in attempts}) == len(attempts) <= 6
    assert workspace.journal.interventions()[-1].advice["directions"] == []
    assert {attempt.knobs["SUMS"] for attempt in attempts} == {"1", "4", "16"}


def test_a_candidate_without_knobs_is_exhausted_at_once(own_scenario: Path, tmp_path: Path) -> None:
    source = own_scenario / "seed" / "matvec.cpp"
    source.write_text(source.read_text().replace("// avo:knob", "//"))
    with open_run(tmp_path / "run", load(str(own_scenario)), "cpu", "tuner") as workspace:
        asyncio.run(plant_seed(workspace))
        assert run(workspace) == "exhausted"
        assert workspace.journal.count("attempts") == 1
        assert any("declare no knobs" in entry.text for entry in workspace.journal.messages("worker"))


def test_the_same_seed_sweeps_in_the_same_order_and_others_in_others() -> None:
    assert all(sweeps(seed) == sweeps(seed) for seed in range(6))
    assert len({str(sweeps(seed)) for seed in range(6)}) > 1


def test_each_value_is_measured_once_and_none_that_is_not_declared() -> None:
    proposed = [(name, value) for knobs in sweeps(3) for name, values in knobs.items() for value in values]
    assert sorted(proposed) == sorted((n, v) for n, values in VALUES.items() for v in values[1:])


def test_a_better_setting_is_made_by_edits_and_committed() -> None:
    world = World(lambda knobs: 2.0 if knobs["A"] == "4" else 1.0)
    assert world.converse(Tuner(), BRIEF).startswith("Tuner (no language model): A 1 -> 4")
    edit = {"path": "k.cpp", "old": "constexpr auto A = 1;", "new": "constexpr auto A = 4;"}
    assert world.called("edit_file") == [edit]
    assert [name for name, _ in world.calls][-2:] == ["edit_file", "commit"]


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e6])
def test_a_score_is_read_however_small_or_large_it_is(scale: float) -> None:
    world = World(lambda knobs: scale * (1.03 if knobs["B"] == "1" else 1.0))
    world.converse(Tuner(), BRIEF)
    assert world.called("edit_file") == [
        {"path": "k.cpp", "old": "constexpr auto B = 0;", "new": "constexpr auto B = 1;"}
    ]


def test_a_score_that_does_not_compare_is_not_taken_for_one() -> None:
    shown = Evaluations((Scored(1, 90.0, {"A": "4"}, False), Scored(2, 4.5e-07, {"A": "2"}, True)))
    talk = Conversation(calls=[Call("attempts", {}, "said", True, shown)])
    assert talk.tried() == {(("A", "2"),): 4.5e-07}


def test_a_gain_within_the_noise_is_not_worth_a_commit() -> None:
    world = World(lambda knobs: 1.005 if knobs["A"] == "4" else 1.0)
    world.converse(Tuner(), BRIEF)
    assert not world.called("commit")
    assert world.called("end_step")[0]["exhausted"] is True


def test_after_a_refusal_by_the_gate_it_notes_that_and_tries_the_next_best() -> None:
    world = World(lambda knobs: {"4": 3.0, "2": 2.0, "1": 1.0}[knobs["A"]], commits=False)
    world.converse(Tuner(), BRIEF)
    assert [note["text"] for note in world.called("note")] == [
        "refused by the gate: A=4 B=0 C=8 D=x",
        "refused by the gate: A=2 B=0 C=8 D=x",
    ]
    names = [name for name, _ in world.calls]
    assert names[names.index("note") :][:3] == ["note", "checkout", "edit_file"]
    assert names[-1] == "end_step"


def test_what_the_gate_refused_in_an_earlier_step_is_not_committed_again() -> None:
    world = World(lambda knobs: 3.0 if knobs["A"] == "4" else 1.0)
    world.converse(Tuner(), ("user", TASK, replace(BEGUN, refused=(BASE | {"A": "4"},))))
    assert not world.called("commit")


def test_advice_is_followed_where_the_sources_allow_it() -> None:
    advice = Advised(({"A": "99"}, {"Z": "1"}, {"B": "1", "C": "16"}))
    world = World(lambda knobs: 1.0)
    world.converse(Tuner(), BRIEF, ("supervisor", ADVICE, advice))
    assert world.called("sweep")[0]["knobs"] == {"B": ["1"], "C": ["16"]}
    assert all(set(values) <= set(VALUES[n]) for s in world.called("sweep") for n, values in s["knobs"].items())


def test_a_resumed_step_starts_from_the_best_version_again() -> None:
    world = World(lambda knobs: 1.0)
    world.converse(Tuner(), ("user", TASK, replace(BEGUN, resumed=True)))
    assert world.calls[0] == ("checkout", {"version": "best"})


def advice_after(tried: list[Knobs], idle: int, score: Callable[[Knobs], float]) -> list[str]:
    world = World(score)
    world.attempts += tried
    text = world.converse(TunerSupervisor(), BRIEF, ("journal", REVIEW, Review(idle)))
    return [direction.title for direction in read_advice(text).directions]


SINGLES = [BASE | {name: value} for name, values in VALUES.items() for value in values[1:]]


def test_the_supervisor_names_values_that_were_never_measured_first() -> None:
    assert advice_after(SINGLES[:1], 0, lambda knobs: 1.0) == ["try A=4", "try B=1", "try C=16", "try D=y"]


def test_the_supervisor_then_names_pairs_of_values_the_most_promising_first() -> None:
    def score(knobs: Knobs) -> float:
        return 1.0 + 0.5 * (knobs["A"] == "4") + 0.3 * (knobs["D"] == "y")

    titles = advice_after(SINGLES, 0, score)
    assert titles[0] == "try A=4 D=y"
    assert len(titles) == 4
    assert titles[0] not in advice_after([*SINGLES, BASE | {"A": "4", "D": "y"}], 0, score)


@pytest.mark.parametrize(("idle", "left"), [(0, True), (1, True), (2, False), (5, False)])
def test_the_supervisor_is_at_its_end_after_two_rounds_of_fruitless_advice(idle: int, left: bool) -> None:
    assert bool(advice_after(SINGLES, idle, lambda knobs: 1.0)) is left


def scored(entries: dict[tuple[str, str], float]) -> dict[tuple[tuple[str, str], ...], float]:
    """Settings of the knobs A and B with their scores."""
    return {(("A", a), ("B", b)): score for (a, b), score in entries.items()}


@pytest.mark.parametrize(
    ("entries", "out"),
    [
        ({("1", "0"): 10, ("2", "0"): 30, ("4", "0"): 25}, {"1"}),
        ({("1", "0"): 10, ("2", "1"): 30}, set()),
        ({("1", "0"): 10, ("2", "0"): 30, ("1", "1"): 40, ("2", "1"): 41}, set()),
        ({("1", "0"): 0, ("2", "0"): 30}, {"1"}),
        ({("1", "0"): 10}, set()),
    ],
    ids=["clearly slower", "never with all else equal", "slower in one place only", "rejected", "tried alone"],
)
def test_a_value_is_given_up_where_another_was_clearly_better_with_all_else_equal(
    entries: dict[tuple[str, str], float], out: set[str]
) -> None:
    assert lost("A", scored(entries)) == out
