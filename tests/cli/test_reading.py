"""The commands that read: people get lines, programs get JSON, and nobody ever gets a traceback."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avo.agents.team import Team
from avo.agents.tuner.tuner import Tuner, TunerSupervisor
from avo.cli import main
from avo.evolve import Limits, evolve
from avo.memory.lineage import Lineage
from avo.run import open_run
from avo.scenarios.loader import Scenario
from avo.tools.score.executor import LocalExecutor

Read = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, planted_run: Path, tiny: Scenario, executor: LocalExecutor
) -> Path:  # fmt: skip
    """A run that the tuner brought to its end, with a note; it is the only one in its runs folder."""
    folder = tmp_path_factory.mktemp("reading") / "runs" / "tiny-cpu"
    shutil.copytree(planted_run, folder)
    with open_run(folder, tiny, "cpu", "tuner") as workspace:
        workspace.executor = executor
        team = Team(workspace, Tuner(), TunerSupervisor(), lambda: False)
        assert asyncio.run(evolve(workspace, team.vary, Limits().reached, repr)) == "exhausted"
        workspace.journal.add_note(1, "sixteen are enough")
        workspace.journal.add_direction(1, "swap the loops", "abandoned", "twice as slow")
        workspace.journal.add_direction(1, "\x1b[31mred", "open", "")
    return folder


@pytest.fixture
def read(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Read:
    """Runs `avo …` in this process, beside the runs folder: exit code, standard output, standard error."""
    monkeypatch.chdir(run.parents[1])

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["avo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


@pytest.fixture
def told(read: Read) -> Callable[..., Any]:
    """The JSON that a command prints."""

    def call(*arguments: object) -> Any:
        code, out, err = read(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return call


def complaint(result: tuple[int, str, str], code: int) -> str:
    assert result[:2] == (code, ""), result
    (line,) = result[2].splitlines()
    assert line.startswith("avo: ")
    return line


def test_the_lineage_is_listed_with_the_seed_first(read: Read, told: Callable[..., Any], run: Path) -> None:
    versions = told("lineage", "log")
    assert [version["version"] for version in versions] == [f"v{n}" for n in range(len(versions))]
    assert len(versions) >= 2
    assert set(versions[0]) >= {"version", "commit", "score", "unit", "gain", "message"}
    assert max(version["gain"] for version in versions[1:]) > 1.2
    code, out, _ = read("lineage", "log", "--run", run)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [version["version"] for version in versions]


def test_the_device_is_named_where_it_changes(read: Read, told: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "moved")
    lineage = Lineage(copy / "lineage")
    best = lineage.best()
    verdict = replace(lineage.verdict(best), device="another\x1b[31m machine")
    lineage.commit({"a.cpp": b""}, {}, "t", verdict, "measured elsewhere", trailers={})
    lines = read("lineage", "log", "--run", copy)[1].splitlines()
    here = told("lineage", "log")[0]["device"]
    assert lines[0].endswith(f"  [{here}]")
    assert not any(line.endswith("]") for line in lines[1:-1])
    assert lines[-1].endswith("  [another[31m machine]")


def test_a_version_is_shown_with_its_sources(read: Read, told: Callable[..., Any]) -> None:
    best = told("lineage", "show", "best")
    assert "avo_launch" in best["files"]["matvec.cpp"]
    assert told("lineage", "show", best["commit"][:8])["name"] == best["name"]
    _, out, _ = read("lineage", "show", "v0")
    assert out.startswith(f"v0 {told('lineage', 'show', 'v0')['commit']}")
    assert "--- matvec.cpp\n// y = A x" in out


def test_two_versions_are_compared_without_what_the_harness_added(read: Read, told: Callable[..., Any]) -> None:
    diff = told("lineage", "diff", "v0", "v1")["diff"]
    assert re.search(r"^-constexpr int (SUMS = 1|BACKWARDS = 0);", diff, re.MULTILINE), "whichever was faster"
    assert "score.json" not in diff
    assert read("lineage", "diff", "v0", "v1")[1].strip() == diff.strip()
    assert told("lineage", "diff", "v0", "v0")["diff"] == ""


def test_the_conversation_is_listed_and_each_message_can_be_shown(read: Read, told: Callable[..., Any]) -> None:
    messages = told("memory", "log")
    assert [message["id"] for message in messages] == sorted(message["id"] for message in messages)
    assert {message["agent"] for message in messages} == {"worker", "supervisor"}
    assert {message["kind"] for message in messages} >= {"task", "call", "result", "review", "text"}
    assert told("memory", "log", "--last", 2) == messages[-2:]
    assert {message["agent"] for message in told("memory", "log", "--agent", "supervisor")} == {"supervisor"}
    assert len(read("memory", "log")[1].splitlines()) == len(messages)
    first = messages[0]
    assert told("memory", "show", first["id"]) == first
    assert read("memory", "show", first["id"])[1].endswith(first["text"] + "\n")


@pytest.mark.parametrize(("text", "found"), [("SWEEP(", True), ("no such words", False), ("100%", False)])
def test_messages_are_found_by_what_they_hold(read: Read, told: Callable[..., Any], text: str, found: bool) -> None:
    hits = told("memory", "search", text)
    assert bool(hits) is found
    assert all(text.lower() in hit["text"].lower() for hit in hits)
    assert len(read("memory", "search", text)[1].splitlines()) == len(hits)


def test_the_statistics_add_up(read: Read, told: Callable[..., Any]) -> None:
    stats = told("memory", "stats")
    assert stats["messages"] == len(told("memory", "log"))
    assert stats["versions"] == len(told("lineage", "log"))
    assert stats["attempts"]["PASSED"] >= 4
    assert stats["notes"][-1] == "sixteen are enough"
    assert 0 <= stats["advice_followed_by_a_version"] <= stats["advice"]
    assert {(entry["agent"], entry["kind"]) for entry in stats["spent"]} >= {("worker", "evaluation")}
    assert " versions, " in read("memory", "stats")[1]


def test_scenarios_are_listed_and_shown(read: Read, told: Callable[..., Any], tiny: Scenario) -> None:
    assert {"name", "summary", "targets"} == set(told("scenario", "list")[0])
    assert "mha_causal" in read("scenario", "list")[1]
    assert told("scenario", "show", tiny.path)["cases"][0]["dims"] == {"R": 128, "C": 4096}
    assert "const float* a;  // in, [R, C]" in read("scenario", "show", tiny.path)[1]


def test_the_doctor_says_what_there_is(read: Read) -> None:
    code, out, _ = read("doctor", "--json")
    found = json.loads(out)
    assert found["git"]
    assert found["torch"]
    assert code == (3 if found["missing"] else 0)
    assert "isolation" in read("doctor")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("lineage", "show", "v99"), "no version 'v99'; there are: v0 to v"),
        (("lineage", "diff", "v0", "x"), "no version 'x'"),
        (("memory", "show", "99999"), "99999"),
        (("scenario", "show", "mha_casual"), "did you mean 'mha_causal'?"),
    ],
)
def test_what_is_not_there_is_one_line_with_the_choices(read: Read, arguments: tuple[str, ...], says: str) -> None:
    assert says in complaint(read(*arguments), 2)


@pytest.mark.parametrize("command", ["lineage log", "lineage show v0", "memory log", "memory stats", "memory search x"])
def test_where_no_run_is_one_line_says_how_to_start_one(read: Read, tmp_path: Path, command: str) -> None:
    assert "start one: avo run scenario" in complaint(read(*command.split(), "--run", tmp_path), 3)


def test_where_no_run_was_ever_one_line_says_so_too(read: Read, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("AVO_RUNS", str(tmp_path))
    assert "start one: avo run scenario" in complaint(read("lineage", "log"), 3)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.toml").write_text("")
    (tmp_path / "r" / "avo.db").write_text("this is no database at all, whatever its name says")
    assert "the run's database: " in complaint(read("memory", "log"), 2)


def test_a_run_that_was_killed_before_its_journal_was_made_hides_no_other(
    read: Read, run: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    shutil.copytree(run.parent, tmp_path / "runs")
    (tmp_path / "runs" / "young").mkdir()
    (tmp_path / "runs" / "young" / "run.toml").write_text('scenario = "tiny"\n')
    monkeypatch.chdir(tmp_path)
    assert read("lineage", "log")[0] == 0


def test_the_plan_is_listed_with_states_and_reasons(read: Read, told: Callable[..., Any]) -> None:
    code, out, _ = read("memory", "plan")
    assert code == 0
    assert out.splitlines()[0] == "1. abandoned: swap the loops (twice as slow)"
    assert "\x1b" not in out
    plan = told("memory", "plan")
    assert (plan[0]["id"], plan[0]["state"], plan[0]["text"]) == (1, "abandoned", "swap the loops")


def test_what_came_of_advice_is_counted_and_listed(read: Read, told: Callable[..., Any]) -> None:
    given = told("memory", "stats")["advice_given"]
    assert given
    assert {"id", "step", "trigger", "effect", "attempts"} == set(given[0])
    assert f"advice {given[0]['id']}, {given[0]['trigger'][:40]}" in read("memory", "stats")[1]
