"""Kept baselines: one measurement serves all evaluations until time, temperature or what is installed has changed."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from avo.scenarios.loader import Scenario, load
from avo.tools.build.seeds import seed_sources
from avo.tools.score import baseline_cache
from avo.tools.score.baseline_cache import CELSIUS_APART, LAST_SECONDS, Baselines, baselines_of
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge
from avo.tools.texts import verdict_text
from avo.types import Clocks

NOW = Clocks(sm_mhz=1980, watts=300.0, celsius=40, held_back_by="")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "baselines"


@pytest.fixture
def scenario(own_scenario: Path) -> Scenario:
    return load(str(own_scenario))


def found(scenario: Scenario) -> Baselines:
    """The baselines as a new judge gets them."""
    return baselines_of(Judge(scenario, "cpu"), print)


def test_a_second_process_finds_what_the_first_has_measured(scenario: Scenario) -> None:
    first = found(scenario)
    assert first.values["torch_mv"]["wide"] > 0
    assert found(scenario) == first


@pytest.mark.parametrize(
    "change", ["the scenario", "a package", "the file is damaged", "the file is of another format"]
)
def test_they_are_measured_again_when_something_has_changed(
    scenario: Scenario, own_scenario: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    first = found(scenario)
    (file,) = own_cache.iterdir()
    match change:
        case "the scenario":
            with (own_scenario / "reference.py").open("a") as reference:
                reference.write("\n# another one\n")
            scenario = load(str(own_scenario))
        case "a package":
            monkeypatch.setattr(baseline_cache, "_installed", lambda: ["a-package 2.0"])
        case "a damaged file":
            file.write_bytes(file.read_bytes()[:-9])
        case _:
            file.write_text("[]")
    assert found(scenario).at > first.at


def test_they_are_measured_where_nothing_can_be_kept(scenario: Scenario, own_cache: Path) -> None:
    own_cache.parent.mkdir()
    own_cache.write_text("no folder")
    first = found(scenario)
    assert first.values["torch_mv"]["wide"] > 0
    assert found(scenario).at > first.at


@pytest.mark.parametrize(
    ("age", "then", "now", "holds"),
    [
        (0.0, None, None, True),
        (LAST_SECONDS - 60, NOW, NOW, True),
        (LAST_SECONDS + 1, NOW, NOW, False),
        (0.0, NOW, dataclasses.replace(NOW, celsius=40 + CELSIUS_APART - 1, sm_mhz=345, watts=90.0), True),
        (0.0, NOW, dataclasses.replace(NOW, celsius=40 + CELSIUS_APART), False),
        (0.0, NOW, dataclasses.replace(NOW, held_back_by="heat"), False),
        (0.0, NOW, None, False),
    ],
)
def test_they_hold_while_the_device_is_in_the_same_state(
    age: float, then: Clocks | None, now: Clocks | None, holds: bool
) -> None:
    assert Baselines({}, {}, time.time() - age, then).holds(now) == holds


def test_a_verdict_shows_all_of_them_by_case_with_their_age(scenario: Scenario) -> None:
    verdict = LocalExecutor(scenario, "cpu").evaluate(seed_sources(scenario, "cpu"))
    shown = verdict_text(dataclasses.replace(
        verdict, baselines={"one": {"wide": 2.0}, "other": {"wide": 4.0}}, baselines_age=1500.0
    )).splitlines()  # fmt: skip
    assert shown[0].endswith("of one)"), "the first alone is part of the first line"
    at = shown.index("baselines, measured 25 min before:")
    assert [line.split()[0] for line in shown[at + 1 : at + 3]] == ["one", "other"]
    assert shown[at + 2].endswith("(wide 4)")
