"""sanitize: it looks, or says in one line why it cannot; and a gate that cannot look keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avo.run import open_run, plant_seed
from avo.scenarios.loader import load
from avo.tools.all_tools import registry
from avo.tools.bench import Bench
from avo.tools.commit import commit
from avo.tools.sanitize import chosen
from avo.tools.score.sanitizer import TOOLS
from avo.types import ToolError


@pytest.fixture
def demanding(own_scenario: Path, tmp_path: Path) -> Iterator[Bench]:
    """A run of a scenario that asks for a sanitizer, which there is none of on the CPU."""
    file = own_scenario / "scenario.toml"
    file.write_text(file.read_text().replace("launch_seconds = 2\n", 'launch_seconds = 2\nsanitizers = ["memcheck"]\n'))
    scenario = load(str(own_scenario))
    assert scenario.target("cpu").sanitizers == ("memcheck",)
    with open_run(tmp_path / "run", scenario, "cpu", "tuner") as opened:
        asyncio.run(plant_seed(opened))
        opened.step, _ = opened.journal.open_step("v0")
        yield opened


def test_on_the_cpu_the_tool_says_that_it_is_for_gpus(bench: Bench) -> None:
    shown, worked = asyncio.run(registry(bench).call("sanitize", {}))
    assert not worked
    assert shown.startswith("sanitize: not checked: compute-sanitizer is for CUDA targets")


def test_an_unknown_tool_is_refused_with_the_choices(bench: Bench) -> None:
    shown, worked = asyncio.run(registry(bench).call("sanitize", {"tool": "valgrind"}))
    assert not worked
    assert all(name in shown for name in TOOLS)


def test_all_stands_for_every_tool() -> None:
    assert chosen("all") == tuple(TOOLS)
    assert chosen("racecheck") == ("racecheck",)


def test_a_version_is_not_kept_when_a_sanitizer_that_is_asked_for_cannot_look(demanding: Bench) -> None:
    path = demanding.work_tree / "matvec.cpp"
    path.write_text(path.read_text().replace("SUMS = 1;", "SUMS = 16;"))
    before = demanding.lineage.versions()
    with pytest.raises(ToolError, match=r"^refused: the scenario asks for memcheck, which could not look: "):
        asyncio.run(commit(demanding, "Sixteen sums"))
    assert demanding.lineage.versions() == before
    assert demanding.journal.comparisons() == []


def test_a_scenario_may_only_ask_for_tools_that_there_are(own_scenario: Path) -> None:
    file = own_scenario / "scenario.toml"
    file.write_text(file.read_text().replace("launch_seconds = 2\n", 'launch_seconds = 2\nsanitizers = ["valgrind"]\n'))
    with pytest.raises(Exception, match="sanitizers"):
        load(str(own_scenario))


def test_the_command_says_why_nothing_was_checked(cli: Any, own_scenario: Path) -> None:
    done = cli("sanitize", own_scenario, "--target", "cpu")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("avo: not checked: compute-sanitizer is for CUDA targets")
