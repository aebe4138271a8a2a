"""Comparisons: equal is equal, faster is found, and one lucky round is not enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from avo.scenarios.loader import Scenario
from avo.tools.build.sources import Sources
from avo.tools.launch.arena import Arena, Slot
from avo.tools.launch.launcher import Loaded
from avo.tools.reference.check import Tensors
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge
from avo.tools.score.paired import Side, _suffice, compare
from avo.tools.score.ratios import LEAST_NOISE, LEAST_ROUNDS, MOST_NOISE, MOST_ROUNDS, enough, interval, summary
from avo.types import Comparison, Rejected, Status, Unfit, usual_seconds

Blocks = dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]
LEAST = LEAST_NOISE["cuda"]
CASES = ("small", "large")


def blocks(seed: int, gain: float, spread: float = 0.01, count: int = 20) -> Blocks:
    """Logarithms of ratios as a machine with that spread gives them, by case."""
    rng = np.random.default_rng(seed)
    return {case: np.log(gain) + spread * rng.standard_normal(count) for case in CASES}


def comparison(seed: int, first: float, second: float, *, speed: float = 0.01, itself: float = 0.01) -> Comparison:
    rounds = [(blocks(seed, first, speed), blocks(seed + 1, 1, itself))]
    return summary([*rounds, (blocks(seed + 2, second, speed), blocks(seed + 3, 1, itself))], LEAST)


def share(of: Callable[[Comparison], bool], first: float, second: float, **spreads: float) -> float:
    results = [comparison(10 * seed, first, second, **spreads) for seed in range(60)]
    return sum(map(of, results)) / len(results)


def test_the_interval_of_equal_candidates_covers_one() -> None:
    assert share(lambda c: c.low <= 1 <= c.high, 1, 1) > 0.85
    assert share(lambda c: c.improved, 1, 1) < 0.05
    assert share(lambda c: c.matched, 1, 1) > 0.95


def test_five_percent_are_found() -> None:
    assert share(lambda c: c.improved, 1.05, 1.05) == 1
    assert share(lambda c: c.matched, 1 / 1.05, 1 / 1.05) == 0
    assert comparison(1, 1.05, 1.05).ratio == pytest.approx(1.05, abs=0.01)


def test_an_improvement_has_to_show_in_both_rounds() -> None:
    one = comparison(3, 1.08, 0.999)
    assert not one.confirmed
    assert not one.improved
    assert comparison(3, 1.08, 1.08).confirmed
    assert not comparison(3, 0.999, 1.08).improved


def test_more_rounds_are_played_until_the_incumbent_is_measured_as_well_as_can_be() -> None:
    calm, shaky = (blocks(4, 1), blocks(5, 1, 1e-5)), (blocks(4, 1), blocks(5, 1, 0.05))
    for device in ("cpu", "cuda"):
        least, most = LEAST_ROUNDS[device], MOST_ROUNDS[device]
        assert not enough([calm] * (least - 1), device)
        assert enough([calm] * least, device)
        assert not enough([shaky] * least, device)
        assert enough([shaky] * most, device)


def test_a_ratio_near_1_has_no_say_in_the_number_of_rounds() -> None:
    for gain in (0.95, 1, 1.002, 1.05):
        assert enough([(blocks(4, gain, 0.05), blocks(5, 1, 1e-5))] * 3, "cuda")
        assert not enough([(blocks(4, gain, 1e-5), blocks(5, 1, 0.05))] * 3, "cuda")


def test_a_ratio_far_from_1_needs_no_more_rounds_however_the_incumbent_differs_from_itself() -> None:
    shaky = blocks(5, 1, 0.05)
    for device in ("cpu", "cuda"):
        least = LEAST_ROUNDS[device]
        assert enough([(blocks(4, 1.2, 0.02), shaky)] * least, device)
        assert enough([(blocks(4, 0.8, 0.02), shaky)] * least, device)
        assert enough([(blocks(4, 1.08, 0.002), shaky)] * least, device)
        assert not enough([(blocks(4, 1.05, 0.002), shaky)] * least, device), "with the most noise it may be no gain"
        assert not enough([(blocks(4, 1.2, 0.02), shaky)] * (least - 1), device)
        assert not enough([(blocks(4, 1.2, 0.3), shaky)] * least, device), "its interval reaches down to 1"
    alternating = [(blocks(4, gain, 0.02), shaky) for gain in (1.6, 0.99)]
    assert not enough(alternating, "cpu"), "one round alone shows it"


@pytest.mark.parametrize(
    ("ratios", "spent", "suffices"),
    [
        ([3.7] * 2, 0.1, True), ([0.3] * 2, 0.1, True), ([3.7], 9.0, False), ([3.7, 1.1], 9.0, False),
        ([1.2] * 5, 9.0, False), ([1.2] * 6, 0.2, False), ([1.2] * 6, 0.4, True), ([1.0] * 20, 0.1, False),
    ],
)  # fmt: skip
def test_a_round_ends_early_only_where_each_block_shows_the_same(
    ratios: list[float], spent: float, suffices: bool
) -> None:
    turns = [(ratio, 1.0, 1.0, ratio) for ratio in ratios]
    assert _suffice("cpu", turns, 1, spent) == suffices


def test_many_rounds_find_what_three_leave_open() -> None:
    def found(rounds: int) -> int:
        played = [
            [(blocks(100 * s + r, 1.01, 0.02, 3), blocks(5000 + 100 * s + r, 1, 0.02, 3)) for r in range(rounds)]
            for s in range(40)
        ]
        return sum(summary(one, LEAST).improved for one in played)

    assert found(9) > 2 * found(3)


def test_the_noise_is_never_below_its_floor_nor_above_its_cap() -> None:
    assert comparison(5, 1, 1, itself=1e-9).noise == LEAST
    assert comparison(5, 1, 1, itself=0.5).noise == MOST_NOISE
    assert LEAST < comparison(5, 1, 1, itself=0.03).noise < MOST_NOISE


def test_a_gain_within_the_noise_floor_is_a_match() -> None:
    small = comparison(7, 1.003, 1.003, speed=1e-5, itself=1e-5)
    assert small.confirmed
    assert small.low > 1
    assert not small.improved
    assert small.matched


def test_no_noise_lets_a_candidate_drift_below_the_cap() -> None:
    assert not comparison(8, 0.96, 0.96, speed=1e-5, itself=0.5).matched


def test_a_few_blocks_that_were_disturbed_change_little() -> None:
    calm, disturbed = blocks(9, 1.05), blocks(9, 1.05)
    for values in disturbed.values():
        values[:3] -= 2.0
    same = blocks(10, 1)
    assert summary([(disturbed, same)] * 2, LEAST).ratio == pytest.approx(
        summary([(calm, same)] * 2, LEAST).ratio, rel=0.01
    )


def test_the_ratio_is_the_geometric_mean_over_the_cases() -> None:
    flat = {"a": np.full(6, np.log(2.0)), "b": np.full(6, np.log(0.5)), "c": np.full(6, np.log(8.0))}
    result = summary([(flat, flat)] * 2, LEAST)
    assert result.ratio == pytest.approx(2.0)
    assert result.cases == pytest.approx({"a": 2.0, "b": 0.5, "c": 8.0})
    assert result.blocks == 36
    assert interval([flat]) == pytest.approx((2.0, 2.0))


# ---- real launches -----------------------------------------------------------------------------

TRIES = 3
"""Comparisons of which one has to show it: with sixteen other processes on two cores, one in some ten does not."""


def with_change(files: Sources, old: str, new: str) -> Sources:
    """The same sources with one text replaced, which must be there."""
    changed = {name: content.replace(old.encode(), new.encode()) for name, content in files.items()}
    assert changed != files
    return changed


def test_sixteen_sums_beat_the_seed_and_the_seed_does_not_beat_them(executor: LocalExecutor, seed: Sources) -> None:
    faster = with_change(seed, "SUMS = 1;", "SUMS = 16;")
    tries = (executor.compare(seed, faster) for _ in range(TRIES))
    forth, back = next(found for found in tries if found.improved), executor.compare(faster, seed)
    assert not back.improved
    assert not back.matched
    assert set(forth.cases) == {"wide"}
    assert forth.blocks < 12, "fewer than six in each round: it is clear"


@pytest.mark.slow
def test_a_candidate_does_not_improve_on_itself(executor: LocalExecutor, seed: Sources) -> None:
    results = [executor.compare(seed, seed) for _ in range(3)]
    assert sum(result.improved for result in results) <= 1  # a neighbour may slow one side of one
    assert sorted(result.ratio for result in results)[1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("line", "status"), [("a->y[i] = 0;", Status.INCORRECT_NUMERICAL), ("", Status.NOT_WRITTEN)])
def test_a_candidate_that_does_not_do_the_work_is_rejected(
    tiny: Scenario, executor: LocalExecutor, seed: Sources, line: str, status: Status
) -> None:
    idle = with_change(seed, "a->y[i] = y;", line)
    with pytest.raises(Rejected) as caught:
        executor.compare(seed, idle)
    assert caught.value.status is status


LAZY = "    if (a->R == 3) return 0;\n"
"""Wrong in one test."""
ROWS = "    for (int64_t n = 0; n < a->R; n++) {"
UNEXAMINED = """
    static int launches, unexamined;
    if (++launches == 1) unexamined = a->R == 128;
    volatile double sink = 0;
    for (int s = 0; unexamined && s < 2000000; s++) sink = sink + s;
"""
"""Slow in processes that begin with a timed shape: those of later rounds of a comparison."""


def before_rows(seed: Sources, text: str) -> Sources:
    return with_change(seed, ROWS, text + ROWS)


@pytest.fixture
def usual(executor: LocalExecutor, seed: Sources) -> dict[str, float]:
    """Seconds of a launch of the seed, as it is evaluated."""
    return usual_seconds(executor.evaluate(seed).cases)


def compared(executor: LocalExecutor, first: Sources, second: Sources, *alone: dict[str, float]) -> Comparison:
    """Compared as ones that were scored before, in whatever way."""
    with executor.held() as judge:
        return compare(judge, executor.build(first), executor.build(second), alone)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (LAZY, "a->y[i] = y;", "NOT_WRITTEN"),
        ("", "a->y[i] = 0;", "INCORRECT_NUMERICAL"),
        ("    static int n;\n    if (++n == 30) return 3;\n", "a->y[i] = y;", "avo_launch returned 3"),
    ],
)
def test_each_side_is_checked_alike_and_the_one_that_is_wrong_is_named_whatever_was_said_of_it_before(
    executor: LocalExecutor, seed: Sources, usual: dict[str, float], text: str, line: str, told: str
) -> None:
    wrong = with_change(seed, ROWS, text + "  " + ROWS)
    if line != "a->y[i] = y;":
        wrong = with_change(wrong, "a->y[i] = y;", line)
    with pytest.raises(Rejected, match=told):
        compared(executor, seed, wrong, usual, usual)
    with pytest.raises(Unfit, match=told):
        compared(executor, wrong, seed, usual, usual)


@pytest.mark.slow
def test_a_side_that_takes_longer_in_a_comparison_than_by_itself_is_named(
    executor: LocalExecutor, seed: Sources, usual: dict[str, float]
) -> None:
    slow = before_rows(seed, UNEXAMINED)
    with pytest.raises(Rejected, match=r"TIMING_MISMATCH: takes .* times as long beside the other as by itself"):
        compared(executor, seed, slow, usual, usual)
    with pytest.raises(Unfit, match=r"TIMING_MISMATCH: takes .* times as long beside the other as by itself"):
        compared(executor, slow, seed, usual, usual)


@pytest.mark.slow
def test_a_side_whose_score_is_out_of_date_is_scored_again_before_anything_is_said_of_it(
    executor: LocalExecutor, seed: Sources, usual: dict[str, float]
) -> None:
    half = {case: seconds / 2 for case, seconds in usual.items()}
    assert compared(executor, seed, seed, half, usual).ratio == pytest.approx(1, abs=0.2)


@pytest.mark.slow
def test_a_side_that_was_disturbed_while_it_was_measured_alone_is_measured_again(
    executor: LocalExecutor, seed: Sources, usual: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [{"wide": usual["wide"] * factor} for factor in (3, 1, 1, 3)]  # incumbent, candidate, and both again
    monkeypatch.setattr("avo.tools.score.paired._by_itself", lambda judge, side: alone.pop(0))
    assert compared(executor, seed, seed, {"wide": usual["wide"] * 3}, usual).ratio == pytest.approx(1, abs=0.2)
    assert not alone


SLOW = "    volatile double sink = 0;\n    for (int s = 0; s < 1000000; s++) sink = sink + s;\n"
KEEPS = """
    static float seen[16][8];
    static int sets;
    int known = 0;
    for (int s = 0; s < 16; s++) {
        int same = 0;
        for (int j = 0; j < 8; j++) same += seen[s][j] == a->x[j];
        known += same > 1;
    }
    for (int j = 0; j < 8; j++) seen[sets % 16][j] = a->x[j];
    sets++;
    volatile double sink = 0;
    for (int s = 0; !known && s < 1000000; s++) sink = sink + s;
"""
"""Slow only where no launch before had such values at the same places."""


@pytest.mark.parametrize("supported", [True, False])
def test_a_candidate_gains_nothing_by_values_that_it_saw_before(
    executor: LocalExecutor, seed: Sources, usual: dict[str, float], monkeypatch: pytest.MonkeyPatch, supported: bool
) -> None:
    monkeypatch.setattr("avo.tools.score.paired._odd", lambda *_: None)  # by itself it is refused
    if not supported:
        monkeypatch.setattr(Side, "unsupported", lambda *_: 1.0)
    slow, keeps = before_rows(seed, SLOW), before_rows(seed, KEEPS)
    tries = (compared(executor, slow, keeps, usual, usual).ratio for _ in range(TRIES))
    assert any(ratio < 1.6 if supported else ratio > 3 for ratio in tries)


def test_both_sides_see_as_many_launches_and_the_same_data_and_who_begins_varies(
    executor: LocalExecutor, seed: Sources, usual: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, tuple[float, ...]]] = []
    launch = Judge.launch

    def noted(self: Judge, candidate: Loaded, arena: Arena, slots: list[Slot], sets: list[Tensors], **how: Any) -> Any:
        times = launch(self, candidate, arena, slots, sets, **how)
        seen.append((id(candidate), tuple(float(given["a"].double().sum()) for given in arena.given(slots))))
        return times

    monkeypatch.setattr(Judge, "launch", noted)
    monkeypatch.setattr("avo.tools.score.paired._odd", lambda *_: None)  # else they may be measured alone, too
    compared(executor, seed, with_change(seed, "SUMS = 1;", "SUMS = 4;"), usual, {"wide": usual["wide"] / 3})
    played = rounds_of(seen)
    assert len(played) >= LEAST_ROUNDS["cpu"]
    for number, (one, other) in enumerate(played):
        own = OWN_ROWS if number == 0 else 0
        assert abs(len(one) - len(other)) <= own
        assert len([data for data in one if data not in other]) <= own
        assert len([data for data in other if data not in one]) <= own
    turns = [who for who, _ in seen[-24:]]
    assert len({turns[n] == turns[n + 1] for n in range(23)}) == 2


OWN_ROWS = 5
"""Rows at most in which a side decides how long rows are, on data of its own."""


def rounds_of(seen: list[tuple[int, tuple[float, ...]]]) -> list[tuple[list[tuple[float, ...]], ...]]:
    """What each of the two processes of a round was launched on, by round; both of one end before the next begin."""
    by: dict[int, list[tuple[float, ...]]] = {}
    rounds: list[tuple[list[tuple[float, ...]], ...]] = []
    for who, data in seen:
        if who not in by and len(by) == 2:
            rounds.append(tuple(by.values()))
            by = {}
        by.setdefault(who, []).append(data)
    return [*rounds, tuple(by.values())]
