"""`avo scenario new`: what it writes passes `check` and runs at once, and it overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from avo.scenarios.catalog import folders, names
from avo.scenarios.layers import sources
from avo.scenarios.loader import load
from avo.scenarios.scaffold import create
from avo.tools.build.knobs import knobs_of
from avo.tools.build.seeds import seed_sources
from avo.types import AvoError


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_what_it_writes_is_sound_and_runs_at_once(cli: Any, tmp_path: Path) -> None:
    done = cli("scenario", "new", "my_rows")
    assert done.returncode == 0, done.stderr
    commands = [line.removeprefix("next:").split() for line in done.stdout.splitlines() if " avo " in line]
    assert commands == [["avo", "scenario", "check", "./my_rows"], ["avo", "run", "scenario", "./my_rows"]]
    checked = cli(*commands[0][1:], "--target", "cpu")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.endswith("my_rows on cpu: sound\n")
    ran = cli(*commands[1][1:], "--target", "cpu", "--steps", 1, "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["scenario"] == "my_rows"
    assert told["attempts"] > 1
    assert sorted(files(tmp_path / "my_rows")) == ["reference.py", "scenario.toml", "seed/kernel.cpp"]


def test_what_the_user_has_to_change_is_marked(tmp_path: Path) -> None:
    made = create("my_rows", tmp_path)
    assert (made / "scenario.toml").read_text().count("CHANGE") >= 5
    assert (made / "reference.py").read_text().count("CHANGE") == 3
    assert len(knobs_of(seed_sources(load(str(made)), "cpu"))) == 2


@pytest.mark.parametrize("base", ["mha_causal", "gqa_32_4_causal"])
def test_one_like_a_shipped_one_extends_it_and_reuses_its_reference(base: str, tmp_path: Path) -> None:
    made = load(str(create("mine", tmp_path, base)))
    below = load(base)
    assert (made.name, made.cases, made.targets) == ("mine", below.cases, below.targets)
    assert seed_sources(made, "cpu") == seed_sources(below, "cpu")
    for name in {name for target in made.targets.values() for name in target.baselines}:
        assert callable(getattr(made.reference, name))
    case = made.tests[0]
    wanted = made.reference.reference(case, made.reference.make_inputs(case, 1, "cpu"))
    assert wanted["o"][0].equal(below.reference.reference(case, below.reference.make_inputs(case, 1, "cpu"))["o"][0])
    assert below.path / "reference.py" in sources(made.path / "reference.py")


def test_one_like_a_folder_finds_its_seed_wherever_it_is_written(own_scenario: Path, cli: Any, tmp_path: Path) -> None:
    done = cli("scenario", "new", "mine", "deep/er", "--like", own_scenario)
    assert done.returncode == 0, done.stderr
    assert "wrote ./deep/er/mine: reference.py, scenario.toml\n" in done.stdout
    made = tmp_path / "deep" / "er" / "mine"
    assert load(str(made)).files == (made / "scenario.toml", own_scenario / "scenario.toml")
    scored = cli("eval", "./deep/er/mine", "--target", "cpu")
    assert scored.returncode == 0, scored.stdout + scored.stderr


def test_one_like_a_folder_has_the_helpers_of_its_reference(own_scenario: Path, tmp_path: Path) -> None:
    (own_scenario / "parts").mkdir()
    (own_scenario / "parts" / "deep.py").write_text("X = 3\n")
    file = own_scenario / "reference.py"
    file.write_text(file.read_text() + "\nfrom parts.deep import X\n")
    made = create("mine", tmp_path / "new", str(own_scenario))
    assert sorted(files(made)) == ["parts/deep.py", "reference.py", "scenario.toml"]
    assert load(str(made)).reference.X == 3


def test_an_existing_folder_is_refused_and_stays_as_it_is(own_scenario: Path, cli: Any) -> None:
    before = files(own_scenario)
    done = cli("scenario", "new", "tiny")
    assert done.returncode == 2
    assert done.stderr == "avo: tiny exists: give another name, or another folder after it\n"
    assert files(own_scenario) == before


@pytest.mark.parametrize(
    ("name", "like", "expected"),
    [
        ("my-rows", "", "'my-rows' is no name for a scenario: a letter, then letters, digits and _"),
        ("../rows", "", "'../rows' is no name for a scenario"),
        ("1st", "", "'1st' is no name for a scenario"),
        ("rows\n", "", "is no name for a scenario"),
        ("mha_causal", "", "'mha_causal' is a shipped scenario: give another name"),
        ("mine", "mha_casual", "no scenario 'mha_casual'; did you mean 'mha_causal'?"),
    ],
)
def test_a_name_that_is_none_writes_nothing(name: str, like: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(AvoError) as caught:
        create(name, tmp_path, like)
    assert expected in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_template_is_not_listed_as_a_scenario() -> None:
    assert not {"rms_norm_rows", "template"} & {*names(), *(place.name for place in folders())}
