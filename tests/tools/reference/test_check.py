"""Right or wrong: the bound of each element, the bound of the norm, and what is told of a failure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from avo.scenarios.loader import Case, Scenario, load
from avo.tools.reference.asked import asked
from avo.tools.reference.blocks import block_of, norms, relative_norms
from avo.tools.reference.check import error_ratio, expected, ratio_to
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
    value = output[row]
    told = f"y[{row}] of shape [4] is {value:.4g}, expected {right()[row]:.4g} (allowed error {allowed:.4g})"
    assert rejection(scenario, output) == f"{told}; 1 of 4 elements is wrong (case given)"


def test_the_worst_element_is_the_one_that_is_named(tiny: Scenario) -> None:
    assert rejection(with_tolerance(tiny, absolute=1.0), right() + torch.tensor([2.0, 3, 7, 4])).startswith(
        "y[2] of shape [4] is 7.5, expected 0.5 (allowed error 1); 4 of 4 elements are wrong"
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_wrong_under_any_bound(tiny: Scenario, value: float) -> None:
    output = right()
    output[3] = value
    told = rejection(with_tolerance(tiny, absolute=1e30), output)
    assert told.startswith(f"y[3] of shape [4] is {value}, expected 0 (allowed error 1e+30); 1 of 4 elements is")


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
        assert not re.search(r"\[|\d", reason.replace("0.01", "")), "nothing of its shape, its place or its data"


def test_an_element_without_any_bound_hides_no_other(tiny: Scenario) -> None:
    # 0 / 0 is NaN, the maximum of the ratios with it, and everything passed when this was written.
    output = right()
    output[0] = 100.0
    assert "y[0] of shape [4] is 100, expected 6 " in rejection(with_tolerance(tiny, relative=1e-3), output)


def test_a_full_gpu_is_not_blamed_on_the_scenario(own_scenario: Path) -> None:
    text = "import torch\n\n\ndef make_inputs(case, seed, device):\n    raise torch.OutOfMemoryError('full')\n"
    (own_scenario / "reference.py").write_text(text + "\n\ndef reference(case, inputs):\n    return {}\n")
    with pytest.raises(torch.OutOfMemoryError):
        asked(load(str(own_scenario)), "make_inputs", CASE, 1, "cpu")


def test_an_infinity_that_is_expected_has_to_be_met_and_nan_never_passes(tiny: Scenario) -> None:
    value = torch.tensor([1.0, -torch.inf, torch.inf, 2.0]).double()
    wanted = {"y": (value, value.abs().masked_fill(value == torch.inf, 5.0))}
    scenario = with_tolerance(tiny, absolute=0.5, relative=1e-3, frobenius=0.5)
    assert ratio_to(scenario, CASE, wanted, {"y": value.float()}) == 0
    for index, wrong in ((1, torch.inf), (1, -1e30), (1, torch.nan), (2, torch.nan), (0, torch.inf), (0, torch.nan)):
        output = value.float()
        output[index] = wrong
        with pytest.raises(
            Rejected, match=rf"y\[{index}\] of shape \[4\] is .*, expected .*; 1 of 4 elements is wrong"
        ):
            ratio_to(scenario, CASE, wanted, {"y": output})


def test_whole_numbers_are_told_as_such(tiny: Scenario) -> None:
    value = torch.tensor([70000, 2, 3, 4]).double()
    with pytest.raises(Rejected, match=r"y\[0\] of shape \[4\] is 70001, expected 70000 \(allowed error 0\); 1 of 4"):
        ratio_to(with_tolerance(tiny), CASE, {"y": (value, value)}, {"y": (value + torch.eye(4)[0]).int()})


@pytest.mark.parametrize("shape", [(1,), (7, 5), (32769,), (3, 333, 2, 128), (8, 256, 16, 16), (100003, 3)])
def test_blocks_cover_every_element_once_and_none_is_larger_than_it_may_be(shape: tuple[int, ...]) -> None:
    block = block_of(shape)
    size = torch.Size(block).numel()
    assert size <= 32768
    assert size > 16384 or block == shape or size * 2 > 32768 * 0.9
    tensor = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    found = norms(tensor, block)
    assert list(found.shape) == [-(-extent // part) for extent, part in zip(shape, block, strict=True)]
    torch.testing.assert_close(torch.linalg.vector_norm(found), torch.linalg.vector_norm(tensor))
    last = tensor[tuple(slice((n - 1) * b, None) for n, b in zip(found.shape, block, strict=True))]
    torch.testing.assert_close(found.flatten()[-1], torch.linalg.vector_norm(last))


def test_a_region_that_is_wrong_does_not_hide_behind_the_rest(tiny: Scenario) -> None:
    value = torch.ones(1024, 256, dtype=torch.float64)
    scenario, output = with_tolerance(tiny, absolute=1.0, frobenius=4e-3), value.float() * 1.002
    wanted = {"y": (value, value)}
    assert ratio_to(scenario, CASE, wanted, {"y": output}) < 1
    output[896:] = 1.0055  # over the whole it is 2.7e-3
    with pytest.raises(
        Rejected, match=r"y\[896:1024, 0:256\] has a relative error of 5\.50e-03 > 0\.004 \(case given\)"
    ):
        ratio_to(scenario, CASE, wanted, {"y": output})
    with pytest.raises(
        Rejected, match=r"^INCORRECT_NUMERICAL: y has a relative error > 0\.004 \(case a hidden test\)$"
    ):
        ratio_to(scenario, HIDDEN, wanted, {"y": output})
    value[896:] = 1e-3  # what cancels there may be off by a part of what the others are
    assert ratio_to(scenario, CASE, wanted, {"y": value.float() + 1e-4}) < 1


def attention(inputs: dict[str, torch.Tensor], value: torch.Tensor, *, coarse: bool) -> float:
    """Worst relative norm of a block for one head of causal attention with P in bf16; coarse: late logits of int8."""
    q, k, v = (inputs[name][0, :, 0].float() for name in "qkv")
    logits = q @ k.T
    if coarse:
        q, k = ((x / (step := x.abs().amax(-1, keepdim=True) / 127)).round() * step for x in (q, k))
        logits[len(q) // 2 :] = q[len(q) // 2 :] @ k.T
    logits = (logits * q.shape[1] ** -0.5).masked_fill(torch.ones_like(logits, dtype=torch.bool).triu(1), -torch.inf)
    weights = (logits - logits.amax(-1, keepdim=True)).exp()
    o = (weights.bfloat16().float() @ v / weights.sum(-1, keepdim=True)).bfloat16()
    return float(relative_norms((o - value[0, :, 0]).abs(), value[0, :, 0])[1].max())


def test_int8_logits_of_late_rows_are_seen_by_blocks_and_honest_rounding_passes_in_every_family() -> None:
    scenario = load("mha_causal")
    for family in dict.fromkeys(test.inputs for test in scenario.tests):
        case = Case(id="given", dims={"B": 1, "S": 1024, "H": 1, "D": 128}, inputs=family)
        inputs = scenario.reference.make_inputs(case, 5, "cpu")
        value = expected(scenario, case, inputs)["o"][0]
        assert attention(inputs, value, coarse=False) < 0.65 * scenario.tolerance.frobenius
        if family == "randn":
            assert attention(inputs, value, coarse=True) > 2 * scenario.tolerance.frobenius
