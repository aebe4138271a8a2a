"""Outputs checked in part: parts are proved to be such, what is wrong is found, what is right is not refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from avo.scenarios.loader import Case, Scenario, Tolerance, load
from avo.tools.reference.check import Tensors, expected
from avo.tools.reference.inputs import drawn
from avo.tools.reference.parts import GARBAGE, Parts, _ratios
from avo.types import Rejected, ScenarioError

CAUSAL = '''
"""y[r, c] = log of the sum of exp(x[i, c]) over i <= r: rows hang on those before, columns on no other."""

import torch


def make_inputs(case, seed, device):
    generator = torch.Generator(device).manual_seed(seed)
    return {"x": torch.randn(case.dims["R"], case.dims["C"], generator=generator, device=device)}


def reference(case, inputs):
    y = inputs["x"].double().logcumsumexp(0)
    return {"y": (y, y.abs() + 1)}
'''
SAMPLE = """

def sample(case, inputs, seed):
    generator = torch.Generator().manual_seed(seed)
    row = int(torch.randint(case.dims["R"], (), generator=generator))
    whole, column = inputs["x"].double().logcumsumexp(0), torch.arange(case.dims["C"])
    return {"y": (row * case.dims["C"] + column, whole[row], whole[row].abs() + 1)}
"""
TABLES = """
summary = "Running log of a sum"
task = "none"
dims = ["R", "C"]
tensors = [
    { name = "x", dtype = "fp32", shape = ["R", "C"], role = "in" },
    { name = "y", dtype = "fp32", shape = ["R", "C"], role = "out" },
]
cases = [{ id = "wide", dims = { R = 8, C = 40 } }]
[work]
flops = "R * C"
bytes = "8 * R * C"
[tolerance]
magnitude = 1e-5
relative = 1e-5
absolute = 1e-6
frobenius = 1e-4
[targets.cpu]
seed = "seed"
unit = "GFLOP/s"
flags = []
"""


def causal(folder: Path, more: str = "") -> Scenario:
    """A scenario whose rows are not independent of each other."""
    (folder / "seed").mkdir()
    (folder / "scenario.toml").write_text(TABLES)
    (folder / "reference.py").write_text(CAUSAL + more)
    return load(str(folder))


def right(scenario: Scenario, case: Case) -> tuple[Parts, Tensors, Tensors]:
    """How a case is checked; one set of inputs, and what a candidate should make of it."""
    inputs = drawn(scenario, case, 5, "cpu")
    wanted = expected(scenario, case, inputs)
    outputs = {name: value.float() for name, (value, _) in wanted.items()}
    return Parts(scenario, case, inputs, wanted), inputs, outputs


def test_rows_that_hang_on_nothing_but_their_own_inputs_are_sliced(tiny: Scenario) -> None:
    parts, inputs, outputs = right(tiny, tiny.cases[0])
    assert parts.dims == ("R",)
    for _ in range(50):
        parts.check([(inputs, outputs)], parts=3)


def test_a_dimension_along_which_outputs_hang_on_the_position_is_not_sliced(tmp_path: Path) -> None:
    scenario = causal(tmp_path)
    parts, inputs, outputs = right(scenario, scenario.cases[0])
    assert parts.dims == ("C",)
    for _ in range(50):
        parts.check([(inputs, outputs)])


def test_one_wrong_row_of_one_launch_among_many_is_found_sooner_or_later(tiny: Scenario) -> None:
    case = tiny.cases[0].model_copy(update={"dims": {"R": 8, "C": 64}})
    parts, inputs, outputs = right(tiny, case)
    wrong = {"y": outputs["y"].clone()}
    wrong["y"][5] += 1
    told = []
    for _ in range(200):  # two rows of eight are looked at each time
        try:
            parts.check([(inputs, outputs)] * 5 + [(inputs, wrong)])
        except Rejected as rejected:
            told.append(str(rejected).partition(" is ")[0])
    assert set(told) == {"INCORRECT_NUMERICAL: y[5] of shape [8]"}
    assert 10 < len(told) < 120


@pytest.mark.parametrize("launch", [0, 3, 5])
def test_a_launch_that_is_wrong_everywhere_is_found_at_once_wherever_it_stands(tiny: Scenario, launch: int) -> None:
    parts, inputs, outputs = right(tiny, tiny.cases[0])
    launches = [(inputs, outputs)] * 6
    launches[launch] = (inputs, {"y": outputs["y"] * 1.01})
    with pytest.raises(Rejected):
        parts.check(launches)


def test_what_nothing_can_be_had_of_in_part_is_checked_whole(tmp_path: Path) -> None:
    scenario = causal(tmp_path)
    case = scenario.cases[0].model_copy(update={"dims": {"R": 8, "C": 1}})
    parts, inputs, outputs = right(scenario, case)
    assert parts.dims == ()
    parts.check([(inputs, outputs)] * 9)
    wrong = {"y": outputs["y"].clone()}
    wrong["y"][7] += 1
    with pytest.raises(Rejected, match=r"y\[7, 0\]"):
        parts.check([(inputs, wrong)])


def test_what_a_scenario_samples_is_used_instead_of_slices(tmp_path: Path) -> None:
    scenario = causal(tmp_path, SAMPLE)
    parts, inputs, outputs = right(scenario, scenario.cases[0])
    assert (parts.sampled, parts.dims) == (True, ())
    parts.check([(inputs, outputs)] * 9)
    wrong = {"y": outputs["y"].clone()}
    wrong["y"][:, 39] += 1
    with pytest.raises(Rejected, match=r"y\[\d, 39\] of shape \[8, 40\]"):
        parts.check([(inputs, wrong)])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("whole[row], ", "whole[row] * 1.01, ", "y is not what reference() answers there"),
        ("row * case", "(row + 1) % 8 * case", "y is not what reference() answers there"),
        (".abs() + 1)", ".abs() + 2)", "the magnitude of y is not what reference() answers"),
        ('{"y": (', '{"z": (', "must return y: (index, value, magnitude)"),
        (", whole[row].abs() + 1)", ")", "must return y: (index, value, magnitude)"),
        ("whole[row], ", "whole[row][1:], ", "must return y: (index, value, magnitude)"),
        ("whole[row], ", "nowhere[row], ", "NameError: name 'nowhere' is not defined"),
    ],
)
def test_a_sample_that_is_none_is_the_scenarios_fault(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in SAMPLE
    scenario = causal(tmp_path, SAMPLE.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        right(scenario, scenario.cases[0])
    file, line, rest = str(caught.value).split(":", 2)
    assert file == str(tmp_path / "reference.py")
    assert int(line) >= (CAUSAL + SAMPLE).count("\n", 0, (CAUSAL + SAMPLE).index("def sample"))
    assert "sample(case 'wide')" in rest
    assert problem in rest


def test_a_part_that_is_nan_is_wrong(tiny: Scenario) -> None:
    parts, inputs, outputs = right(tiny, tiny.cases[0])
    with pytest.raises(Rejected):
        parts.check([(inputs, {"y": torch.full_like(outputs["y"], torch.nan)})])


def part(error: float, value: float = 1.0, count: int = 100) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Expected values, magnitudes and what a launch wrote, of one output: all of it wrong by `error`."""
    right = torch.full((count,), value, dtype=torch.float64)
    return [(right, right.abs(), (right + error).float())]


@pytest.mark.parametrize("counts", [(100, 100, 100), (100, 50, 7)])
def test_of_many_launches_each_has_the_ratio_of_its_own_part(counts: tuple[int, ...]) -> None:
    tolerance = Tolerance(magnitude=0, relative=0, absolute=0.1, frobenius=0)
    seen = [part(error, count=count) for error, count in zip((0.05, 0.2, 0.0), counts, strict=True)]
    assert _ratios(tolerance, seen).tolist() == pytest.approx([0.5, 2.0, 0.0], abs=1e-5)
    lost = part(0.0)
    lost[0][2][3] = torch.nan
    assert _ratios(tolerance, [part(0.0), lost]).tolist() == [0.0, torch.inf]


def test_a_part_that_is_wrong_by_far_more_than_the_norm_allows_is_looked_at_whole_whatever_its_elements_may_be() -> (
    None
):
    tolerance = Tolerance(magnitude=0, relative=0, absolute=10.0, frobenius=0.01)
    ratios = _ratios(tolerance, [part(0.02), part(2 * GARBAGE * 0.01), part(0.02, value=0.0)])
    assert ratios.tolist() == pytest.approx([0.02 / 0.01 / GARBAGE, 2.0, 0.002], rel=1e-3)
