"""Each sign of a stuck search is seen, and none is seen where there is progress."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from avo.agents.stagnation import REVISITS, SAME_ERROR, stagnation
from avo.tools.payloads import Payload, Rejection, packed
from avo.tools.workspace import Workspace
from avo.types import Comparison, Status, Verdict

EAGER = 4
"""Evaluations without an improvement that are too many here."""


def attempt(
    workspace: Workspace, name: str, status: Status = Status.INCORRECT_NUMERICAL, reason: str = "y is wrong"
) -> int:
    """One more evaluation in the journal."""
    verdict = Verdict(status, reason, "GFLOP/s", workspace.journal.attempt(1).verdict.cases)
    return workspace.journal.add_attempt(workspace.step, name, "v0", "a change", {}, verdict, "", 0.1).id


def attempts(workspace: Workspace, count: int, status: Status = Status.INCORRECT_NUMERICAL) -> None:
    for number in range(count):
        attempt(workspace, f"{status}{workspace.journal.count('attempts')}-{number}", status, f"reason {number}")


def advise(workspace: Workspace) -> None:
    workspace.journal.add_intervention(workspace.step, "stuck", {"diagnosis": "", "directions": []}, "v0")


def seen(workspace: Workspace, patience: int = EAGER) -> str:
    return stagnation(workspace.journal, patience)


def test_a_run_that_has_only_its_seed_is_not_stuck(workspace: Workspace) -> None:
    assert seen(workspace) == ""
    assert seen(workspace, 1) == ""


def test_evaluations_without_a_version_are_counted(workspace: Workspace) -> None:
    attempts(workspace, EAGER - 1)
    assert seen(workspace) == ""
    attempts(workspace, 1)
    assert seen(workspace) == "no improvement in 4 evaluations"


def test_evaluations_that_pass_but_lead_to_no_version_count_too(workspace: Workspace) -> None:
    attempts(workspace, EAGER, Status.PASSED)
    assert "no improvement in 4" in seen(workspace)


def test_a_new_version_starts_the_counting_anew(workspace: Workspace) -> None:
    attempts(workspace, EAGER - 1)
    attempt(workspace, "better", Status.PASSED)
    assert seen(workspace)
    faster = Comparison(1.1, 1.09, 1.11, 0.01, True, {"wide": 1.1}, 24)
    workspace.journal.add_comparison(workspace.step, "better", "v0", faster, True)
    assert seen(workspace) == ""
    attempts(workspace, EAGER - 1)
    assert seen(workspace) == ""
    attempts(workspace, 1)
    assert "no improvement" in seen(workspace)


def clock(folder: Path, table: str, minutes: list[float]) -> None:
    """Let the last rows of a table have been written so many minutes after noon."""
    with sqlite3.connect(folder / "run" / "avo.db") as db:
        numbers = [row[0] for row in db.execute(f"SELECT id FROM {table} ORDER BY id DESC LIMIT ?", (len(minutes),))]
        for number, minute in zip(reversed(numbers), minutes, strict=True):
            at = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=minute)
            db.execute(f"UPDATE {table} SET at=? WHERE id=?", (at.isoformat(timespec="milliseconds"), number))


def called(workspace: Workspace, count: int) -> None:
    for _ in range(count):
        workspace.journal.add_message(workspace.step, "worker", "call", "lineage({})", "{}", "lineage")


def test_an_hour_of_work_without_a_version_is_noticed_once_something_was_tried(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called(workspace, 12)
    clock(tmp_path, "messages", [5.0 * n for n in range(12)])
    assert seen(workspace) == ""
    attempt(workspace, "one")
    clock(tmp_path, "attempts", [0.0])
    assert seen(workspace) == "no improvement in 55 minutes of work"
    monkeypatch.setattr("avo.agents.stagnation.MINUTES", 60)
    assert seen(workspace) == ""


def test_a_night_without_a_call_is_no_hour_of_work(workspace: Workspace, tmp_path: Path) -> None:
    attempt(workspace, "one")
    called(workspace, 3)
    clock(tmp_path, "attempts", [0.0])
    clock(tmp_path, "messages", [1.0, 600.0, 601.0])
    assert seen(workspace) == ""


def test_long_builds_and_measurements_are_no_time_without_progress(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two", "three"):
        verdict = Verdict(Status.PASSED, "", "GFLOP/s", workspace.journal.attempt(1).verdict.cases)
        workspace.journal.add_attempt(workspace.step, name, "v0", name, {}, verdict, "", 1700.0)
    called(workspace, 4)
    clock(tmp_path, "attempts", [0.0, 30.0, 60.0])
    clock(tmp_path, "messages", [1.0, 31.0, 61.0, 62.0])
    monkeypatch.setattr("avo.agents.stagnation.MINUTES", 10)
    assert seen(workspace) == ""
    monkeypatch.setattr("avo.agents.stagnation.MINUTES", 2)
    assert "minutes of work" in seen(workspace)


def test_the_same_build_error_again_and_again_is_noticed(workspace: Workspace) -> None:
    for number in range(SAME_ERROR - 1):
        attempt(workspace, f"e{number}", Status.COMPILE_ERROR, "a.cpp:3: error: x was not declared")
    assert seen(workspace) == ""
    attempt(workspace, "e9", Status.COMPILE_ERROR, "a.cpp:3: error: x was not declared")
    assert seen(workspace) == "the same build error 3 times in a row: a.cpp:3: error: x was not declared"


@pytest.mark.parametrize(
    "between",
    [(Status.COMPILE_ERROR, "another error"), (Status.PASSED, "")],
)
def test_different_errors_or_a_success_between_them_are_no_sign(
    workspace: Workspace, between: tuple[Status, str]
) -> None:
    for number, (status, reason) in enumerate([(Status.COMPILE_ERROR, "x"), between, (Status.COMPILE_ERROR, "x")]):
        attempt(workspace, f"t{number}", status, reason)
    assert seen(workspace) == ""


def test_coming_back_to_scored_sources_is_noticed(workspace: Workspace) -> None:
    again = attempt(workspace, "again")
    for _ in range(REVISITS - 1):
        workspace.journal.add_revisit(workspace.step, again)
    assert seen(workspace) == ""
    workspace.journal.add_revisit(workspace.step, again)
    assert seen(workspace) == "came back 3 times to sources that were scored before"


def test_advice_starts_every_count_anew(workspace: Workspace) -> None:
    attempts(workspace, EAGER)
    for _ in range(REVISITS):
        workspace.journal.add_revisit(workspace.step, 2)
    assert seen(workspace)
    advise(workspace)
    assert seen(workspace) == ""
    attempts(workspace, EAGER - 1)
    assert seen(workspace) == ""
    attempts(workspace, 1)
    assert "no improvement" in seen(workspace)


def test_the_same_build_error_counts_only_after_the_advice(workspace: Workspace) -> None:
    for number in range(SAME_ERROR):
        attempt(workspace, f"e{number}", Status.COMPILE_ERROR, "the same")
    advise(workspace)
    assert seen(workspace) == ""
    attempt(workspace, "e8", Status.COMPILE_ERROR, "the same")
    assert seen(workspace) == ""


def test_a_comparison_that_the_gate_refused_is_no_progress(workspace: Workspace) -> None:
    attempts(workspace, EAGER)
    slower = Comparison(0.9, 0.89, 0.91, 0.01, False, {"wide": 0.9}, 24)
    workspace.journal.add_comparison(workspace.step, "t", "v0", slower, False)
    assert "no improvement" in seen(workspace)


def test_a_version_that_was_measured_early_and_committed_late_is_progress(workspace: Workspace) -> None:
    attempt(workspace, "better", Status.PASSED)
    attempts(workspace, EAGER)
    faster = Comparison(1.1, 1.09, 1.11, 0.01, True, {"wide": 1.1}, 24)
    workspace.journal.add_comparison(workspace.step, "better", "v0", faster, True)
    assert seen(workspace) == ""


def test_coming_back_right_after_advice_is_noticed(workspace: Workspace) -> None:
    again = attempt(workspace, "again")
    advise(workspace)
    for _ in range(REVISITS):
        workspace.journal.add_revisit(workspace.step, again)
    assert "came back 3 times" in seen(workspace)


def answered(workspace: Workspace, kind: str, text: str, tool: str | None = None, data: Payload | None = None) -> None:
    told = packed({"c1": data}) if data else None
    workspace.journal.add_message(workspace.step, "worker", kind, text, "{}", tool, told)


def built(workspace: Workspace, reason: str) -> None:
    """A build that failed."""
    answered(workspace, "result", "it did not compile", "build", Rejection("COMPILE_ERROR", reason))


def test_the_same_error_of_build_counts_like_that_of_evaluate_whatever_its_line(workspace: Workspace) -> None:
    built(workspace, "a.cpp:3:7: error: x was not declared")
    attempt(workspace, "e1", Status.COMPILE_ERROR, "a.cpp:12:9: error: x was not declared")
    assert seen(workspace) == ""
    built(workspace, "a.cpp:4:7: error: x was not declared")
    assert "the same build error 3 times in a row" in seen(workspace)
    answered(workspace, "result", "compiled in 0.3 s", "build")
    assert seen(workspace) == ""


def test_a_sweep_is_one_evaluation_and_the_same_by_hand_are_many(workspace: Workspace) -> None:
    cases = workspace.journal.attempt(1).verdict.cases

    def evaluated(knob: int, direction: str) -> None:
        verdict = Verdict(Status.PASSED, "", "GFLOP/s", cases)
        workspace.journal.add_attempt(
            workspace.step, f"{direction}{knob}", "v0", direction, {"K": str(knob)}, verdict, "", 0.1
        )

    answered(workspace, "call", "sweep({})", "sweep")
    for knob in range(20):
        evaluated(knob, "tiles")
    assert seen(workspace) == ""
    for knob in range(EAGER):
        time.sleep(0.002)
        answered(workspace, "call", "evaluate({})", "evaluate")
        time.sleep(0.002)
        evaluated(knob, "by hand")
    assert seen(workspace) == "no improvement in 5 evaluations"
