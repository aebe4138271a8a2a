"""A contest: everyone takes turns on the same data, who fails is out with a reason, and ratios are what they say."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from avo.scenarios.loader import Case, Scenario, load
from avo.tools.bench import paper
from avo.tools.bench.contest import ROW, TURNS, Candidate, Contest, Record, contest, order
from avo.tools.bench.report import Standings, ratio
from avo.tools.build.sources import Sources
from avo.tools.launch.launcher import Loaded
from avo.tools.reference.check import Tensors, error_ratio
from avo.tools.score.executor import LocalExecutor
from avo.types import AvoError

MORE = '''

def absent(case, inputs):
    """Needs a package that nobody has."""
    import a_package_that_nobody_has


def wrong(case, inputs):
    """Off by one hundredth."""
    return inputs["a"] @ inputs["x"] * 1.01


def nan(case, inputs):
    """No numbers."""
    return (inputs["a"] @ inputs["x"]) * float("nan")


def fails_later(case, inputs, seen=[]):
    """Out of memory at its third call."""
    seen.append(0)
    if len(seen) > 2:
        raise MemoryError("no more")
    return inputs["a"] @ inputs["x"]
'''

LOOP = "for (int64_t n = 0; n < a->R; n++) {"
LAZY = """
    static int launches;
    if (++launches > 12) {
        for (int64_t n = 0; n < a->R; n++) a->y[n] = 0;
        return 0;
    }
    """
"""Works in the checks and in the first turns."""


def changed(seed: Sources, old: str, new: str) -> Sources:
    files = {name: content.replace(old.encode(), new.encode()) for name, content in seed.items()}
    assert files != seed
    return files


@pytest.fixture
def scenario(own_scenario: Path) -> Scenario:
    """The tiny scenario with five baselines, of which two drop out."""
    reference = own_scenario / "reference.py"
    reference.write_text(reference.read_text() + MORE)
    found = load(str(own_scenario))
    names = ("absent", "torch_mv", "wrong", "nan", "fails_later")
    target = found.target("cpu").model_copy(update={"baselines": names})
    return found.model_copy(update={"targets": {"cpu": target}})


def test_everyone_takes_as_many_turns_and_who_fails_is_named(scenario: Scenario, seed: Sources) -> None:
    executor = LocalExecutor(scenario, "cpu")
    builds = {
        "seed": executor.build(seed),
        "wrong result": executor.build(changed(seed, "a->y[i] = y;", "a->y[i] = y * 1.01f;")),
        "wrong later": executor.build(changed(seed, LOOP, LAZY + LOOP)),
    }
    with executor.held() as judge:
        result = contest(judge, builds, scenario.target("cpu").baselines)
    assert [record.name for record in result.records] == ["torch_mv", "wrong", "nan", "seed"]
    assert [record.candidate for record in result.records] == [False, False, False, True]
    for record in result.records:
        assert len(record.seconds["wide"]) == TURNS["cpu"]
        assert all(len(row) == ROW["cpu"] and min(row) > 0 for row in record.seconds["wide"])
    errors = {record.name: record.errors["wide"] for record in result.records}
    assert 0 < errors["torch_mv"][0] <= 1
    assert errors["torch_mv"][1] <= scenario.tolerance.frobenius
    assert errors["wrong"][0] > 1  # told, not refused
    assert errors["wrong"][1] == pytest.approx(0.01, rel=0.01)
    assert errors["nan"] == (math.inf, math.inf)
    assert 0 < errors["seed"][0] <= 1
    assert set(result.missing) == {"absent", "fails_later"}
    assert result.missing["fails_later"] == "fails_later: MemoryError: no more"
    assert set(result.rejected) == {"wrong result", "wrong later"}
    assert result.rejected["wrong result"].startswith("INCORRECT_NUMERICAL: ")
    assert result.rotating_bytes == {"wide": 4 * (128 * 4096 + 4096 + 128)}
    told = Standings(scenario, "cpu", result).as_dict()
    assert (told["reference"], told["missing"], told["rejected"]) == ("torch_mv", result.missing, result.rejected)


def test_a_turn_on_which_the_clocks_disagree_is_none_for_anybody(
    scenario: Scenario, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    orders: list[int] = []
    forged: list[Tensors] = []
    checked: list[Tensors] = []
    turn = Candidate.turn

    def agrees(_: Loaded) -> bool:
        asked.append(len(asked) not in (1, 2))
        return asked[-1]

    def forging(self: Candidate, sets: Sequence[Tensors], number: int) -> tuple[list[tuple[float, Tensors]], bool]:
        done, agree = turn(self, sets, number)
        if not agree:
            done = [(1e-12, outputs) for _, outputs in done]
            forged.extend(outputs for _, outputs in done)
        return done, agree

    def in_order(count: int, number: int) -> list[int]:
        orders.append(number)
        return order(count, number)

    def check(scenario: Scenario, case: Case, inputs: Tensors, outputs: Tensors) -> float:
        checked.append(outputs)
        return error_ratio(scenario, case, inputs, outputs)

    monkeypatch.setattr(Loaded, "agrees", agrees)
    monkeypatch.setattr(Candidate, "turn", forging)
    monkeypatch.setattr("avo.tools.bench.contest.order", in_order)
    monkeypatch.setattr("avo.tools.bench.contest.error_ratio", check)
    executor = LocalExecutor(scenario, "cpu")
    with executor.held() as judge:
        result = contest(judge, {"seed": executor.build(seed)}, ["torch_mv"])
    assert len(asked) == TURNS["cpu"] + 2
    assert orders == [0, 1, 1, *range(1, TURNS["cpu"])]
    assert [len(record.seconds["wide"]) for record in result.records] == [TURNS["cpu"]] * 2
    assert min(min(row) for record in result.records for row in record.seconds["wide"]) > 1e-12
    [whole] = checked
    assert not any(whole is other for other in forged)


@pytest.mark.parametrize("count", range(1, 13))
def test_each_is_as_often_in_each_place_and_behind_each_other_one(count: int) -> None:
    turns = [order(count, turn) for turn in range(2 * count if count % 2 else count)]
    places = Counter(place for turn in turns for place in enumerate(turn))
    behind = Counter(pair for turn in turns for pair in itertools.pairwise(turn))
    assert set(places) == set(itertools.product(range(count), repeat=2))
    assert set(behind) == set(itertools.permutations(range(count), 2))
    assert len(set(places.values())) == 1
    assert len(set(behind.values())) <= 1


def test_the_papers_protocol_is_refused_on_a_cpu(scenario: Scenario) -> None:
    with LocalExecutor(scenario, "cpu").held() as judge, pytest.raises(AvoError, match="is one for GPUs"):
        contest(judge, {}, [], as_in_paper=True)


@pytest.mark.parametrize(
    ("milliseconds", "warmup", "timed"),
    [(13.4, 1, 1), (10.0, 1, 1), (4.9, 1, 2), (0.85, 5, 11), (0.01, 500, 1000)],
)
def test_the_papers_protocol_counts_milliseconds(milliseconds: float, warmup: int, timed: int) -> None:
    assert paper.repeats(milliseconds) == (warmup, timed)


def record(name: str, candidate: bool, **seconds: Sequence[Sequence[float]]) -> Record:
    """A record with these seconds by case, of turns of launches."""
    turns = {case: [list(row) for row in rows] for case, rows in seconds.items()}
    errors = dict.fromkeys(turns, (0.5, 1e-3))
    return Record(name, candidate, turns, errors, clocks={case: [] for case in turns})


def test_a_ratio_is_paired_by_round_and_its_interval_holds_it() -> None:
    drift = [1.0, 1.3, 0.9, 1.1, 1.5, 1.2, 0.8]
    slow = record("slow", False, a=[[2e-3 * d, 4e-3 * d] for d in drift], b=[[8e-3 * d] * 2 for d in drift])
    fast = record("fast", True, a=[[1e-3 * d, 2e-3 * d] for d in drift], b=[[1e-3 * d] * 2 for d in drift])
    found = ratio(fast, slow)
    assert found.cases == {"a": pytest.approx(2.0), "b": pytest.approx(8.0)}
    assert found.ratio == pytest.approx(4.0)
    assert (found.low, found.high) == (pytest.approx(4.0), pytest.approx(4.0))  # the drift is common to both
    assert ratio(slow, fast).ratio == pytest.approx(0.25)


def test_noise_that_is_not_common_widens_the_interval() -> None:
    quiet = record("quiet", False, a=[[1e-3]] * 9)
    noisy = record("noisy", True, a=[[1e-3 * f] for f in (0.8, 0.9, 0.95, 1.0, 1.0, 1.05, 1.1, 1.2, 1.3)])
    found = ratio(noisy, quiet)
    assert found.low < found.ratio < found.high
    assert found.high - found.low > 0.05


def standings_of(tiny: Scenario, *records: Record, missing: dict[str, str] | None = None) -> Standings:
    return Standings(tiny, "cpu", Contest(records, missing or {}, {"bad": "TIMEOUT: hangs"}, {"wide": 400}, 100))


def test_the_table_names_everyone_once_with_throughput_ratio_and_error(tiny: Scenario) -> None:
    gflop = 2 * 128 * 4096 / 1e9
    standings = standings_of(
        tiny, record("lib", False, wide=[[gflop / 4]] * 5), record("other", False, wide=[[gflop / 8]] * 5),
        record("mine", True, wide=[[gflop / 6]] * 5), missing={"fa3": "fa3: no module fa3: pip install it"},
    )  # fmt: skip
    lines = standings.text().splitlines()
    assert lines[1].split()[:5] == ["wide", "geomean", "error", "Frobenius", "x"]
    assert lines[2].split() == ["lib", "4.00", "4.00", "0.50", "1.0e-03", "1"]
    assert lines[3].split()[:6] == ["other", "8.00", "8.00", "0.50", "1.0e-03", "2.000"]
    assert lines[4].split()[-4:] == ["1.500", "(1.500", "to", "1.500)"]
    assert lines[5] == "mine: x1.500 of lib (1.500 to 1.500), x0.750 of other (0.750 to 0.750)"
    assert lines[6:] == ["rejected: bad: TIMEOUT: hangs", "missing: fa3: no module fa3: pip install it"]


def test_the_papers_figures_stand_in_a_column_of_their_own(tiny: Scenario) -> None:
    gflop = 2 * 128 * 4096 / 1e9
    one = record("lib", False, wide=[[gflop / 4]] * 5)
    one.paper["wide"] = [gflop / 5] * 5 + [gflop / 6] * 5
    standings = standings_of(tiny, one)
    assert standings.paper(one)["wide"] == (pytest.approx(5.5), pytest.approx(0.527, abs=1e-3))
    row = standings.text().splitlines()[2].split()
    assert row[5:8] == ["5.50", "±9.6%", "1"]
    told = standings.as_dict()["contestants"][0]
    assert told["paper_geomean"] == pytest.approx(5.5)
    assert len(told["cases"]["wide"]["paper"]["samples_ms"]) == 10


def test_the_json_says_whether_a_turn_left_l2_cold(tiny: Scenario) -> None:
    told = standings_of(tiny, record("lib", False, wide=[[1.0]])).as_dict()
    assert (told["l2_bytes"], told["rotating_bytes"], told["cold_l2"]) == (100, {"wide": 400}, {"wide": True})
    assert told["digest"] == tiny.digest
