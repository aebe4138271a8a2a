"""Inputs and expected values: what reference.py got wrong is the scenario's fault, before a candidate is looked at."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from avo.scenarios.loader import Case, load
from avo.tools.build.seeds import seed_sources
from avo.tools.reference.check import expected
from avo.tools.reference.inputs import drawn, refreshed
from avo.tools.reference.memory import lacking, require_memory
from avo.tools.score.executor import LocalExecutor
from avo.types import Missing, ScenarioError

CASE = Case(id="given", dims={"R": 4, "C": 3})


def change(place: Path, old: str, new: str, name: str = "reference.py") -> None:
    file = place / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def complaint(place: Path) -> str:
    """What an evaluation of the seed says: the same with every command."""
    scenario = load(str(place))
    with pytest.raises(ScenarioError) as caught:
        LocalExecutor(scenario, "cpu").evaluate(seed_sources(scenario, "cpu"))
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(place))
    return line.removeprefix(f"{place}/")


INPUTS = "reference.py:6: make_inputs(case 'odd'): "
REFERENCE = "reference.py:14: reference(case 'odd'): "


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"x": x}', '"x": x.double()}', INPUTS + "x is float64, but scenario.toml says fp32: convert it"),
        ('"x": x}', '"x": x[:, None]}', INPUTS + "must return x with the shape [77], not [77, 1]"),
        ('"x": x}', '"x": x.to("meta")}', INPUTS + "x is on meta: make it on `device`, here cpu"),
        ('"x": x}', '"x": x.numpy()}', INPUTS + "must return a dict of tensors by name; x is numpy.ndarray"),
        ('"x": x}', '"x": x.to_sparse()}', INPUTS + "x is no dense tensor: make it one"),
        ('"x": x}', '"x": x, "z": x}', INPUTS + "returns 'z', which is no input: scenario.toml has a, x"),
        ('    return {"a": a * 1e4 if case.inputs == "large" else a, "x": x}', "    return a, x",
         INPUTS + "must return a dict of tensors by name, not tuple"),
        ('"x": x}', '"x": torch.randn(len(x))}', INPUTS + "x differs between two calls with one seed"),
        ('"x": x}', '"x": KEPT.setdefault(len(x), x).copy_(x)}\n\n\nKEPT = {}', INPUTS + "overwrites the x that it"),
        ('"x": x}', '"x": x.missing}', "reference.py:11: make_inputs(case 'odd'): AttributeError: "),
        ("(a @ x, ", "(inputs['a'].zero_().double() @ x, ", REFERENCE + "changes its input a: work on a copy"),
        ("(a @ x, ", "(inputs['x'][1:].neg_().sum() + a @ x, ", REFERENCE + "changes its input x: work on a copy"),
        ("(a @ x, ", "(inputs['x'].numpy().sort() or a @ x, ", REFERENCE + "changes its input x: work on a copy"),
        ("(a @ x, ", "(a @ x + torch.rand(1), ", REFERENCE + "answers differently for the same inputs"),
        ("(a @ x, a.abs() @ x.abs())", "a @ x", REFERENCE + "y must be a pair of tensors: (value, magnitude)"),
        ("(a @ x, ", "(a @ x * torch.nan, ", REFERENCE + "y is NaN in places, which is never right"),
        ("a.abs() @ x.abs()", "a @ x", REFERENCE + "the magnitude of y is negative: take absolute values"),
        ("a.abs() @ x.abs()", "a @ x / 0", REFERENCE + "the magnitude of y is not finite"),
        ("(a @ x, ", "((a @ x).cfloat(), ", REFERENCE + "y is torch.complex64: return it in float64, or float32"),
        ("(a @ x, ", "((a @ x).half(), ", REFERENCE + "y is torch.float16: return it in float64, or float32"),
        ("(a @ x, ", "((a @ x)[:, None], ", REFERENCE + "value and magnitude of y must have the shape [3], not"),
        ("(a @ x, ", "(torch.set_num_threads(3) or a @ x, ", "reference.py: reference(case 'odd'): leaves torch's n"),
        ("(a @ x, ", "(__import__('os').environ.update(PATH='/x') or a @ x, ",
         "reference.py: reference(case 'odd'): leaves the variable PATH changed from "),
        ("(a @ x, ", "(exit(7) or a @ x, ", "reference.py:17: reference(case 'odd'): it ends the program (7)"),
        ("(a @ x, ", "(case.dims.clear() or a @ x, ", ""),
        ("def reference(", "def referenz(", "reference.py: reference: missing: define reference(case, inputs)"),
    ],
)  # fmt: skip
def test_a_fault_of_the_reference_ends_an_evaluation_with_file_and_line(
    own_scenario: Path, old: str, new: str, said: str
) -> None:
    change(own_scenario, old, new)
    if said:
        assert complaint(own_scenario).startswith(said)
        return
    scenario = load(str(own_scenario))  # odd, but nothing that matters
    assert LocalExecutor(scenario, "cpu").evaluate(seed_sources(scenario, "cpu")).passed


def test_a_reference_that_depends_on_what_was_drawn_last_is_told(own_scenario: Path) -> None:
    change(own_scenario, "    generator", "    KEPT['seed'] = seed\n    generator")
    change(own_scenario, "(a @ x, ", "(a @ x + KEPT['seed'], ")
    change(own_scenario, "import torch\n", "import torch\nKEPT = {}\n")
    assert "reference(case 'odd'): answers differently for the same inputs" in complaint(own_scenario)


def test_inputs_may_be_expanded_negated_without_grad_or_parameters(own_scenario: Path) -> None:
    change(own_scenario, '"x": x}', '"x": torch.nn.Parameter(x[:1]).expand(len(x))}')
    scenario = load(str(own_scenario))
    x = drawn(scenario, CASE, 1, "cpu")["x"]
    assert (type(x), x.is_contiguous(), x.requires_grad) == (torch.Tensor, True, False)
    change(own_scenario, "torch.nn.Parameter(x[:1]).expand(len(x))", "torch.complex(x, x).conj().imag")
    assert not drawn(load(str(own_scenario)), CASE, 1, "cpu")["x"].is_neg()


def test_integers_and_truth_values_are_expected_exactly(own_scenario: Path) -> None:
    change(own_scenario, 'role = "out"', 'role = "out"  # whole', "scenario.toml")
    change(own_scenario, 'name = "y"\ndtype = "fp32"', 'name = "y"\ndtype = "int32"', "scenario.toml")
    for kind, shown in (("int", 5.0), ("long", 5.0), ("bool", 1.0)):
        reference = own_scenario / "reference.py"
        reference.write_text(
            "import torch\ndef reference(case, inputs):\n"
            f"    y = torch.full((4,), 5).{kind}()\n    return {{'y': (y, y)}}\n"
        )
        assert expected(load(str(own_scenario)), CASE, {"a": torch.ones(4, 3)})["y"][0].tolist() == [shown] * 4
    change(own_scenario, "5).bool()", "3e9)")
    with pytest.raises(ScenarioError, match=r"y is from 3e\+09 to 3e\+09, but scenario\.toml says int32"):
        expected(load(str(own_scenario)), CASE, {"a": torch.ones(4, 3)})


def test_a_family_that_make_inputs_does_not_know_at_a_timed_shape_is_told_with_the_key(own_scenario: Path) -> None:
    change(own_scenario, "    generator", "    assert case.inputs == 'randn', case.inputs\n    generator")
    scenario = load(str(own_scenario))
    with pytest.raises(ScenarioError, match=r"reference\.py:8: make_inputs\(case 'wide'\): .*by `families`"):
        drawn(scenario, scenario.cases[0].model_copy(update={"inputs": "large"}), 1, "cpu")


def test_what_refresh_makes_of_inputs_is_checked_as_they_are(own_scenario: Path) -> None:
    change(
        own_scenario,
        "def torch_mv",
        "def refresh(case, inputs, seed):\n    return inputs | {'x': inputs['x'].double()}\n\n\ndef torch_mv",
    )
    scenario = load(str(own_scenario))
    with pytest.raises(ScenarioError, match=r"reference\.py:20: refresh\(case 'given'\): x is float64"):
        refreshed(scenario, CASE, drawn(scenario, CASE, 1, "cpu"), 2, "cpu")


def test_a_case_beyond_the_memory_is_told_before_anything_is_allocated(own_scenario: Path) -> None:
    change(own_scenario, "R = 128, C = 4096", "R = 1048576, C = 4194304", "scenario.toml")
    assert re.match(
        r"scenario\.toml: cases\.0\.dims \(wide\): it needs 65\d\d\d\.\d GiB \(\d+ bytes\) of memory, and there are",
        complaint(own_scenario),
    )
    change(own_scenario, "R = 1048576, C = 4194304", "R = 128, C = 4096", "scenario.toml")
    require_memory(load(str(own_scenario)), "cpu", "cpu")


def test_a_reference_that_needs_more_than_there_is_and_a_machine_that_is_full_are_told_apart(
    own_scenario: Path,
) -> None:
    change(own_scenario, "(a @ x, ", "(torch.empty(2 ** 50) or a @ x, ")
    assert re.match(
        r"reference\.py:17: reference\(case 'odd'\): it needs 4194304\.0 GiB \(\d+ bytes\) of memory, and there are ",
        complaint(own_scenario),
    )
    assert isinstance(
        lacking(MemoryError(), ScenarioError("MemoryError", "reference.py", 3, "reference(case 'x')")), Missing
    )
    assert lacking(RuntimeError("shapes differ"), ScenarioError("shapes differ")) is None


def test_a_full_disk_is_the_machines(own_scenario: Path) -> None:
    change(own_scenario, "(a @ x, ", "(full() or a @ x, ")
    change(
        own_scenario,
        "def reference",
        "def full():\n    raise OSError(28, 'No space left on device')\n\n\ndef reference",
    )
    scenario: Any = load(str(own_scenario))
    with pytest.raises(Missing, match="No space left"):
        expected(scenario, CASE, drawn(scenario, CASE, 1, "cpu"))
    assert math.isfinite(float(drawn(scenario, CASE, 1, "cpu")["x"].sum()))
