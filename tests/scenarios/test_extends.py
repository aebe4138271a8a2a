"""A scenario that extends another: what it inherits, what its score depends on, and whose mistake is told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from avo.scenarios.layers import layers, sources
from avo.scenarios.loader import load
from avo.settings import SCENARIOS
from avo.types import AvoError


@pytest.fixture
def sibling(own_scenario: Path) -> Path:
    """A folder beside a copy of tests/tiny, which it extends."""
    folder = own_scenario.parent / "sibling"
    folder.mkdir()
    shutil.copy(own_scenario / "reference.py", folder)
    (folder / "scenario.toml").write_text('extends = "../tiny"\n')
    return folder


def write(folder: Path, text: str) -> None:
    (folder / "scenario.toml").write_text('extends = "../tiny"\n' + text)


def complaint(folder: Path) -> str:
    with pytest.raises(AvoError) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_says_nothing_is_as_its_base_but_for_the_name(sibling: Path, own_scenario: Path) -> None:
    ours, base = load(str(sibling)), load(str(own_scenario))
    assert (ours.name, ours.path) == ("sibling", sibling)
    assert ours.files == (sibling / "scenario.toml", own_scenario / "scenario.toml")
    changed = {"name": ours.name, "path": ours.path, "files": ours.files}
    assert base.model_copy(update=changed) == ours


def test_tables_are_merged_deeply_and_arrays_replaced_whole(sibling: Path, own_scenario: Path) -> None:
    write(sibling, """
        summary = "ours"
        [targets.cpu]
        flags = ["-O3"]
        [tolerance]
        absolute = 0.5
        [[tests]]
        id = "ours"
        dims = { R = 2, C = 2 }
    """)  # fmt: skip
    ours, base = load(str(sibling)), load(str(own_scenario))
    assert ours.summary == "ours"
    assert ours.task == base.task
    assert ours.target("cpu") == base.target("cpu").model_copy(update={"flags": ("-O3",)})
    assert ours.tolerance == base.tolerance.model_copy(update={"absolute": 0.5})
    assert [case.id for case in ours.tests] == ["ours"]
    assert ours.cases == base.cases


def test_a_base_may_extend_another_one(sibling: Path, own_scenario: Path) -> None:
    third = sibling.parent / "third"
    third.mkdir()
    write(sibling, 'summary = "second"\n[tolerance]\nabsolute = 0.5\n')
    (third / "scenario.toml").write_text('extends = "../sibling"\n[tolerance]\nrelative = 0.25\n')
    ours = load(str(third))
    assert (ours.summary, ours.tolerance.absolute, ours.tolerance.relative) == ("second", 0.5, 0.25)
    assert [layer.file.parent.name for layer in layers(third)] == ["third", "sibling", "tiny"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sumary = 'x'", "sibling/scenario.toml: unknown key 'sumary'; did you mean 'summary'"),
        ("[targets.cpu]\nflag = []", "sibling/scenario.toml: unknown key 'targets.cpu.flag'; did you mean 'flags'"),
        ("[tolerance]\nabsolute = 'wide'", "sibling/scenario.toml: tolerance.absolute: "),
        ("[targets.gpu]\nseed = 'x'", "sibling/scenario.toml: targets.gpu: a target is cpu or"),
        ("dims = ['R']", "sibling/scenario.toml: scenario: case 'wide' has dims"),
        ("name = 'x'", "sibling/scenario.toml: unknown key 'name'"),
        ("files = []", "sibling/scenario.toml: unknown key 'files'"),
    ],
)
def test_a_mistake_is_told_with_the_file_that_it_is_in(sibling: Path, text: str, expected: str) -> None:
    write(sibling, text)
    assert expected in complaint(sibling)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("frobenius =", "frobenios =", "tiny/scenario.toml: unknown key 'tolerance.frobenios'"),
        ('role = "out"', 'role = "oud"', "tiny/scenario.toml: tensors.2.role: "),
        ("[work]", "[work", "tiny/scenario.toml:21: "),
    ],
)
def test_a_mistake_of_the_base_is_told_with_the_bases_file(
    sibling: Path, own_scenario: Path, old: str, new: str, expected: str
) -> None:
    base = own_scenario / "scenario.toml"
    base.write_text(base.read_text().replace(old, new))
    assert expected in complaint(sibling)


def test_a_loop_is_one_line_that_shows_it(sibling: Path, own_scenario: Path) -> None:
    base = own_scenario / "scenario.toml"
    base.write_text('extends = "../sibling"\n' + base.read_text())
    assert complaint(sibling) == f"{base}: extends: a loop: sibling -> tiny -> sibling"
    write(sibling, "")
    (sibling / "scenario.toml").write_text('extends = "../sibling"\n')
    assert complaint(sibling).endswith("extends: a loop: sibling -> sibling")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('extends = "mha_casual"', "no scenario 'mha_casual'; did you mean 'mha_causal'?"),
        ('extends = "../nowhere"', "no scenario.toml in folder '.*/nowhere'"),
        ("extends = 3", "extends: name one scenario"),
    ],
)
def test_a_base_that_is_not_there_is_one_line(sibling: Path, line: str, expected: str) -> None:
    file = sibling / "scenario.toml"
    file.write_text(line + "\n")
    told = complaint(sibling)
    assert told.startswith(f"{file}: extends: ")
    assert re.search(expected, told)


def test_a_change_of_the_base_is_another_digest(sibling: Path, own_scenario: Path) -> None:
    before, base = load(str(sibling)).digest, own_scenario / "scenario.toml"
    assert load(str(sibling)).digest == before
    base.write_text(base.read_text().replace("absolute = 1e-6", "absolute = 2e-6"))
    assert load(str(sibling)).digest != before


def test_the_digest_covers_every_module_that_the_reference_is_made_of(tmp_path: Path) -> None:
    found = list(sources(SCENARIOS / "mha_noncausal" / "reference.py"))
    shared = SCENARIOS / "attention"
    assert {shared / "reference.py", shared / "triton_kernel.py"} <= set(found)  # the second inside a function
    assert all(SCENARIOS in file.parents for file in found)
    (tmp_path / "reference.py").write_text("import torch\n")
    assert list(sources(tmp_path / "reference.py")) == [tmp_path / "reference.py"]


def test_a_change_of_the_reference_is_another_digest(sibling: Path) -> None:
    before, reference = load(str(sibling)).digest, sibling / "reference.py"
    reference.write_text(reference.read_text() + "\nfrom avo.scenarios.attention import reference as attention\n")
    with_shared = load(str(sibling))
    assert with_shared.digest != before
    assert SCENARIOS / "attention" / "reference.py" in sources(sibling / "reference.py")
