"""Sorting rows: the reference against Python's sort, the seed at its knobs, and faults that lose or misplace values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from avo.scenarios.loader import Case, Scenario, load
from avo.tools.build.knobs import knobs_of, with_settings
from avo.tools.build.seeds import seed_sources
from avo.tools.score.executor import LocalExecutor
from avo.types import Status

SCENARIO = load("sort_rows")
FAMILIES = ("randn", "sorted", "reversed", "few", "constant", "wide", "organ_pipe", "ends")
SETTINGS = [
    *({"SMALL": value} for value in ("2", "4", "64")),
    *({"METHOD": "1", "DIGIT": value} for value in ("4", "8", "11", "16")),
]
FAULTS = {
    "the last element stays": ("quicksort(y, a->C);", "quicksort(y, a->C - 1);"),
    "equal elements are lost": ("insertion(y, n);\n}", "insertion(y, n);\n    if (n > 1) y[1] = y[0];\n}"),
    "signs are ignored": (
        "if (i <= j) std::swap",
        "y[i] = __builtin_fabsf(y[i]);\n            if (i <= j) std::swap",
    ),
}


def case_of(R: int, C: int, inputs: str = "randn") -> Case:
    return Case(id="a case", dims={"R": R, "C": C}, inputs=inputs)


@pytest.fixture(scope="module")
def small() -> Scenario:
    """The scenario with one small case to time, and no baselines."""
    target = SCENARIO.target("cpu").model_copy(update={"baselines": ()})
    case = case_of(16, 512).model_copy(update={"id": "small", "family": "cpu"})
    return SCENARIO.model_copy(update={"cases": (case,), "targets": {"cpu": target}})


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_agrees_with_pythons_sort(family: str) -> None:
    case = case_of(3, 101, family)
    x = SCENARIO.reference.make_inputs(case, 2, "cpu")["x"]
    assert x.dtype == torch.float32
    assert x.isfinite().all()
    y, _ = SCENARIO.reference.reference(case, {"x": x})["y"]
    assert y.tolist() == [sorted(row) for row in x.tolist()]


@pytest.mark.parametrize("baseline", SCENARIO.target("cpu").baselines)
def test_the_baselines_sort(baseline: str) -> None:
    inputs = SCENARIO.reference.make_inputs(case_of(4, 77), 3, "cpu")
    assert torch.equal(getattr(SCENARIO.reference, baseline)(case_of(4, 77), inputs), inputs["x"].sort(dim=1).values)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_seed_is_right_at_its_knobs(small: Scenario, settings: dict[str, str]) -> None:
    verdict = LocalExecutor(small, "cpu").evaluate(with_settings(seed_sources(small, "cpu"), settings))
    assert verdict.passed, verdict.reason


def test_the_seed_starts_from_the_first_value_of_each_knob() -> None:
    assert all(knob.value == knob.values[0] for knob in knobs_of(seed_sources(SCENARIO, "cpu")).values())


@pytest.mark.parametrize("fault", FAULTS)
def test_what_loses_or_misplaces_values_is_refused(small: Scenario, fault: str) -> None:
    old, new = FAULTS[fault]
    text = seed_sources(small, "cpu")["sort.cpp"].decode()
    assert text.count(old) == 1
    verdict = LocalExecutor(small, "cpu").evaluate({"sort.cpp": text.replace(old, new).encode()})
    assert verdict.status is Status.INCORRECT_NUMERICAL


def test_it_is_sound(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli("scenario", "check", "sort_rows", "--target", "cpu")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("sort_rows on cpu: sound\n")
