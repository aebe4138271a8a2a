"""Attention without a mask: its reference against a second formulation, its work, its seeds; the rest is inherited."""

from __future__ import annotations

import math

import pytest
import torch

from avo.scenarios.attention.reference import ROWS
from avo.scenarios.loader import Case, Scenario, load
from avo.tools.build.knobs import with_settings
from avo.tools.build.seeds import seed_sources
from avo.tools.reference.check import error_ratio
from avo.tools.score.executor import LocalExecutor
from avo.types import Status

SCENARIO, CAUSAL = load("mha_noncausal"), load("mha_causal")
REFERENCE = SCENARIO.reference
FAMILIES = ("randn", "x3", "x8", "rising", "falling", "needle", "constant", "huge_key", "offset", "denormal")


def case_of(S: int, inputs: str = "randn", B: int = 1, H: int = 2) -> Case:
    return Case(id="a case", dims={"B": B, "S": S, "H": H, "D": 128}, inputs=inputs)


def in_one_sum(inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over all keys of exp(logit - log of the sum of exponentials), in float64, with no softmax()."""
    q, k, v = (inputs[name].double() for name in "qkv")
    logits = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(q.shape[3])
    weights = torch.exp(logits - torch.logsumexp(logits, dim=3, keepdim=True))
    return torch.einsum("bhij,bjhd->bihd", weights, v), torch.einsum("bhij,bjhd->bihd", weights, v.abs())


@pytest.mark.parametrize(
    "case", [*(case_of(96, family) for family in FAMILIES), case_of(1), case_of(333), case_of(77, B=3, H=3)],
    ids=lambda case: f"{case.inputs} S={case.dims['S']}",
)  # fmt: skip
def test_the_reference_agrees_with_an_independent_formulation(case: Case) -> None:
    inputs = REFERENCE.make_inputs(case, 5, "cpu")
    value, magnitude = REFERENCE.reference(case, inputs)["o"]
    expected = in_one_sum(inputs)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, expected[0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(magnitude, expected[1], rtol=1e-9, atol=1e-12)


def test_the_chunks_of_a_long_reference_meet_without_a_seam() -> None:
    case = case_of(ROWS + 70, H=1)
    inputs = REFERENCE.make_inputs(case, 6, "cpu")
    value, _ = REFERENCE.reference(case, inputs)["o"]
    torch.testing.assert_close(value.double(), in_one_sum(inputs)[0], rtol=1e-4, atol=1e-6)


def test_the_order_of_the_keys_does_not_matter_and_the_last_one_reaches_the_first_row() -> None:
    case = case_of(70)
    inputs = REFERENCE.make_inputs(case, 7, "cpu")
    before = REFERENCE.reference(case, inputs)["o"][0]
    order = torch.randperm(70, generator=torch.Generator().manual_seed(1))
    turned = REFERENCE.reference(case, inputs | {name: inputs[name][:, order] for name in "kv"})["o"][0]
    torch.testing.assert_close(turned, before, rtol=1e-12, atol=1e-12)
    changed = {name: tensor.clone() for name, tensor in inputs.items()}
    changed["v"][:, -1] += 3.0
    assert (REFERENCE.reference(case, changed)["o"][0] != before).all()


@pytest.mark.parametrize("case", [case_of(1), case_of(333), case_of(256, "x3"), case_of(200, "offset")])
def test_the_baseline_computes_the_same_within_tolerance(case: Case) -> None:
    inputs = REFERENCE.make_inputs(case, 8, "cpu")
    assert error_ratio(SCENARIO, case, inputs, {"o": REFERENCE.torch_sdpa(case, inputs)}) <= 1


def test_a_causal_answer_is_wrong_here_and_the_other_way_round() -> None:
    case = case_of(130)
    inputs = REFERENCE.make_inputs(case, 9, "cpu")
    both = [scenario.reference.reference(case, inputs)["o"][0] for scenario in (SCENARIO, CAUSAL)]
    assert (both[0][:, :-1] != both[1][:, :-1]).all()
    torch.testing.assert_close(both[0][:, -1], both[1][:, -1])  # the last row sees every key in either


@pytest.mark.parametrize("case", SCENARIO.cases, ids=lambda case: case.id)
def test_the_work_is_two_products_over_all_keys(case: Case) -> None:
    B, S, H, D = (case.dims[name] for name in "BSHD")
    assert SCENARIO.work_of("TFLOPS", case) * 1e12 == 4 * B * H * S * S * D
    assert SCENARIO.work_of("TFLOPS", case) == 2 * CAUSAL.work_of("TFLOPS", case)


def test_everything_but_the_mask_is_that_of_the_causal_scenario() -> None:
    for field in ("dims", "tensors", "tolerance", "cases", "tests", "targets"):
        assert getattr(SCENARIO, field) == getattr(CAUSAL, field), field
    values = [{scalar.name: scalar.value for scalar in scenario.scalars} for scenario in (SCENARIO, CAUSAL)]
    assert values == [{"scale": "D ** -0.5", "causal": causal} for causal in (0, 1)]
    assert SCENARIO.digest != CAUSAL.digest


@pytest.mark.parametrize("scenario", [SCENARIO, CAUSAL], ids=lambda scenario: scenario.name)
def test_every_baseline_that_a_target_names_is_there_to_be_called(scenario: Scenario) -> None:
    for target in scenario.targets.values():
        assert target.baselines
        assert all(callable(getattr(scenario.reference, name)) for name in target.baselines)


SETTINGS: list[dict[str, str]] = [
    {},
    {"K_LAYOUT": "0", "Q_ROWS": "12", "LANES": "16", "KV_TILE": "64", "EXP": "1"},
    {"K_LAYOUT": "1", "Q_ROWS": "8", "LANES": "8", "KV_TILE": "256"},
    {"K_LAYOUT": "2", "Q_ROWS": "12", "LANES": "16", "KV_TILE": "128", "EXP": "1"},
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: ",".join(setting.values()) or "as it stands")
def test_the_shared_seed_honours_that_there_is_no_mask(setting: dict[str, str]) -> None:
    target = SCENARIO.target("cpu").model_copy(update={"baselines": ()})
    quick = SCENARIO.model_copy(update={"cases": (SCENARIO.cases[0],), "targets": {"cpu": target}})
    verdict = LocalExecutor(quick, "cpu").evaluate(with_settings(seed_sources(SCENARIO, "cpu"), setting))
    assert verdict.status is Status.PASSED, f"{verdict.reason}\n{verdict.log}"


def test_a_seed_that_masks_is_rejected() -> None:
    files = seed_sources(SCENARIO, "cpu")
    masking = {name: content.replace(b"a->causal", b"1") for name, content in files.items()}
    assert masking != files
    verdict = LocalExecutor(SCENARIO, "cpu").evaluate(masking)
    assert verdict.status is Status.INCORRECT_NUMERICAL
