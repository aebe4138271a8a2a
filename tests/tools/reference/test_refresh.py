"""New data for each launch: mixtures of drawn sets, or what a scenario's own `refresh` makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from avo.scenarios.loader import Scenario, load
from avo.tools.build.seeds import seed_sources
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge
from avo.types import ScenarioError, Status

REFRESH = """

def refresh(case, inputs, seed):
    generator = torch.Generator().manual_seed(seed)
    shift = torch.rand((), generator=generator)
    return {"a": inputs["a"].neg(), "x": inputs["x"] + shift}
"""
UNSORTED = """
    for (int64_t j = 1; j < a->C; j++)
        if (a->x[j] < a->x[j - 1]) return 9;
    for (int64_t n = 0; n < a->R; n++) {"""
ROWS = "\n    for (int64_t n = 0; n < a->R; n++) {"


def ascending(folder: Path, refresh: str) -> Scenario:
    """The scenario, but x ascends, and its seed fails where it does not."""
    reference, seed = folder / "reference.py", folder / "seed" / "matvec.cpp"
    text = reference.read_text()
    assert '"x": x}' in text
    reference.write_text(text.replace('"x": x}', '"x": x.sort().values}') + refresh)
    assert ROWS in seed.read_text()
    seed.write_text(seed.read_text().replace(ROWS, UNSORTED))
    return load(str(folder))


def test_launches_see_mixtures_of_different_pairs_of_the_drawn_sets(tiny: Scenario) -> None:
    pool = Judge(tiny, "cpu").pool(tiny.cases[0], 3)
    drawn = torch.stack([one["x"] for one in pool.sets])
    seen = [dict(pool.fresh())["x"] for _ in range(24)]
    origins = set()
    for x in seen:
        same = (drawn == x).sum(1) > 0.1 * len(x)
        assert int(same.sum()) == 2
        origins.add(tuple(same.tolist()))
    assert len(origins) == 3
    assert len({tuple(x.tolist()) for x in seen}) == len(seen)


def test_a_scenarios_own_refresh_is_what_timed_launches_see(own_scenario: Path) -> None:
    scenario = ascending(own_scenario, REFRESH)
    pool = Judge(scenario, "cpu").pool(scenario.cases[0], 2)
    first, second = pool.fresh(), pool.fresh()
    assert bool((first["x"].diff() >= 0).all())
    assert not torch.equal(first["x"], second["x"])
    verdict = LocalExecutor(scenario, "cpu").evaluate(seed_sources(scenario, "cpu"))
    assert verdict.status is Status.PASSED, verdict.reason


def test_without_it_what_inputs_have_in_common_is_lost(own_scenario: Path) -> None:
    scenario = ascending(own_scenario, "")
    verdict = LocalExecutor(scenario, "cpu").evaluate(seed_sources(scenario, "cpu"))
    assert (verdict.status, verdict.reason) == (Status.RUNTIME_ERROR, "avo_launch returned 9 (case wide)")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"x": inputs["x"] + shift', '"x": inputs["x"][1:]', "must return x with the shape [4096], not [4095]"),
        ('"x": inputs["x"] + shift', '"x": inputs["x"].double()', "x is float64, but scenario.toml says fp32"),
        (', "x": inputs["x"] + shift', "", "must return x with the shape [4096]"),
        ('"a": inputs["a"].neg()', '"b": inputs["a"]', "returns 'b', which is no input"),
        ('inputs["a"].neg()', 'inputs["q"]', "KeyError: 'q'"),
    ],
)
def test_a_refresh_that_returns_something_else_is_the_scenarios_fault(
    own_scenario: Path, old: str, new: str, problem: str
) -> None:
    assert old in REFRESH
    scenario = ascending(own_scenario, REFRESH.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        LocalExecutor(scenario, "cpu").evaluate(seed_sources(scenario, "cpu"))
    file, line, rest = str(caught.value).split(":", 2)
    assert file == str(own_scenario / "reference.py")
    assert int(line) > 0
    assert "refresh(case 'wide')" in rest
    assert problem in rest
