"""Residual addition with RMS normalisation: the reference against plain Python, the seeds, and wrong kernels."""

from __future__ import annotations

import importlib.util
import math

import pytest
import torch

from avo.scenarios.loader import Case, load
from avo.tools.audit.soundness import examine
from avo.tools.build.knobs import knobs_of, with_settings
from avo.tools.build.seeds import seed_sources
from avo.tools.reference.check import error_ratio
from avo.tools.score.baselines import Absent, answer
from avo.tools.score.executor import LocalExecutor
from avo.types import Rejected, Status

SCENARIO = load("add_rmsnorm")
REFERENCE = SCENARIO.reference
SEED = seed_sources(SCENARIO, "cpu")
CUDA_SEED = seed_sources(SCENARIO, "sm_90a")
FAMILIES = ("randn", "zeros", "constant", "eps", "tiny", "subnormal", "large", "cancel", "spike", "uneven", "ties")


def case_of(M: int, N: int, inputs: str = "randn") -> Case:
    return Case(id="a case", dims={"M": M, "N": N}, inputs=inputs)


# ---- inputs, reference, baselines --------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("M", "N"), [(1, 1), (3, 101)])
def test_the_reference_agrees_with_plain_python(family: str, M: int, N: int) -> None:
    case = case_of(M, N, family)
    inputs = REFERENCE.make_inputs(case, 2, "cpu")
    wanted = REFERENCE.reference(case, inputs)
    w = inputs["w"].tolist()
    for i in range(M):
        total = [a + b for a, b in zip(inputs["x"][i].tolist(), inputs["res"][i].tolist(), strict=True)]
        r = wanted["r"][0][i]
        assert torch.equal(r, r.bfloat16().double())
        for step in (-math.inf, math.inf):  # no bf16 beside it is nearer
            beside = torch.nextafter(r.bfloat16(), torch.tensor(step, dtype=torch.bfloat16)).double()
            exact = torch.tensor(total, dtype=torch.float64)
            assert ((beside - exact).abs() >= (r - exact).abs()).all()
        size = math.sqrt(math.fsum(value * value for value in r.tolist()) / N + 1e-6)
        y = [value / size * factor for value, factor in zip(r.tolist(), w, strict=True)]
        assert wanted["y"][0][i].tolist() == pytest.approx(y, rel=1e-12)


def test_the_reference_of_a_large_case_is_the_same_in_float32() -> None:
    case = case_of(1025, 1024, "uneven")
    inputs = REFERENCE.make_inputs(case, 3, "cpu")
    value = REFERENCE.reference(case, inputs)["y"][0]
    few = {name: tensor[:7] if name != "w" else tensor for name, tensor in inputs.items()}
    assert (value.dtype, value.shape) == (torch.float32, (1025, 1024))
    torch.testing.assert_close(value[:7].double(), REFERENCE.reference(case, few)["y"][0], rtol=1e-6, atol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_stay_in_the_range_of_the_task_and_follow_from_the_seed(family: str) -> None:
    first, again, other = (REFERENCE.make_inputs(case_of(5, 99, family), seed, "cpu") for seed in (1, 1, 2))
    assert {name: tuple(tensor.shape) for name, tensor in first.items()} == {"x": (5, 99), "res": (5, 99), "w": (99,)}
    for name, tensor in first.items():
        assert tensor.dtype == torch.bfloat16
        assert tensor.abs().max() <= 1e4
        assert torch.equal(tensor, again[name])
        assert not torch.equal(tensor, other[name])


def test_every_family_is_used_and_there_are_no_others() -> None:
    assert {case.inputs for case in (*SCENARIO.cases, *SCENARIO.tests)} == set(FAMILIES)
    with pytest.raises(ValueError, match="no input family 'nonsense'"):
        REFERENCE.make_inputs(case_of(4, 4, "nonsense"), 1, "cpu")


def test_the_work_is_two_reads_and_two_writes_of_bf16() -> None:
    case = next(case for case in SCENARIO.cases if case.id == "2kx4k")
    assert SCENARIO.work_of("GB/s", case) * 1e9 == 4 * 2 * 2048 * 4096 + 2 * 4096
    assert case in SCENARIO.timed("cpu")
    assert case in SCENARIO.timed("sm_90a")


@pytest.mark.parametrize("baseline", SCENARIO.target("cpu").baselines)
@pytest.mark.parametrize("case", [case_of(1, 1), case_of(777, 1000), case_of(6, 520, "zeros"), case_of(9, 400, "eps")])
def test_the_baselines_are_right(baseline: str, case: Case) -> None:
    inputs = REFERENCE.make_inputs(case, 8, "cpu")
    assert error_ratio(SCENARIO, case, inputs, answer(SCENARIO, baseline, case, inputs)) <= 1


@pytest.mark.parametrize(("baseline", "package"), [("triton", "triton"), ("quack_unfused", "quack")])
def test_a_baseline_whose_package_is_not_here_is_named(baseline: str, package: str) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(Absent, match=f"{baseline}: no module {package}"):
        answer(SCENARIO, baseline, case_of(2, 8), REFERENCE.make_inputs(case_of(2, 8), 1, "cpu"))


# ---- the seed ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick() -> LocalExecutor:
    """The scenario with its tests as they are, one small case to time, and no baselines."""
    target = SCENARIO.target("cpu").model_copy(update={"baselines": ()})
    case = case_of(16, 512).model_copy(update={"id": "small", "family": "cpu"})
    return LocalExecutor(SCENARIO.model_copy(update={"cases": (case,), "targets": {"cpu": target}}), "cpu")


SETTINGS: list[dict[str, str]] = [
    {},
    {"LANES": "4", "PAIRS": "1", "SUMS": "2", "AHEAD": "1024"},
    {"LANES": "8", "PAIRS": "0", "SUMS": "4"},
    {"LANES": "16", "PAIRS": "1", "SUMS": "1"},
    {"LANES": "16", "PAIRS": "1", "SUMS": "4", "AHEAD": "1024"},
]


@pytest.mark.parametrize("seed", [SEED, CUDA_SEED], ids=["cpu", "cuda"])
def test_the_seeds_are_short_and_start_from_the_first_value_of_each_knob(seed: dict[str, bytes]) -> None:
    assert sum(len(content.splitlines()) for content in seed.values()) <= 150
    assert knobs_of(seed)
    assert all(knob.value == knob.values[0] for knob in knobs_of(seed).values())


def test_the_settings_tried_name_every_value_of_every_knob() -> None:
    for name, knob in knobs_of(SEED).items():
        assert {setting.get(name, knob.value) for setting in SETTINGS} == set(knob.values)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: ",".join(setting.values()) or "as it stands")
def test_the_seed_is_right_at_its_knobs(quick: LocalExecutor, setting: dict[str, str]) -> None:
    verdict = quick.evaluate(with_settings(SEED, setting))
    assert verdict.status is Status.PASSED, f"{verdict.reason}\n{verdict.log}"


@pytest.mark.parametrize("target", ["sm_80", "sm_90a", "sm_100a"])
def test_the_cuda_seed_compiles_and_keeps_rows_in_registers_without_spills(target: str) -> None:
    executor = LocalExecutor(SCENARIO, target)
    for settings in ({}, {"THREADS": "256", "BYTES": "16", "KEPT": "4", "ONCE": "1"}):
        built = executor.build(with_settings(seed_sources(SCENARIO, target), settings))
        assert {kernel.name for kernel in built.kernels} == {"add_rmsnorm"}
        assert all(0 < kernel.registers <= 128 for kernel in built.kernels)
        assert all(kernel.spill_stores == kernel.stack == 0 for kernel in built.kernels)


@pytest.mark.slow
def test_every_knob_of_the_cuda_seed_compiles_for_hopper() -> None:
    executor = LocalExecutor(SCENARIO, "sm_90a")
    for name, knob in knobs_of(CUDA_SEED).items():
        assert executor.build(with_settings(CUDA_SEED, {name: knob.values[-1]})).kernels


# ---- wrong kernels -----------------------------------------------------------------------------

PLAIN = """
#include "avo_abi.h"
#include <bit>
#include <cmath>
static float widen(avo_bf16 h) { return std::bit_cast<float>(uint32_t(h) << 16); }
static avo_bf16 narrow(float f) {
    const uint32_t b = std::bit_cast<uint32_t>(f);
    return avo_bf16((b + 0x7fff + (b >> 16 & 1)) >> 16);
}
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t N = a->N;
    for (int64_t i = 0; i < a->M; i++) {
        const avo_bf16 *x = a->x + i * N, *res = a->res + i * N;
        avo_bf16 *r = a->r + i * N, *y = a->y + i * N;
        double sum = 0;
        for (int64_t j = 0; j < N; j++) {
            const float total = widen(x[j]) + widen(res[j]);
            r[j] = narrow(total);
            const float value = widen(r[j]);
            sum += double(value) * value;
        }
        const float mean = float(sum / N), factor = 1 / std::sqrt(mean + a->eps);
        for (int64_t j = 0; j < N; j++) {
            y[j] = narrow(widen(r[j]) * factor * widen(a->w[j]));
        }
    }
    return 0;
}
"""
FAULTS = {
    "eps is left out": ("mean + a->eps", "mean"),
    "eps is added to the root": ("std::sqrt(mean + a->eps)", "(std::sqrt(mean) + a->eps)"),
    "eps is 1e-5": ("mean + a->eps", "mean + 1e-5f"),
    "rows of zeros become NaN": ("factor = 1 /", "factor = (mean > 0 ? 1 : NAN) /"),
    "y is made of the sum before it is rounded": ("narrow(widen(r[j]) *", "narrow((widen(x[j]) + widen(res[j])) *"),
    "the mean is of the sum before it is rounded": ("value = widen(r[j])", "value = total"),
    "the mean is over one more": ("sum / N", "sum / (N + 1)"),
    "the mean is over N padded to 8": ("sum / N", "sum / ((N + 7) / 8 * 8)"),
    "the end of a row is no part of the mean": ("sum += ", "if (j < N / 8 * 8 || N < 8) sum += "),
    "the first element is no part of the mean": ("sum += ", "if (j > 0) sum += "),
    "the sum goes on into the next row": ("double sum = 0;", "static double sum; if (i == 0) sum = 0;"),
    "the root is good to 12 bits": ("factor = 1 /", "factor = 1.0002f /"),
    "the root is rounded to bf16": ("factor *", "widen(narrow(factor)) *"),
    "y is rounded before it is scaled by w": ("widen(r[j]) * factor *", "widen(narrow(widen(r[j]) * factor)) *"),
    "y is too small by half a unit": ("factor * widen(a->w[j])", "factor * widen(a->w[j]) * (1 - 0x1p-9f)"),
    "r is cut off, not rounded": ("narrow(total)", "avo_bf16(std::bit_cast<uint32_t>(total) >> 16)"),
    "ties of r go away from zero": ("narrow(total)", "avo_bf16((std::bit_cast<uint32_t>(total) + 0x8000) >> 16)"),
    "r is off by one unit in one place": ("    }\n    return", "    }\n    a->r[a->M * N / 2] ^= 1;\n    return"),
    "subnormal sums become zero": ("narrow(total)", "narrow(std::fabs(total) < 0x1p-126f ? 0 : total)"),
    "res is left out": ("widen(x[j]) + widen(res[j])", "widen(x[j])"),
    "w is left out": ("* widen(a->w[j])", ""),
    "w is of the next column": ("a->w[j]", "a->w[(j + 1) % N]"),
    "w is of the row": ("a->w[j]", "a->w[i % N]"),
    "one row gets the factor of another": ("* factor *", "* (i == 2 ? 1.02f : 1.f) * factor *"),
}  # fmt: skip
UNFINISHED = {
    "the end of y stays unwritten": ("y[j] = ", "if (j < N / 8 * 8) y[j] = "),
    "the last row of r stays unwritten": ("r[j] = narrow(total)", "if (i < a->M - 1) r[j] = narrow(total)"),
}


def with_fault(change: tuple[str, str]) -> dict[str, bytes]:
    assert PLAIN.count(change[0]) == 1
    return {"plain.cpp": PLAIN.replace(*change).encode()}


def test_a_plain_kernel_is_right(quick: LocalExecutor) -> None:
    verdict = quick.evaluate({"plain.cpp": PLAIN.encode()})
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_kernel_is_refused(quick: LocalExecutor, fault: str) -> None:
    assert quick.evaluate(with_fault(FAULTS[fault])).status is Status.INCORRECT_NUMERICAL


@pytest.mark.parametrize("fault", UNFINISHED)
def test_what_is_left_unwritten_is_refused(quick: LocalExecutor, fault: str) -> None:
    assert quick.evaluate(with_fault(UNFINISHED[fault])).status is Status.NOT_WRITTEN


def test_r_has_to_be_exact_and_y_may_be_rounded_once() -> None:
    case = case_of(20, 300)
    inputs = REFERENCE.make_inputs(case, 4, "cpu")
    right = {name: value.bfloat16() for name, (value, _) in REFERENCE.reference(case, inputs).items()}
    assert 0.9 < error_ratio(SCENARIO, case, inputs, right) <= 1
    for name in right:
        wrong = right[name].clone()
        wrong.view(torch.int16)[7, 11] += 1
        with pytest.raises(Rejected, match=rf"{name}\[7, 11\] of shape \[20, 300\] is .*; 1 of 6000 elements is wrong"):
            error_ratio(SCENARIO, case, inputs, {**right, name: wrong})


@pytest.mark.slow
def test_it_is_sound() -> None:
    """With the smallest of its timed cases, for time."""
    report = examine(SCENARIO.model_copy(update={"cases": SCENARIO.cases[:1]}), "cpu")
    assert report.findings == (), "\n".join(report.lines())
    assert set(report.facts["baselines"]) == {"torch_blocked", "torch_eager"}
