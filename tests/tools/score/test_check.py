"""Right or wrong: the bound of each element, the bound of the norm, and what is told of a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from avo.scenarios.loader import Case, Scenario, load
from avo.tools.score.check import asked, error_ratio, expected
from avo.types import Rejected, Status

CASE = Case(id="given", dims={"R": 4, "C": 3})
HIDDEN = CASE.model_copy(update={"id": "a secret name", "hidden": True})


def inputs() -> dict[str, torch.Tensor]:
    """Four rows of which the third sums up to almost nothing from large terms."""
    a = torch.tensor([[1.0, 2, 3], [4, 5, 6], [1000, -1000, 0.5], [0, 0, 0]])
    return {"a": a, "x": torch.ones(3)}


def right() -> torch.Tensor:
    return torch.tensor([6.0, 15.0, 0.5, 0.0])


def with_tolerance(scenario: Scenario, **bounds: float) -> Scenario:
    zero = {"magnitude": 0.0, "relative": 0.0, "absolute": 0.0, "frobenius": 1e9}
    return scenario.model_copy(update={"tolerance": scenario.tolerance.model_copy(update=zero | bounds)})


def rejection(scenario: Scenario, output: torch.Tensor, case: Case = CASE) -> str:
    with pytest.raises(Rejected) as caught:
        error_ratio(scenario, case, inputs(), {"y": output})
    assert caught.value.status is Status.INCORRECT_NUMERICAL
    return caught.value.reason


def test_the_reference_gives_value_and_magnitude_in_float64(tiny: Scenario) -> None:
    value, magnitude = expected(tiny, CASE, inputs())["y"]
    assert torch.equal(value, right().double())
    assert torch.equal(magnitude, torch.tensor([6.0, 15.0, 2000.5, 0.0]).double())
    assert value.dtype == torch.float64


def test_what_is_exact_has_no_error(tiny: Scenario) -> None:
    assert error_ratio(tiny, CASE, inputs(), {"y": right()}) == 0


@pytest.mark.parametrize(
    ("bounds", "row", "allowed"),
    [
        ({"absolute": 0.25}, 3, 0.25),
        ({"relative": 0.125, "absolute": 1e-9}, 1, 15 * 0.125),
        ({"magnitude": 0.125, "absolute": 1e-9}, 2, 2000.5 * 0.125),
        ({"magnitude": 0.125, "relative": 0.5, "absolute": 1.0}, 0, 6 * 0.125 + 6 * 0.5 + 1),
    ],
)
def test_an_element_may_be_off_by_the_sum_of_its_bounds(
    tiny: Scenario, bounds: dict[str, float], row: int, allowed: float
) -> None:
    scenario, output = with_tolerance(tiny, **bounds), right()
    output[row] += 0.5 * allowed
    assert error_ratio(scenario, CASE, inputs(), {"y": output}) == pytest.approx(0.5, rel=1e-5)
    output[row] += 1.5 * allowed
    assert rejection(scenario, output) == f"y[{row}] is off by 2 times the allowed error (case given)"


def test_the_worst_element_is_the_one_that_is_named(tiny: Scenario) -> None:
    assert rejection(with_tolerance(tiny, absolute=1.0), right() + torch.tensor([2.0, 3, 7, 4])).startswith(
        "y[2] is off by 7 "
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_wrong_under_any_bound(tiny: Scenario, value: float) -> None:
    output = right()
    output[3] = value
    assert rejection(with_tolerance(tiny, absolute=1e30), output) == "y[3] is not finite (case given)"


def test_many_small_errors_exceed_the_bound_of_the_norm(tiny: Scenario) -> None:
    scenario = with_tolerance(tiny, absolute=1.0, frobenius=0.01)
    assert "y has a relative error of " in rejection(scenario, right() + 0.9)
    assert error_ratio(scenario, CASE, inputs(), {"y": right() + 0.01}) == pytest.approx(0.01, rel=1e-4)


def test_a_hidden_test_is_not_named(tiny: Scenario) -> None:
    wrong, infinite = right() + 5, right() / 0
    scenarios = ((tiny, wrong), (tiny, infinite), (with_tolerance(tiny, absolute=9.0, frobenius=0.01), wrong))
    for scenario, output in scenarios:
        reason = rejection(scenario, output, HIDDEN)
        assert reason.endswith("(case a hidden test)")
        assert "secret" not in reason


def test_an_element_without_any_bound_hides_no_other(tiny: Scenario) -> None:
    # 0 / 0 is NaN, the maximum of the ratios with it, and everything passed when this was written.
    output = right()
    output[0] = 100.0
    assert "is off by" in rejection(with_tolerance(tiny, relative=1e-3), output)


def test_a_reference_that_is_not_finite_passes_nothing(own_scenario: Path) -> None:
    # NaN compares false with every bound; all outputs passed when this was written.
    reference = own_scenario / "reference.py"
    text = reference.read_text()
    assert "a @ x, " in text
    reference.write_text(text.replace("a @ x, ", "a @ x * float('nan'), "))
    with pytest.raises(Exception, match=r"."):
        error_ratio(load(str(own_scenario)), CASE, inputs(), {"y": right() + 100})


def test_a_full_gpu_is_not_blamed_on_the_scenario(own_scenario: Path) -> None:
    text = "import torch\n\n\ndef make_inputs(case, seed, device):\n    raise torch.OutOfMemoryError('full')\n"
    (own_scenario / "reference.py").write_text(text + "\n\ndef reference(case, inputs):\n    return {}\n")
    with pytest.raises(torch.OutOfMemoryError):
        asked(load(str(own_scenario)), "make_inputs", CASE, 1, "cpu")
