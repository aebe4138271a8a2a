"""Timed launches: all of them are checked, what decides and what is fastest whole; other data is seen in between."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import pytest

from avo.tools.build.sources import Sources
from avo.tools.score.exam import Exam, examine
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.timing import KEPT, MOST_ANEW, Player, Timing, slower, time_case
from avo.types import Rejected, Status, Verdict

LINE = "a->y[i] = y;"
BODY = "    for (int64_t n = 0; n < a->R; n++) {"
EXAM = 2
"""Launches of a timed shape before the first that is timed."""
LAUNCH = """
    static int launches;
    const int launch = a->R == 128 ? ++launches : 0;
    volatile double sink = 0;
    auto spin = [&](int times) { for (int s = 0; s < times; s++) sink = sink + s; };
"""
"""`launch`: the how manieth of the timed shape it is, 0 in tests."""
FLICKERS = """
    static float seen[8][64];
    static int sets;
    int known = 0;
    for (int s = 0; s < 8 && a->R == 128; s++) {
        int same = 0;
        for (int j = 0; j < 64; j++) same += seen[s][j] == a->x[j];
        if (same > 12) known++;
    }
    if (a->R == 128 && !known) spin(2000000);
    if (a->R == 128) { for (int j = 0; j < 64; j++) seen[sets % 8][j] = a->x[j]; sets++; }
"""
"""Quick where it saw some of the values before, at the same places."""


def changed(seed: Sources, before: str, line: str = LINE) -> Sources:
    """The seed, which does `before` first in each launch, and `line` for each row."""
    sources = {
        name: text.replace(BODY.encode(), (LAUNCH + before + BODY).encode()).replace(LINE.encode(), line.encode())
        for name, text in seed.items()
    }
    assert sources != seed
    return sources


def verdict_of(executor: LocalExecutor, seed: Sources, before: str, line: str = LINE) -> Verdict:
    return executor.evaluate(changed(seed, before, line))


def timing_of(executor: LocalExecutor, files: Sources) -> Timing:
    """One timing of the timed case."""
    (case,) = executor.scenario.timed("cpu")
    with executor.held() as judge, judge.load(executor.build(files)) as (candidate, arena):
        exam = Exam(judge)
        examine(exam, candidate, arena)
        return time_case(exam, (candidate, arena), case)


def test_one_wrong_element_of_the_launch_that_decides_how_long_rows_are_is_found(
    executor: LocalExecutor, seed: Sources
) -> None:
    for element in (0, 77, 127):
        line = f"a->y[i] = launch == {EXAM + 1} && i == {element} ? 0 : y;"
        verdict = verdict_of(executor, seed, "", line)
        assert verdict.status is Status.INCORRECT_NUMERICAL
        assert verdict.reason.startswith(f"y[{element}] of shape [128] is 0, ")


def test_one_wrong_element_of_the_fastest_launch_is_found(executor: LocalExecutor, seed: Sources) -> None:
    # A launch on another family does not count, so it is never the fastest.
    own = f"static int at; if (launch >= 9 && !at && !({LARGE})) at = launch; if (launch != at) spin(1500000);"
    verdict = verdict_of(executor, seed, own, "a->y[i] = launch && launch == at && i == 77 ? 0 : y;")
    assert verdict.status is Status.INCORRECT_NUMERICAL
    assert verdict.reason.startswith("y[77] of shape [128] is 0, ")


def test_a_launch_that_does_nothing_right_is_found_wherever_it_is(executor: LocalExecutor, seed: Sources) -> None:
    for number in (EXAM + 2, EXAM + 5, EXAM + 11):
        verdict = verdict_of(executor, seed, "", f"a->y[i] = launch == {number} ? 0 : y;")
        assert verdict.status is Status.INCORRECT_NUMERICAL


LARGE = "__builtin_fabsf(a->a[0]) + __builtin_fabsf(a->a[1]) + __builtin_fabsf(a->a[2]) > 50"
"""Whether a launch is on the family "large", that of a test."""


def test_timed_shapes_are_launched_on_the_families_of_tests_at_places_that_vary(
    executor: LocalExecutor, seed: Sources
) -> None:
    places = set()
    for _ in range(8):
        verdict = verdict_of(executor, seed, f"if (launch && {LARGE}) return 100 + launch;")
        assert verdict.reason.startswith("avo_launch returned 1")
        assert verdict.reason.endswith("(case wide)")
        places.add(verdict.reason)
    assert len(places) > 1


def test_what_is_wrong_on_another_family_alone_is_found(executor: LocalExecutor, seed: Sources) -> None:
    verdict = verdict_of(executor, seed, "", f"a->y[i] = launch && {LARGE} ? 0 : y;")
    assert verdict.status is Status.INCORRECT_NUMERICAL
    assert verdict.reason.endswith("(case wide)")


def test_what_another_family_takes_does_not_count_but_is_kept(executor: LocalExecutor, seed: Sources) -> None:
    files = changed(seed, f"if (launch && {LARGE}) spin(4000000);")
    timing = timing_of(executor, files)
    assert timing.families["large"] > 3 * statistics.median(timing.samples)
    verdict = executor.evaluate(files)
    assert verdict.cases[0].families["large"] > 3
    assert max(verdict.cases[0].samples_ms) < verdict.cases[0].families["large"] * verdict.cases[0].min_ms


def test_launches_that_take_much_longer_than_those_that_decide_are_no_measurement(
    executor: LocalExecutor, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower = changed(seed, f"if (launch > {EXAM + 1}) spin(3000000);")
    assert timing_of(executor, slower).slowed
    assert not timing_of(executor, seed).slowed
    monkeypatch.setattr("avo.tools.score.judge.ROUNDS_IF_ODD", 1)
    verdict = executor.evaluate(slower)
    assert verdict.status is Status.TIMING_MISMATCH, verdict.reason
    assert verdict.reason.endswith("ms while it is decided how many are timed as one")


@pytest.mark.slow
def test_a_candidate_that_is_quick_only_where_it_saw_some_of_the_values_before_is_refused(
    executor: LocalExecutor, seed: Sources
) -> None:
    verdict = verdict_of(executor, seed, FLICKERS)
    assert verdict.status is Status.TIMING_MISMATCH
    assert verdict.reason.endswith("ms at best on data that it saw nothing of before")


def test_an_honest_candidate_is_as_quick_on_data_of_which_it_saw_nothing(
    executor: LocalExecutor, seed: Sources
) -> None:
    timings = [timing_of(executor, seed) for _ in range(3)]
    assert not all(timing.kept for timing in timings)  # a neighbour may slow one
    assert all(1 <= len(timing.anew) <= MOST_ANEW for timing in timings)


def test_a_score_is_no_better_than_launches_on_data_drawn_for_them_alone_support(
    executor: LocalExecutor, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {"anew": [8e-5], "samples": [6e-5, 8e-5], "first": 0, "decided": 6e-5}
    monkeypatch.setattr("avo.tools.score.judge.time_case", lambda *given: replace(time_case(*given), **some))
    (case,) = executor.evaluate(seed).cases
    work = executor.scenario.work_of(executor.scenario.target("cpu").unit, executor.scenario.timed("cpu")[0])
    assert case.min_ms == pytest.approx(6e-2)
    assert case.value == pytest.approx(work / (8e-5 / KEPT))


@pytest.mark.parametrize("disturbed", [5, 6])
def test_a_case_is_measured_until_one_measurement_is_valid_but_not_for_ever(
    executor: LocalExecutor, seed: Sources, monkeypatch: pytest.MonkeyPatch, disturbed: int
) -> None:
    measured: list[Timing] = []

    def time_disturbed(*arguments: Any) -> Timing:
        measured.append(time_case(*arguments))
        late = {"anew": [1.0]} if len(measured) <= disturbed else {"anew": measured[-1].samples}
        return replace(measured[-1], **late)

    monkeypatch.setattr("avo.tools.score.judge.time_case", time_disturbed)
    monkeypatch.setattr("avo.tools.score.judge.PAUSE_SECONDS", 0.0)
    verdict = executor.evaluate(seed)
    assert len(measured) == 6
    assert verdict.passed == (disturbed == 5), verdict.reason


def test_slow_launches_are_few_and_see_all_of_it_nevertheless(executor: LocalExecutor, seed: Sources) -> None:
    timing = timing_of(executor, changed(seed, "if (launch) spin(60000000);"))
    assert set(timing.families) == {"large"}
    assert len(timing.anew) == 1
    assert 3 <= len(timing.samples) <= 5


@pytest.mark.parametrize(("launch", "families"), [("if (launch) spin(60000000);", 2), ("", 4)])
def test_slow_launches_see_fewer_of_the_other_families_in_one_evaluation(
    executor: LocalExecutor, seed: Sources, monkeypatch: pytest.MonkeyPatch, launch: str, families: int
) -> None:
    played: list[str] = []
    lots = Player.lots
    monkeypatch.setattr("avo.tools.score.timing.other_families", lambda *_: ["large", "ones", "large", "ones"])
    monkeypatch.setattr(Player, "lots", lambda self, row, pool, name="", **how: (
        played.append(name) or lots(self, row, pool, name, **how)
    ))  # fmt: skip
    timing_of(executor, changed(seed, launch))
    assert len([name for name in played if name in ("large", "ones")]) == families


def test_a_candidate_that_fails_in_a_timed_launch_is_refused_with_its_code(
    executor: LocalExecutor, seed: Sources
) -> None:
    with pytest.raises(Rejected, match=r"avo_launch returned 5 \(case wide\)"):
        timing_of(executor, changed(seed, f"if (launch == {EXAM + 7}) return 5;"))


@pytest.mark.parametrize(
    ("anew", "samples"),
    [
        ([3.3, 3.4], [2.0, 2.1, 2.1, 2.2]),  # all of it is kept
        ([2.4, 2.5], [2.0, 2.0, 2.1, 2.1]),  # a part of it
        ([0.33, 0.34], [0.33, 0.025, 0.33, 0.33, 0.026]),  # in a few launches, as slow as new data in the median
    ],
)
def test_what_is_kept_shows_on_new_data(anew: list[float], samples: list[float]) -> None:
    assert slower(anew, samples)


@pytest.mark.parametrize(
    ("anew", "samples"),
    [
        ([2.0, 2.1], [2.0, 2.1, 2.1, 2.2]),
        ([2.7, 3.5, 2.2], [2.0, 2.1, 2.1, 2.2]),  # two of three were slowed by a neighbour
        ([1.4, 1.5], [1.0, 1.3, 1.4, 1.5]),  # a quick launch among slow ones
    ],
)
def test_a_neighbour_is_not_taken_for_it(anew: list[float], samples: list[float]) -> None:
    assert not slower(anew, samples)
