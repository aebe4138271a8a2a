"""Baselines: one that is not here is named with the reason and stops nothing; the others are timed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from avo.installation import how_to_install
from avo.scenarios.loader import Case, Scenario, load
from avo.tools.build.seeds import seed_sources
from avo.tools.reference.check import Tensors
from avo.tools.score import baselines
from avo.tools.score.baselines import Absent, answer, calls, measured
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge
from avo.types import AvoError

Row = tuple[list[tuple[float, Tensors]], bool]
MORE = '''

def absent(case, inputs):
    """Needs a package that nobody has."""
    import a_package_that_nobody_has.below

    return inputs["a"]


def broken(case, inputs):
    """Raises in a library's manner."""
    raise RuntimeError("No available kernel.\\nAborting execution.")


def short(case, inputs):
    """Answers with the wrong shape."""
    return (inputs["a"] @ inputs["x"])[:1]


def named(case, inputs):
    """Answers by name."""
    return {"y": inputs["a"] @ inputs["x"]}
'''


@pytest.fixture
def with_baselines(own_scenario: Path) -> Scenario:
    """The tiny scenario, with more functions to name as baselines."""
    reference = own_scenario / "reference.py"
    reference.write_text(reference.read_text() + MORE)
    return load(str(own_scenario))


def judge_of(scenario: Scenario, *baselines: str) -> Judge:
    target = scenario.target("cpu").model_copy(update={"baselines": baselines})
    return Judge(scenario.model_copy(update={"targets": {"cpu": target}}), "cpu")


def test_a_baseline_answers_with_outputs_by_name(with_baselines: Scenario) -> None:
    judge, case = judge_of(with_baselines), with_baselines.cases[0]
    inputs = judge.draw(case)
    for name in ("torch_mv", "named"):
        outputs = answer(with_baselines, name, case, inputs)
        assert {key: tuple(value.shape) for key, value in outputs.items()} == {"y": (128,)}
    done = calls(judge, "torch_mv", case, [inputs, judge.draw(case)])
    assert len(done) == 2
    assert all(seconds > 0 for seconds, _ in done)
    assert not done[0][1]["y"].equal(done[1][1]["y"])


def test_one_whose_package_is_not_here_is_named_with_what_helps(with_baselines: Scenario) -> None:
    judge, case = judge_of(with_baselines), with_baselines.cases[0]
    helps = re.escape(how_to_install("baselines"))
    with pytest.raises(Absent, match=rf"^absent: no module a_package_that_nobody_has: {helps}$"):
        answer(with_baselines, "absent", case, judge.draw(case))


def test_one_that_fails_is_named_with_the_first_line_of_its_complaint(with_baselines: Scenario) -> None:
    judge, case = judge_of(with_baselines), with_baselines.cases[0]
    with pytest.raises(Absent, match=r"^broken: RuntimeError: No available kernel\.$"):
        answer(with_baselines, "broken", case, judge.draw(case))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nothing", "nothing: no such function, which a target names"),
        ("short", r"short\(case 'wide'\): must return y in"),
    ],
)
def test_what_the_scenarios_author_can_mend_is_one_line_with_the_file(
    with_baselines: Scenario, name: str, expected: str
) -> None:
    judge, case = judge_of(with_baselines), with_baselines.cases[0]
    with pytest.raises(AvoError, match=rf"reference\.py(:\d+)?: {expected}"):
        answer(with_baselines, name, case, judge.draw(case))


def test_all_baselines_that_are_here_are_timed_in_the_scenarios_order(with_baselines: Scenario) -> None:
    found, missing = measured(judge_of(with_baselines, "absent", "torch_mv", "broken", "named"))
    assert list(found) == ["torch_mv", "named"]
    assert all(values["wide"] > 0 for values in found.values())
    assert list(missing) == ["absent", "broken"]
    assert measured(judge_of(with_baselines)) == ({}, {})


def test_without_any_baseline_an_evaluation_still_passes(with_baselines: Scenario) -> None:
    scenario = judge_of(with_baselines, "absent").scenario
    verdict = LocalExecutor(scenario, "cpu").evaluate(seed_sources(with_baselines, "cpu"))
    assert verdict.passed
    assert verdict.baselines == {}


@pytest.mark.parametrize(("enough", "asked"), [(8, [8]), (32, [8, 16, 32]), (10**6, [8, 16, 32, 64, 128])])
def test_a_row_that_the_gpu_waited_for_is_asked_for_again_behind_a_longer_head_start(
    with_baselines: Scenario, monkeypatch: pytest.MonkeyPatch, enough: int, asked: list[int]
) -> None:
    judge, case = judge_of(with_baselines), with_baselines.cases[0]
    judge.on_gpu = True
    tried: list[int] = []

    def row(_judge: Judge, name: str, _case: Case, sets: Sequence[Tensors], clears: int) -> Row:
        tried.append(clears)
        return [(clears * 1e-3, {}) for _ in sets], clears < enough

    monkeypatch.setattr(baselines, "_row", row)
    assert calls(judge, "torch_mv", case, [{}, {}]) == [(tried[-1] * 1e-3, {})] * 2
    assert tried == asked


@pytest.mark.parametrize("name", ["fa3", "fa4", "triton"])
def test_the_attention_libraries_are_absent_or_fail_without_a_gpu_but_never_raise_anything_else(name: str) -> None:
    scenario = load("mha_causal")
    case = scenario.cases[0]
    inputs = scenario.reference.make_inputs(case, 1, "cpu")
    with pytest.raises(Absent, match=rf"^{name}: "):
        answer(scenario, name, case, inputs)
