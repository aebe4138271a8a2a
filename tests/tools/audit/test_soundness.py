"""`avo scenario check`: sound scenarios pass, and a fault in one is found, with file, key and what to change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from avo.scenarios.catalog import folder, names
from avo.scenarios.loader import Scenario, load
from avo.scenarios.scaffold import create
from avo.tools.audit.soundness import Finding, examine
from avo.tools.score.executor import LocalExecutor

SECOND_CASE = '[[cases]]\nid = "narrow"\ndims = { R = 8, C = 65536 }\n[[tests]]\nid = "odd"'


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def only(place: Path) -> Finding:
    """The one finding about a scenario."""
    report = examine(load(str(place)), "cpu")
    assert len(report.findings) == 1, "\n".join(report.lines())
    return report.findings[0]


def test_a_sound_scenario_has_no_finding(tiny: Scenario) -> None:
    report = examine(tiny, "cpu")
    assert report.findings == ()
    assert report.facts["score"] > 0
    assert list(report.facts["cases"]) == ["wide"]
    assert 0 < report.facts["baselines"]["torch_mv"] <= 1
    assert report.lines()[-1] == "tiny on cpu: sound"


@pytest.mark.parametrize("name", [name for name in names() if name.startswith(("mha_", "gqa_"))])
def test_the_shipped_ones_are_sound(name: str, tmp_path: Path) -> None:
    """With smaller cases and two of the tests, for time."""
    made = create("small", tmp_path, name)
    grouped = ", Hkv = 1" if "gqa" in name else ""
    text = "".join(
        f'[[{kind}]]\nid = "{i}"\ndims = {{ B = 2, S = {i}, H = 2{grouped}, D = 128 }}\n'
        for kind, i in (("cases", 64), ("cases", 96), ("tests", 1), ("tests", 33))
    )
    file = made / "scenario.toml"
    file.write_text(file.read_text() + text)
    report = examine(load(str(made)), "cpu")
    assert report.findings == (), "\n".join(report.lines())
    assert "torch_sdpa" in report.facts["baselines"]


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('"4 * (R * C + R + C)"', '"4 * R"', "work.bytes", "512 in case 'wide', but inputs and outputs .* are 2114048"),
        ('"2 * R * C"', '"1e9 * R"', "work", "at most .*: it counts more than the seed does"),
        ("frobenius = 1e-5", "frobenius = 1e-9", "tolerance", "refuses the expected values, rounded to .*: raise it"),
        ('seed = "seed"', 'seed = "sed"', "targets.cpu.seed", r"no folder 'sed' here or in kernels/"),
        ('"torch_mv"', '"torch_mw"', "targets.cpu.baselines", "'torch_mw' is no function of reference.py: define it"),
        (
            'name = "x"', 'name = "x"\ndtype = "fp32"\nshape = ["C"]\nrole = "in"\n[[tensors]]\nname = "b"',
            "make_inputs(case 'odd')", "must return b with the shape",
        ),
    ],
)  # fmt: skip
def test_a_fault_in_scenario_toml_is_found(own_scenario: Path, old: str, new: str, key: str, problem: str) -> None:
    changed(own_scenario / "scenario.toml", old, new)
    found = first(own_scenario, problem)
    assert found.key == key
    assert found.file == str(own_scenario / ("reference.py" if "make_inputs" in key else "scenario.toml"))


WIDE = "relative = 1.1e-2\nabsolute = 1e-6\nfrobenius = 1e-2"


def widen(place: Path, to: str = WIDE) -> None:
    changed(place / "scenario.toml", "relative = 1e-5\nabsolute = 1e-6\nfrobenius = 1e-5", to)


def test_a_tolerance_that_lets_one_wrong_element_pass_is_found(own_scenario: Path) -> None:
    widen(own_scenario)
    found = only(own_scenario)
    assert (found.file, found.key) == (str(own_scenario / "scenario.toml"), "tolerance")
    assert found.problem.startswith("accepts y with one element off by 1 %, in every case: lower")


def test_one_wrong_element_has_to_be_seen_only_where_it_shows_most(own_scenario: Path) -> None:
    widen(own_scenario, "relative = 1e-5\nabsolute = 0.3\nfrobenius = 1e-2")  # 1 % of a small element is less
    assert examine(load(str(own_scenario)), "cpu").findings == ()


def test_a_tolerance_that_lets_anything_pass_is_told_fault_by_fault(own_scenario: Path) -> None:
    widen(own_scenario, "relative = 1\nabsolute = 1e4\nfrobenius = 2")
    told = [finding.problem for finding in examine(load(str(own_scenario)), "cpu").findings]
    faults = ["zeros", "the mean everywhere", "entries exchanged along the first axis",
              "everything shifted by one element", "an eighth of the rows zero",
              "rounded to 4 bits of mantissa"]  # fmt: skip
    assert [line.partition("fault: ")[2].partition(": ")[0] for line in told[:-1]] == faults
    assert "one element off by 1 %" in told[-1]


def first(place: Path, problem: str) -> Finding:
    """The finding that says so; others may stand beside it."""
    report = examine(load(str(place)), "cpu")
    found = [finding for finding in report.findings if re.search(problem, finding.problem)]
    assert len(found) == 1, "\n".join(report.lines())
    return found[0]


def test_work_that_does_not_go_with_the_time_is_found(own_scenario: Path) -> None:
    toml = own_scenario / "scenario.toml"
    changed(toml, '[[tests]]\nid = "odd"', SECOND_CASE)
    changed(toml, '"2 * R * C"', '"R ** 3"')
    found = only(own_scenario)
    assert (found.file, found.key) == (str(toml), "work.flops")
    assert "times as long for a unit of it in case 'narrow' as in 'wide'" in found.problem


def test_an_input_that_does_not_matter_is_found(own_scenario: Path) -> None:
    toml = own_scenario / "scenario.toml"
    changed(
        toml,
        '[[tensors]]\nname = "y"',
        '[[tensors]]\nname = "b"\ndtype = "fp32"\nshape = ["R"]\nrole = "in"\n[[tensors]]\nname = "y"',
    )
    changed(toml, "R + C)", "2 * R + C)")
    changed(own_scenario / "reference.py", '"x": x}', '"x": x, "b": a[:, 0].clone()}')
    found = only(own_scenario)
    assert (found.file, found.key) == (str(toml), "tensors.2")
    assert found.problem.startswith("outputs stay right when 'b' alone is redrawn")


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ("(a @ x, ", "((a @ x).log(), ", "reference(case 'odd')", "y is NaN in places, which is never right: mend it"),
        ("a.abs() @ x.abs()", "a @ x", "reference(case 'odd')", "the magnitude of y is negative: take absolute"),
        ("(a @ x, ", "((a @ x)[:, None], ", "reference(case 'odd')", "value and magnitude of y must have the shape"),
        ("(a @ x, ", "(a @ x + torch.rand(1), ", "reference(case 'odd')", "answers differently for the same inputs"),
        ("(a @ x, ", "(inputs['a'].zero_().double() @ x, ", "reference(case 'odd')", "changes its input a: "),
        ("def reference(", "def referenz(", "reference", "missing: define reference(case, inputs)"),
        ('case.dims["C"], generator=generator, device=device)\n    return', 'case.dims["R"])\n    return',
         "make_inputs(case 'odd')", "must return x with the shape [77], not [3]"),
        ("manual_seed(seed)", "manual_seed(7)", "make_inputs(case 'wide')", "draws the same for every seed"),
        ('"x": x}', '"x": torch.randn(len(x))}', "make_inputs(case 'odd')", "x differs between two calls"),
        ('"x": x}', '"x": x.double()}', "make_inputs(case 'odd')", "x is float64, but scenario.toml says fp32"),
        ('inputs["a"] @ inputs["x"]', 'inputs["a"] @ inputs["z"]', "torch_mv", "raises KeyError: 'z': mend it"),
        ('inputs["a"] @ inputs["x"]', '1.01 * inputs["a"] @ inputs["x"]', "torch_mv", "a baseline that is wrong: y["),
        ("import torch\n", "import torch\nimport nowhere_to_be_found\n", "", "cannot be imported: ModuleNotFoundError"),
    ],
)  # fmt: skip
def test_a_fault_in_reference_py_is_found(own_scenario: Path, old: str, new: str, key: str, problem: str) -> None:
    file = own_scenario / "reference.py"
    changed(file, old, new)
    found = only(own_scenario)
    assert (found.file, found.key) == (str(file), key)
    assert problem in found.problem


def test_a_reference_that_rounds_too_much_is_found(own_scenario: Path) -> None:
    changed(own_scenario / "reference.py", "(a @ x, ", '(((inputs["a"] + 1e5) - 1e5).double() @ x, ')
    found = only(own_scenario)
    assert found.key == "reference(case 'wide')"
    assert found.problem.startswith("its own rounding takes ")


ORDERED = "torch.where(x.diff() >= 0, 0, torch.nan).sum()"
"""NaN unless x ascends."""


def test_a_reference_that_does_not_bear_the_inputs_of_timed_launches_is_found(own_scenario: Path) -> None:
    file = own_scenario / "reference.py"
    changed(file, '"x": x}', '"x": x.sort().values}')
    changed(file, "(a @ x, ", f"(a @ x + {ORDERED}, ")
    found = only(own_scenario)
    assert found.key == "reference(case 'wide')"
    assert found.problem.startswith("y is NaN in places")
    assert "so it is on the inputs of timed launches (each element from one of two drawn sets)" in found.problem
    assert found.problem.endswith("define refresh(case, inputs, seed), which keeps what has to be kept")


def test_a_refresh_that_breaks_the_reference_is_found_and_one_that_keeps_what_it_needs_is_sound(
    own_scenario: Path,
) -> None:
    file = own_scenario / "reference.py"
    changed(file, '"x": x}', '"x": x.sort().values}')
    changed(file, "(a @ x, ", f"(a @ x + {ORDERED}, ")
    whole = file.read_text()
    file.write_text(whole + REFRESH.replace(".sort().values", ".flip(0)"))
    found = only(own_scenario)
    assert found.problem.startswith("y is NaN in places")
    assert "so it is on the inputs of timed launches (refresh): mend it" in found.problem
    file.write_text(whole + REFRESH)
    assert examine(load(str(own_scenario)), "cpu").findings == ()


REFRESH = """

def refresh(case, inputs, seed):
    fresh = make_inputs(case, seed, inputs["x"].device.type)
    return {"a": fresh["a"], "x": fresh["x"].sort().values}
"""


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"x": x}', '"x": torch.ones_like(x).copy_(torch.arange(len(x)) % 7 - 3.0)}', "make_inputs"),
        ("\n\ndef reference", REFRESH.replace('fresh["a"]', 'inputs["a"]') + "\n\ndef reference", "refresh"),
    ],
)
def test_an_input_that_repeats_between_timed_launches_is_found(
    own_scenario: Path, old: str, new: str, key: str
) -> None:
    changed(own_scenario / "reference.py", old, new)
    found = first(own_scenario, "repeats in timed launches")
    assert found.key == f"{key}(case 'wide')"
    assert found.problem.startswith(f"{'x' if key == 'make_inputs' else 'a'} repeats in timed launches (100% of it)")
    assert found.file == str(own_scenario / "reference.py")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("a->y[i] = y;", "a->y[i] = y * 1.001f;", "INCORRECT_NUMERICAL: y["),
        ("a->y[i] = y;", "a->y[i] = z;", "COMPILE_ERROR: "),
    ],
)
def test_a_seed_that_scores_nothing_is_found(own_scenario: Path, old: str, new: str, problem: str) -> None:
    changed(own_scenario / "seed" / "matvec.cpp", old, new)
    found = only(own_scenario)
    assert (found.file, found.key) == (str(own_scenario / "scenario.toml"), "targets.cpu.seed")
    assert found.problem.startswith(f"the seed scores nothing: {problem}")


def test_a_key_that_a_base_holds_is_found_in_the_bases_file(own_scenario: Path, tmp_path: Path) -> None:
    widen(own_scenario)
    made = create("child", tmp_path, str(own_scenario))
    assert only(made).file == str(own_scenario / "scenario.toml")


@pytest.mark.slow
def test_the_command_tells_findings_and_ends_with_1(own_scenario: Path, cli: Any) -> None:
    toml = own_scenario / "scenario.toml"
    widen(own_scenario)
    done = cli("scenario", "check", own_scenario, "--target", "cpu")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(f"{toml}: tolerance: accepts y with one element off by 1 %")
    assert done.stdout.endswith("tiny on cpu: 1 finding\n")
    changed(toml, "relative", "relativ")
    done = cli("scenario", "check", own_scenario, "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert not told["sound"]
    assert told["findings"][0]["file"] == str(toml)
    assert "unknown key 'tolerance.relativ'" in told["findings"][0]["problem"]


def test_a_sound_one_ends_with_0_and_one_that_is_not_there_with_2(cli: Any) -> None:
    done = cli("scenario", "check", folder(str(Path(__file__).parents[2] / "tiny")), "--target", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sound"]
    assert cli("scenario", "check", "mha_casual").returncode == 2


def test_a_tolerance_that_refuses_seed_and_baseline_alike_is_blamed_and_not_they(own_scenario: Path) -> None:
    toml = own_scenario / "scenario.toml"
    changed(toml, "magnitude = 1e-5\nrelative = 1e-5\nabsolute = 1e-6", "magnitude = 0\nrelative = 6e-8\nabsolute = 0")
    found = only(own_scenario)
    assert (found.file, found.key) == (str(toml), "tolerance")
    assert found.problem.startswith(
        "refuses the seed and the baselines alike (torch_mv): raise it, or mend reference()"
    )


GATHER = """
def make_inputs(case, seed, device):
    generator = torch.Generator(device).manual_seed(seed)
    rows, columns = case.dims["R"], case.dims["C"]
    a = torch.randn(rows, columns, generator=generator, device=device)
    return {"a": a, "x": torch.randint(0, columns, (columns,), generator=generator, device=device).float()}


def reference(case, inputs):
    y = inputs["a"][:, : 1 + case.dims["C"] // 8].double().sum(1) + inputs["x"].double().sum()
    return {"y": (y, y.abs())}
"""


def test_work_may_count_what_is_read_of_an_input_but_not_forget_one(own_scenario: Path) -> None:
    from avo.tools.audit.soundness import Report, _traffic

    (own_scenario / "reference.py").write_text("import torch\n" + GATHER)
    toml = own_scenario / "scenario.toml"
    for counted, findings in (("4 * (R * C / 8 + R + C)", 0), ("4 * R", 1)):
        text = toml.read_text()
        toml.write_text(re.sub(r'^bytes = ".*"', f'bytes = "{counted}"', text, flags=re.MULTILINE))
        scenario, report = load(str(own_scenario)), Report("tiny", "cpu")
        assert len(list(_traffic(LocalExecutor(scenario, "cpu"), report))) == findings
        assert ["of a a part is read only" in remark for remark in report.remarks] == [True] * (1 - findings)


def test_a_timed_case_with_one_family_is_worth_a_remark_and_one_that_draws_the_same(
    tiny: Scenario, own_scenario: Path
) -> None:
    assert not any("family" in remark for remark in examine(tiny, "cpu").remarks)
    changed(own_scenario / "scenario.toml", 'id = "wide"', 'id = "wide"\nfamilies = ["huge"]')
    assert "family 'huge' draws the same as 'randn' in case 'wide'" in examine(load(str(own_scenario)), "cpu").remarks
    changed(own_scenario / "scenario.toml", '["huge"]', "[]")
    report = examine(load(str(own_scenario)), "cpu")
    assert any("timed case 'wide' has one family of inputs only" in remark for remark in report.remarks)
    assert report.findings == ()
