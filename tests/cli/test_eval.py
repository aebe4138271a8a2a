"""`avo eval` says what the agent sees, and every way to fail is one line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "tiny"
Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]


def one_line(done: Done, code: int) -> str:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: ")
    return line


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """The seed's sources in a folder of their own."""
    folder = tmp_path / "candidate"
    folder.mkdir()
    (folder / "matvec.cpp").write_bytes((TINY / "seed" / "matvec.cpp").read_bytes())
    return folder


def test_the_seed_is_scored_case_by_case_against_every_baseline(cli: Cli) -> None:
    done = cli("eval", TINY, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {"status", "reason", "score", "unit", "cases", "baselines"} <= set(told)
    assert (told["status"], told["reason"], told["unit"]) == ("PASSED", "", "GFLOP/s")
    (case,) = told["cases"]
    assert set(case) == {"id", "value", "median_ms", "noise", "error_ratio", "seconds"}
    assert case["id"] == "wide"
    assert told["score"] == pytest.approx(case["value"])
    assert case["value"] >= 2 * 128 * 4096 / case["median_ms"] / 1e6
    assert case["noise"] >= 1
    assert 0 < case["error_ratio"] <= 1
    assert set(told["baselines"]) == {"torch_mv"}
    assert told["baselines"]["torch_mv"]["score"] == pytest.approx(told["baselines"]["torch_mv"]["cases"]["wide"])


def test_a_quick_look_is_marked_as_one_and_is_kept_nowhere(cli: Cli, tmp_path: Path) -> None:
    done = cli("eval", TINY, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["quick"], [case["id"] for case in told["cases"]]) == (True, ["wide"])
    assert cli("eval", TINY, "--quick").stdout.startswith("quick look: ")
    line = one_line(cli("eval", TINY, "--quick", "--run", tmp_path / "run"), 2)
    assert line == "avo: --quick keeps nothing: leave out --run, or --quick"
    assert not (tmp_path / "run").exists()


def test_a_wrong_candidate_is_rejected_with_its_reason(cli: Cli, candidate: Path) -> None:
    source = candidate / "matvec.cpp"
    source.write_text(source.read_text().replace("a->y[i] = y;", "a->y[i] = y * 1.01f;"))
    done = cli("eval", TINY, candidate, "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["score"], told["cases"]) == ("INCORRECT_NUMERICAL", 0, [])
    assert told["reason"]


def test_a_candidate_that_does_not_compile_shows_the_compilers_words(cli: Cli, candidate: Path) -> None:
    (candidate / "matvec.cpp").write_text("int x = nothing;\n")
    done = cli("eval", TINY, candidate)
    assert done.returncode == 1
    assert re.match(r"COMPILE_ERROR: (\./)?matvec\.cpp:1:", done.stdout)
    assert "score 0" in done.stdout
    assert done.stderr == ""


def test_what_is_no_candidate_is_one_line(cli: Cli, tmp_path: Path, candidate: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no source files" in one_line(cli("eval", TINY, tmp_path / "empty"), 2)
    assert "no folder" in one_line(cli("eval", TINY, tmp_path / "nowhere"), 2)
    assert "no folder" in one_line(cli("eval", TINY, candidate / "matvec.cpp"), 2)
    (candidate / "link.cpp").symlink_to("/etc/passwd")
    assert "link.cpp is a link" in one_line(cli("eval", TINY, candidate), 2)


def test_an_unknown_scenario_or_target_names_the_choices(cli: Cli) -> None:
    assert "did you mean 'mha_causal'?" in one_line(cli("eval", "mha_casual"), 2)
    assert "there are: cpu" in one_line(cli("eval", TINY, "--target", "sm_80"), 2)


@pytest.fixture
def path_with(tmp_path: Path) -> Callable[..., str]:
    """A PATH on which only the programs named are found."""

    def make(*programs: str) -> str:
        folder = tmp_path / "bin"
        folder.mkdir()
        for program in programs:
            (folder / program).symlink_to(str(shutil.which(program)))
        return str(folder)

    return make


def test_without_a_compiler_it_says_how_to_get_one(cli: Cli, path_with: Callable[..., str]) -> None:
    assert "apt-get install g++" in one_line(cli("eval", TINY, PATH=path_with("git")), 3)


def test_without_git_it_says_how_to_get_it(cli: Cli, path_with: Callable[..., str]) -> None:
    assert "apt-get install git" in one_line(cli("run", "scenario", TINY, PATH=path_with("c++")), 3)


def test_build_alone_compiles_without_running(cli: Cli, candidate: Path) -> None:
    (candidate / "matvec.cpp").write_text('extern "C" int avo_launch(const void*, void*) { __builtin_trap(); }')
    done = cli("build", TINY, candidate, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "PASSED"
