"""The nouns hold what their docstrings promise."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest

from avo.types import (
    AvoError,
    CaseScore,
    Comparison,
    Missing,
    NothingScored,
    Rejected,
    Status,
    Verdict,
    figure,
    geomean,
    one_line,
    verdict_from,
)

CASES = (
    CaseScore("short", 2.0, 1.5, 1.4, 1.07, 0.5, (1.5, 1.4)),
    CaseScore("long", 8.0, 3.0, 2.9, 1.03, 0.25, (3.0, 2.9)),
)
PASSED = Verdict(
    Status.PASSED, "", "GFLOP/s", CASES, {"torch": {"short": 1.0, "long": 4.0}}, "cpu", "c++ 12", "a warning",
    {"total": 0.5},
)  # fmt: skip


def faster(ratio: float, low: float, noise: float = 0.01, confirmed: bool = True) -> Comparison:
    return Comparison(ratio, low, ratio + 0.01, noise, confirmed, {"short": ratio}, 24)


def test_the_geometric_mean_is_no_arithmetic_one() -> None:
    assert geomean([2.0, 8.0]) == pytest.approx(4.0)


@pytest.mark.parametrize("values", [[], [3.0, 0.0], [3.0, -1.0]])
def test_one_failed_case_makes_the_mean_zero(values: list[float]) -> None:
    assert geomean(values) == 0.0


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PASSED])
def test_only_a_verdict_that_passed_has_a_score(status: Status) -> None:
    assert PASSED.score == pytest.approx(4.0)
    assert replace(PASSED, status=status).score == 0.0
    assert not replace(PASSED, status=status).passed


def test_a_verdict_survives_being_written_as_json() -> None:
    assert verdict_from(json.loads(json.dumps(PASSED.as_dict()))) == PASSED


def test_a_written_verdict_names_scores_of_candidate_and_baselines() -> None:
    written = PASSED.as_dict()
    assert written["score"] == pytest.approx(4.0)
    assert written["baselines"]["torch"] == {"score": pytest.approx(2.0), "cases": {"short": 1.0, "long": 4.0}}


@pytest.mark.parametrize(
    ("comparison", "improved", "matched"),
    [
        (faster(1.05, 1.03), True, True),
        (faster(1.05, 1.03, confirmed=False), False, True),
        (faster(1.05, 0.99), False, True),
        (faster(1.005, 1.001), False, True),
        (faster(0.995, 0.98), False, True),
        (faster(0.98, 0.97), False, False),
    ],
    ids=["surely", "in one round only", "perhaps", "less than the noise", "within the noise", "slower"],
)
def test_an_improvement_is_sure_and_larger_than_the_noise(
    comparison: Comparison, improved: bool, matched: bool
) -> None:
    assert (comparison.improved, comparison.matched) == (improved, matched)


def test_errors_carry_their_exit_codes() -> None:
    assert [kind("x").exit_code for kind in (AvoError, Missing, NothingScored)] == [2, 3, 4]


def test_a_rejection_reads_as_status_and_reason() -> None:
    rejected = Rejected(Status.TIMEOUT, "one launch took longer than 2 s", "log")
    assert str(rejected) == "TIMEOUT: one launch took longer than 2 s"
    assert rejected.log == "log"


def test_a_rejection_travels_between_processes() -> None:
    rejected = pickle.loads(pickle.dumps(Rejected(Status.TIMEOUT, "too slow", "log")))
    assert (str(rejected), rejected.log) == ("TIMEOUT: too slow", "log")


@pytest.mark.parametrize(
    "forged", ["\n", "\r", "\u2028", "\x85", "\x1b[2J", "\u202e", "\u200b", "\ud800", "\0", "\x7f"]
)
def test_a_reason_is_one_line_that_can_be_shown_and_written_down(forged: str) -> None:
    rejected = Rejected(Status.RUNTIME_ERROR, f"cannot be loaded:{forged}PASSED 999", f"first{forged}PASSED\nsecond")
    assert rejected.reason.isprintable()
    assert rejected.reason.startswith("cannot be loaded:\\")
    assert rejected.reason.endswith("PASSED 999")
    assert all(line.isprintable() for line in rejected.log.split("\n"))
    rejected.log.encode()
    again = pickle.loads(pickle.dumps(rejected))
    assert (again.status, again.reason, again.log) == (rejected.status, rejected.reason, rejected.log)


def test_a_long_reason_is_cut() -> None:
    assert len(Rejected(Status.COMPILE_ERROR, "\x1b" * (1 << 20)).reason) == 1000
    assert one_line("abc", 3) == "abc"
    assert one_line("abcd\t", 3) == "ab…"
    assert one_line("a\tü") == "a ü"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0049, "0.0049"),
        (0.00494, "0.00494"),
        (1.8e-7, "1.8e-07"),
        (70.0, "70"),
        (123.456, "123.5"),
        (98765.4, "98765"),
    ],
)
def test_a_score_is_written_so_that_one_percent_shows(value: float, text: str) -> None:
    assert figure(value) == text
    assert value == 0 or figure(value) != figure(value * 1.01)
