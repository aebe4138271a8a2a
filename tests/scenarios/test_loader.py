"""Loading a scenario: every mistake in its files is one line that names the file, the key and the remedy."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from avo.scenarios.catalog import names
from avo.scenarios.loader import Scenario, load
from avo.types import AvoError


def change(folder: Path, old: str, new: str) -> None:
    """Replace one text of scenario.toml, which must be there."""
    file = folder / "scenario.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def complaint(folder: Path) -> str:
    """The one line that loading fails with."""
    with pytest.raises(AvoError) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", names())
def test_every_shipped_scenario_loads_and_counts_work_for_its_timed_cases(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    for target, settings in scenario.targets.items():
        assert all(scenario.work_of(settings.unit, case) > 0 for case in scenario.timed(target))


def test_a_folder_is_a_scenario_named_after_it(tiny: Scenario) -> None:
    assert tiny.name == "tiny"
    assert [case.id for case in tiny.timed("cpu")] == ["wide"]
    assert [case.id for case in tiny.checked("cpu")] == ["odd", "large values"]
    assert tiny.work_of("GFLOP/s", tiny.cases[0]) == 2 * 128 * 4096 / 1e9
    assert tiny.work_of("GB/s", tiny.cases[0]) == 4 * (128 * 4096 + 128 + 4096) / 1e9


@pytest.mark.parametrize(
    ("old", "new", "key", "hint", "valid"),
    [
        ("summary =", "sumary =", "sumary", "did you mean 'summary'? ", "summary, task"),
        ("launch_seconds", "launch_second", "targets.cpu.launch_second", "did you mean 'launch_seconds'? ", "seed"),
        ('id = "odd"', 'id = "odd"\ncolour = 3', "tests.0.colour", "", "id, family, dims, "),
        ("frobenius", "frobenios", "tolerance.frobenios", "did you mean 'frobenius'? ", "magnitude, relative"),
        ('role = "out"', 'role = "out"\nrolle = 1', "tensors.2.rolle", "did you mean 'role'? ", "name, dtype"),
    ],
)
def test_an_unknown_key_is_answered_with_file_key_and_valid_keys(
    own_scenario: Path, old: str, new: str, key: str, hint: str, valid: str
) -> None:
    change(own_scenario, old, new)
    # A misspelt required key was told as the missing one ("summary: Field required") when this was written.
    line = complaint(own_scenario)
    assert line.startswith(f"{own_scenario / 'scenario.toml'}: unknown key '{key}'; {hint}valid keys: ")
    assert valid in line


def test_a_misspelt_scenario_is_answered_with_the_close_name_and_all_names() -> None:
    with pytest.raises(
        AvoError, match=r"no scenario 'mha_casual'; did you mean 'mha_causal'\? there are: .*mha_causal"
    ):
        load("mha_casual")


def test_a_folder_without_a_scenario_is_one_line(tmp_path: Path) -> None:
    assert complaint(tmp_path / "nothing") == f"no scenario.toml in folder '{tmp_path / 'nothing'}'"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{ R = 3, C = 77 }", "{ R = 3 }", r"case 'odd' has dims \['R'\], not \['C', 'R'\]"),
        ("{ R = 3, C = 77 }", "{ R = 3, C = 77, K = 1 }", r"case 'odd' has dims \['C', 'K', 'R'\]"),
        ("{ R = 3, C = 77 }", "{ R = 0, C = 77 }", r"tests.0.dims.R: .*greater than or equal to 1"),
        ('id = "odd"', 'id = "wide"', "case id 'wide' stands twice"),
        ('"2 * R * C"', '"R - 128"', "work of case 'wide' is not positive"),
        ('"4 * (R * C + R + C)"', '"0"', "work of case 'wide' is not positive"),
        ('"2 * R * C"', '"2 * R * K"', "'K' is not a dimension; there are: R, C"),
        ('shape = ["R"]', 'shape = ["R - 3"]', "tensor 'y' of case 'odd' has shape"),
        ('id = "wide"', 'id = "wide"\nfamily = "cuda"', r"targets.cpu has no \[\[cases\]\] of family 'cpu'"),
        ("{ R = 3, C = 77 }", "{ R = 3, C = 77 }\nranges = { K = [1, 2] }", "case 'odd' has ranges that are no"),
        ("{ R = 3, C = 77 }", "{ R = 3, C = 77 }\nranges = { R = [4, 2] }", "case 'odd' has ranges that are no"),
        ("C = 4096 }", "C = 4096 }\nranges = { R = [1, 2] }", "case 'wide' is timed and cannot have ranges"),
        ("[targets.cpu]", "[targets.gpu]", r"targets.gpu: a target is cpu or an architecture such as sm_90a"),
        ('unit = "GFLOP/s"', 'unit = "furlongs"', "targets.cpu.unit: .*'GFLOP/s'"),
        ('dtype = "fp32"', 'dtype = "fp13"', "tensors.0.dtype: .*'bf16'"),
        ('name = "a"', 'name = "a;b"', "tensors.0.name: "),
        ('dims = ["R", "C"]', "dims = [", "line"),
    ],
)
def test_a_mistake_is_told_with_the_file_and_what_is_wrong(
    own_scenario: Path, old: str, new: str, expected: str
) -> None:
    change(own_scenario, old, new)
    line = complaint(own_scenario)
    assert line.startswith(str(own_scenario / "scenario.toml"))
    assert re.search(expected, line), line


def test_bytes_that_are_no_text_are_one_line(own_scenario: Path) -> None:
    (own_scenario / "scenario.toml").write_bytes(b"task = '\xff'")
    assert "utf-8" in complaint(own_scenario)


def test_a_missing_reference_is_told_with_what_it_must_define(own_scenario: Path) -> None:
    (own_scenario / "reference.py").unlink()
    scenario = load(str(own_scenario))
    with pytest.raises(AvoError, match=r"reference\.py: missing; it must define make_inputs and reference"):
        _ = scenario.reference


def test_an_unknown_target_is_answered_with_the_targets(tiny: Scenario) -> None:
    with pytest.raises(AvoError, match="scenario tiny has no target 'sm_90a'; there are: cpu"):
        tiny.target("sm_90a")


def test_a_case_of_another_family_is_neither_timed_nor_checked() -> None:
    scenario = load("mha_causal")
    assert {case.id for case in scenario.timed("cpu")} == {"s256", "s512", "s1k"}
    assert all(case.family in ("any", "cpu") for case in (*scenario.timed("cpu"), *scenario.checked("cpu")))


def test_the_ranges_of_a_test_are_drawn_anew_within_their_bounds(own_scenario: Path) -> None:
    change(own_scenario, "{ R = 3, C = 77 }", "{ R = 3, C = 77 }\nranges = { R = [2, 5] }")
    case = load(str(own_scenario)).tests[0]
    drawn = [case.drawn(Random(seed)) for seed in range(64)]
    assert {one.dims["R"] for one in drawn} == {2, 3, 4, 5}
    assert {one.dims["C"] for one in drawn} == {77}
    assert case.largest.dims == {"R": 5, "C": 77}


def test_a_hidden_case_is_shown_without_its_name(tiny: Scenario) -> None:
    shown = {case.id: case.label for case in tiny.tests}
    assert shown["large values"] == "a hidden test"
    assert "odd" in shown["odd"]


def test_a_scenario_never_changes(tiny: Scenario) -> None:
    with pytest.raises(ValueError, match="frozen"):
        tiny.summary = "another"


# Each of these was accepted, or surfaced as another error, when this test was written.
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('shape = ["R"]', 'shape = ["1e400"]'),  # OverflowError
        ('"2 * R * C"', '"(0 - R) ** 0.5"'),  # TypeError
        ('"2 * R * C"', '"1e400 - 1e400"'),  # not a number, yet "positive"
        ('name = "x"', 'name = "a"'),  # two fields of one name in the ABI
        ('name = "x"', 'name = "R"'),  # a tensor and a dimension of one name
        ('role = "out"', 'role = "workspace"'),  # nothing is checked
        ('summary = "', 'name = "other"\nsummary = "'),  # ignored without a word
        ("frobenius = 1e-5", "frobenius = nan"),  # a bound that nothing exceeds
    ],
)
def test_a_scenario_that_cannot_be_judged_is_refused(own_scenario: Path, old: str, new: str) -> None:
    change(own_scenario, old, new)
    assert "scenario.toml: " in complaint(own_scenario)


def test_a_scenario_says_how_patient_the_supervisor_is_and_need_not(own_scenario: Path, tiny: Scenario) -> None:
    assert tiny.stagnation.patience == 8
    file = own_scenario / "scenario.toml"
    file.write_text(file.read_text() + "\n[stagnation]\npatience = 20\n")
    assert load(str(own_scenario)).stagnation.patience == 20
    file.write_text(file.read_text().replace("patience = 20", "patience = 0"))
    assert "stagnation.patience" in complaint(own_scenario)
    file.write_text(file.read_text().replace("patience = 0", "revisits = 3"))
    assert complaint(own_scenario).endswith("unknown key 'stagnation.revisits'; valid keys: patience")


def test_a_timed_case_has_the_families_that_it_names_or_those_of_all_tests_that_fit(own_scenario: Path) -> None:
    change(own_scenario, '[[tests]]\nid = "odd"', '[[tests]]\nid = "gpu"\nfamily = "cuda"\ndims = { R = 1, C = 1 }\n'
           'inputs = "huge"\n[[tests]]\nid = "odd"\nfamily = "cpu"\ninputs = "odd"')  # fmt: skip
    scenario = load(str(own_scenario))
    assert scenario.families(scenario.cases[0]) == ("randn", "huge", "odd", "large")
    change(own_scenario, 'id = "wide"', 'id = "wide"\nfamily = "cpu"')
    scenario = load(str(own_scenario))
    assert scenario.families(scenario.cases[0]) == ("randn", "odd", "large")
    change(own_scenario, 'id = "wide"', 'id = "wide"\nfamilies = ["x3", "randn"]\ninputs = "odd"')
    scenario = load(str(own_scenario))
    assert scenario.families(scenario.cases[0]) == ("odd", "x3", "randn")
    change(own_scenario, 'id = "odd"', 'id = "odd"\nfamilies = ["x3"]')
    assert "test 'odd' is not timed and cannot have families" in complaint(own_scenario)
