"""`avo redteam` judges the shipped candidates and says whether each got what it deserves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_line_for_each_candidate_and_a_summary(cli: Cli) -> None:
    done = cli("redteam", "--target", "cpu", "zeros", "no_function")
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "ok                no_function: expected UNSUPPORTED, got UNSUPPORTED: exports no extern"
    )
    assert lines[1].startswith("ok                zeros: expected INCORRECT_NUMERICAL, got INCORRECT_NUMERICAL: o[")
    assert last.startswith("cpu, ")
    assert last.endswith(": 2 of 2 rejected, 0 not as expected")


def test_json_says_what_was_expected_and_what_came(cli: Cli) -> None:
    done = cli("redteam", "--target", "cpu", "--json", "nothing_*", "shared_attention")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {
        *("target", "device", "total", "rejected", "wrongly_accepted", "wrongly_rejected", "wrong_reason", "cases")
    }
    assert (told["target"], told["total"], told["rejected"]) == ("cpu", 2, 1)
    assert told["wrongly_accepted"] == told["wrongly_rejected"] == told["wrong_reason"] == []
    wrong, honest = told["cases"]
    assert set(wrong) == {"name", "expected", "got", "reason", "seconds"}
    assert (wrong["name"], wrong["expected"], wrong["got"]) == ("nothing_written", "NOT_WRITTEN", "NOT_WRITTEN")
    assert (honest["name"], honest["expected"], honest["got"]) == ("shared_attention", "PASSED", "PASSED")
    assert len(done.stderr.splitlines()) == 2


@pytest.fixture
def own_team(tmp_path: Path) -> tuple[str, str, Path]:
    """A package of its own, with the tests that stand beside it in a checkout: what finds it, and these tests."""
    root = Path(__file__).parents[2]
    package = shutil.copytree(root / "src", tmp_path / "checkout" / "src", ignore=shutil.ignore_patterns("__pycache__"))
    tests = tmp_path / "checkout" / "tests"
    scenarios = [path.parent.name for path in (root / "tests").glob("*/scenario.toml")]
    for folder in ("cheats", "wrong", "honest", *scenarios):
        shutil.copytree(root / "tests" / folder, tests / folder)
    return "import sys; sys.path.insert(0, sys.argv.pop(1)); from avo.cli import main; main()", str(package), tests


def call(team: tuple[str, str, Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", team[0], team[1], "redteam", "--target", "cpu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_not_as_expected_ends_with_exit_code_1(own_team: tuple[str, str, Path]) -> None:
    honest, wrong = own_team[2] / "honest" / "shared_attention.cpp", own_team[2] / "wrong" / "no_mask_at_all.cpp"
    accepted = "// expect: TIMEOUT\n// because: never\n" + honest.read_text().replace("// expect: PASSED\n", "")
    (own_team[2] / "cheats" / "taken_for_honest.cpp").write_text(accepted)
    (own_team[2] / "honest" / "not_honest.cpp").write_text(
        wrong.read_text().replace("// expect: INCORRECT_NUMERICAL", "// expect: PASSED")
    )
    zeros = own_team[2] / "cheats" / "zeros.cpp"
    zeros.write_text(zeros.read_text().replace("// expect: INCORRECT_NUMERICAL", "// expect: INPUT_MODIFIED"))
    done = call(own_team, "--json", "taken_for_honest", "not_honest", "zeros", "no_function")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["wrongly_accepted"] == ["taken_for_honest"]
    assert told["wrongly_rejected"] == ["not_honest"]
    assert told["wrong_reason"] == ["zeros"]
    assert told["total"] == 4


def test_without_a_checkout_one_line_says_so(own_team: tuple[str, str, Path]) -> None:
    shutil.rmtree(own_team[2])
    done = call(own_team)
    assert done.returncode == 3
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: no red team in ")


def test_an_unknown_name_is_one_line(cli: Cli) -> None:
    done = cli("redteam", "--target", "cpu", "zeroes")
    assert done.returncode == 2
    assert done.stderr == "avo: no candidate 'zeroes' in the red team; did you mean 'zeros'?\n"


def test_a_target_without_its_device_is_one_line(cli: Cli) -> None:
    done = cli("redteam", "--target", "sm_90a", "zeros", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: no GPU here")
