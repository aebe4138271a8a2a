"""Grouped-query attention: its reference against a loop over heads, and faults in the mapping of heads are found."""

from __future__ import annotations

import math

import pytest
import torch

from avo.scenarios.catalog import names
from avo.scenarios.loader import Case, Scenario, load
from avo.tools.build.seeds import seed_sources
from avo.tools.build.sources import Sources
from avo.tools.reference.check import error_ratio
from avo.tools.score.executor import LocalExecutor
from avo.types import Rejected, Status

NAMES = [name for name in names() if name.startswith("gqa_")]
SCENARIO = load("gqa_32_8_causal")
FAMILIES = ("randn", "x8", "rising", "needle", "constant", "huge_key", "heads", "one_head")
FAULTS = {
    "heads taken in turn": "h / (a->H / heads) * D|h % heads * D",
    "the first head of keys for all": "h / (a->H / heads) * D|0",
    "the last group one head short": "h / (a->H / heads) * D|(h + 1) / (a->H / heads) % heads * D",
    "batches mixed up": "from = b * key_stride|from = 0 * key_stride",
}


def case_of(S: int, H: int, Hkv: int, inputs: str = "randn", B: int = 1) -> Case:
    return Case(id="a case", dims={"B": B, "S": S, "H": H, "Hkv": Hkv, "D": 128}, inputs=inputs)


def head_by_head(inputs: dict[str, torch.Tensor], *, causal: bool) -> torch.Tensor:
    """The output by a loop over heads, in float64, with no softmax()."""
    q, k, v = (inputs[name].double() for name in "qkv")
    group, later = q.shape[2] // k.shape[2], torch.ones(q.shape[1], q.shape[1]).triu(1).bool()
    heads = []
    for head in range(q.shape[2]):
        logits = q[:, :, head] @ k[:, :, head // group].transpose(1, 2) / math.sqrt(q.shape[3])
        if causal:
            logits.masked_fill_(later, -torch.inf)
        weights = torch.exp(logits - logits.logsumexp(2, keepdim=True))
        heads.append(weights @ v[:, :, head // group])
    return torch.stack(heads, dim=2)


def test_there_are_the_four_of_the_paper() -> None:
    assert NAMES == ["gqa_32_4_causal", "gqa_32_4_noncausal", "gqa_32_8_causal", "gqa_32_8_noncausal"]


@pytest.mark.parametrize("name", NAMES)
def test_each_times_32_heads_over_its_heads_of_keys_and_counts_their_work(name: str) -> None:
    scenario, causal = load(name), name.endswith("_causal")
    cases = scenario.timed("sm_90a")
    assert [case.dims["S"] * case.dims["B"] for case in cases] == [32768] * 4
    assert {(case.dims["H"], case.dims["Hkv"]) for case in cases} == {(32, int(name.split("_")[2]))}
    assert scenario.work_of("TFLOPS", cases[0]) == pytest.approx(1.0995 if causal else 2.199, rel=1e-3)
    heads = 2 * 32 + 2 * int(name.split("_")[2])
    assert scenario.work_of("GB/s", cases[0]) == pytest.approx(2 * 32768 * 128 * heads / 1e9)


@pytest.mark.parametrize("name", ["gqa_32_8_causal", "gqa_32_4_noncausal"])
@pytest.mark.parametrize(
    "case", [*(case_of(70, 6, 2, family) for family in FAMILIES), case_of(33, 4, 4), case_of(40, 5, 1, B=2)],
    ids=lambda case: f"{case.inputs} H={case.dims['H']}/{case.dims['Hkv']}",
)  # fmt: skip
def test_the_reference_agrees_with_a_loop_over_heads(name: str, case: Case) -> None:
    reference = load(name).reference
    inputs = reference.make_inputs(case, 3, "cpu")
    assert inputs["k"].shape == inputs["v"].shape == (case.dims["B"], case.dims["S"], case.dims["Hkv"], 128)
    value, _ = reference.reference(case, inputs)["o"]
    torch.testing.assert_close(value, head_by_head(inputs, causal=name.endswith("_causal")), rtol=1e-9, atol=1e-12)


def test_heads_can_be_told_by_their_number() -> None:
    case = case_of(20, 12, 4, "heads")
    value, _ = SCENARIO.reference.reference(case, SCENARIO.reference.make_inputs(case, 1, "cpu"))["o"]
    numbers = torch.arange(12) // 3 + 1
    torch.testing.assert_close(value, numbers.view(1, 1, 12, 1).expand_as(value).double())


def test_heads_that_do_not_come_out_even_are_no_case() -> None:
    with pytest.raises(ValueError, match="H = 5 is no multiple of Hkv = 2"):
        SCENARIO.reference.make_inputs(case_of(8, 5, 2), 1, "cpu")


def test_pytorch_passes_its_own_way_of_grouping() -> None:
    for H, Hkv in ((8, 2), (4, 4), (5, 1)):
        case = case_of(130, H, Hkv)
        inputs = SCENARIO.reference.make_inputs(case, 4, "cpu")
        assert error_ratio(SCENARIO, case, inputs, {"o": SCENARIO.reference.torch_sdpa(case, inputs)}) < 1


def faulty(files: Sources, fault: str) -> Sources:
    """The seed with one fault planted."""
    old, _, new = FAULTS[fault].partition("|")
    text = files["attention.cpp"].decode()
    assert text.count(old) == 1
    return {"attention.cpp": text.replace(old, new).encode()}


@pytest.fixture(scope="module")
def small() -> Scenario:
    """The scenario with one small case to time."""
    case = case_of(64, 4, 2).model_copy(update={"id": "small", "family": "cpu"})
    return SCENARIO.model_copy(update={"cases": (case,), "targets": {"cpu": SCENARIO.target("cpu")}})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_mapping_of_heads_is_found(small: Scenario, fault: str) -> None:
    verdict = LocalExecutor(small, "cpu").evaluate(faulty(seed_sources(small, "cpu"), fault))
    assert verdict.status is Status.INCORRECT_NUMERICAL


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "batches mixed up"])
def test_the_tests_about_heads_alone_find_it(fault: str) -> None:
    tests = [case for case in SCENARIO.tests if case.inputs in ("heads", "one_head")]
    only = SCENARIO.model_copy(update={"tests": tuple(tests), "cases": (SCENARIO.timed("cpu")[0],)})
    executor = LocalExecutor(only.model_copy(update={"targets": {"cpu": SCENARIO.target("cpu")}}), "cpu")
    build = executor.build(faulty(seed_sources(only, "cpu"), fault))
    with executor.held() as judge, judge.load(build) as loaded, pytest.raises(Rejected):
        judge.check(*loaded)


def test_the_seed_passes_and_compiles_for_gpus(small: Scenario) -> None:
    assert LocalExecutor(small, "cpu").evaluate(seed_sources(small, "cpu")).passed
    built = LocalExecutor(SCENARIO, "sm_90a").build(seed_sources(SCENARIO, "sm_90a"))
    assert built.sass["mma.sync"] > 0
