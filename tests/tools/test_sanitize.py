"""sanitize: it looks, or says in one line why it cannot; a gate that finds something or cannot look keeps nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avo.run import open_run, plant_seed
from avo.scenarios.loader import load
from avo.tools.all_tools import registry
from avo.tools.commit import commit
from avo.tools.instruments.sanitizer import CPU_TOOLS, TOOLS
from avo.tools.sanitize import chosen
from avo.tools.workspace import Workspace
from avo.types import ToolError


def asking(scenario: Path, *tools: str) -> None:
    """Have a scenario ask for these before a version is kept."""
    file = scenario / "scenario.toml"
    asked = f"launch_seconds = 2\nsanitizers = {list(tools)}\n"
    file.write_text(file.read_text().replace("launch_seconds = 2\n", asked))


@pytest.fixture
def demanding(own_scenario: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A run of a scenario that asks for sanitizers."""
    asking(own_scenario, "address", "undefined")
    scenario = load(str(own_scenario))
    assert scenario.target("cpu").sanitizers == ("address", "undefined")
    with open_run(tmp_path / "run", scenario, "cpu", "tuner") as opened:
        asyncio.run(plant_seed(opened))
        opened.step, _ = opened.journal.open_step("v0")
        yield opened


def asked(workspace: Workspace, arguments: dict[str, str]) -> tuple[str, bool]:
    answer = asyncio.run(registry(workspace).call("sanitize", arguments))
    return answer.text, answer.worked


def test_on_the_cpu_the_tool_asks_the_compilers_sanitizers(workspace: Workspace) -> None:
    shown, worked = asked(workspace, {})
    assert worked
    assert shown.startswith("clean: address, undefined")


def test_a_tool_for_gpus_is_refused_on_the_cpu(workspace: Workspace) -> None:
    shown, worked = asked(workspace, {"tool": "memcheck"})
    assert not worked
    assert shown.startswith("sanitize: not checked: memcheck is not for the target cpu, which has address, undefined")


def test_an_unknown_tool_is_refused_with_the_choices(workspace: Workspace) -> None:
    shown, worked = asked(workspace, {"tool": "valgrind"})
    assert not worked
    assert all(name in shown for name in TOOLS)


def test_all_stands_for_every_tool() -> None:
    assert chosen("all", "sm_90a") == tuple(TOOLS)
    assert chosen("all", "cpu") == chosen("usual", "cpu") == tuple(CPU_TOOLS)
    assert chosen("usual", "sm_90a") == ("memcheck",)
    assert chosen("racecheck", "sm_90a") == ("racecheck",)


@pytest.mark.parametrize(
    ("faulty", "reason"),
    [
        ("static int n = 2147483647; n += int(a->R);", r"refused: NOT CLEAN: undefined (.|\n)*signed integer overflow"),
        ("__asan_init();", "refused: the scenario asks for address, undefined, which could not look: "),
    ],
)
def test_a_version_is_not_kept_when_a_sanitizer_finds_something_or_cannot_look(
    demanding: Workspace, faulty: str, reason: str
) -> None:
    path = demanding.work_tree / "matvec.cpp"
    own = "#ifdef __SANITIZE_ADDRESS__\n#error not under a sanitizer\n#endif\n" if "init" in faulty else ""
    changed = path.read_text().replace("SUMS = 1;", "SUMS = 16;")
    path.write_text(own + changed if own else changed.replace("for (int64_t n = 0", f"{faulty} for (int64_t n = 0", 1))
    before = demanding.lineage.versions()
    with pytest.raises(ToolError, match=reason):
        asyncio.run(commit(demanding, "Sixteen sums"))
    assert demanding.lineage.versions() == before
    assert demanding.journal.comparisons() == []


def test_a_scenario_may_only_ask_for_tools_that_there_are(own_scenario: Path) -> None:
    for tool in ("valgrind", "memcheck"):
        folder = Path(shutil.copytree(own_scenario, own_scenario.with_name(tool)))
        asking(folder, tool)
        with pytest.raises(Exception, match="sanitizers"):
            load(str(folder))


def test_the_command_says_why_nothing_was_checked(cli: Any, own_scenario: Path) -> None:
    done = cli("sanitize", own_scenario, "--target", "cpu", "--tool", "memcheck")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("avo: not checked: memcheck is not for the target cpu")
