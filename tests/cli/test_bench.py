"""`avo bench` compares candidates with every baseline in one table, and names whoever is not in it."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from avo.installation import how_to_install

TINY = Path(__file__).parents[1] / "tiny"
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("avo: ")
    return line


@pytest.fixture
def candidates(tmp_path: Path) -> list[Path]:
    """The seed in one folder, and a wrong copy of it in another of the same name."""
    folders = [tmp_path / parent / "mine" for parent in ("right", "wrong")]
    source = (TINY / "seed" / "matvec.cpp").read_text()
    for folder, text in zip(folders, (source, source.replace("a->y[i] = y;", "a->y[i] = -y;")), strict=True):
        folder.mkdir(parents=True)
        (folder / "matvec.cpp").write_text(text)
    return folders


def test_the_seed_stands_beside_every_baseline(cli: Cli) -> None:
    done = cli("bench", TINY)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    assert {"torch_mv", "seed"} <= set(rows)
    assert rows["torch_mv"][-1] == "1"
    assert float(rows["seed"][1]) > 0


def test_the_json_holds_every_sample_and_is_written_as_well(cli: Cli, tmp_path: Path) -> None:
    done = cli("bench", TINY, "--json", "-o", tmp_path / "result.json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert json.loads((tmp_path / "result.json").read_text()) == told
    assert {"scenario", "target", "unit", "device", "compiler", "versions", "protocol", "digest"} <= set(told)
    assert told["versions"]["torch"]
    library, seed = told["contestants"]
    assert (library["name"], library["kind"], told["reference"]) == ("torch_mv", "baseline", "torch_mv")
    assert (seed["name"], seed["kind"]) == ("seed", "candidate")
    assert set(seed["ratios"]) == {"torch_mv"}
    found = seed["ratios"]["torch_mv"]
    assert found["low"] <= found["ratio"] <= found["high"]
    for one in (library, seed):
        case = one["cases"]["wide"]
        median = statistics.median(row[0] for row in case["samples_ms"])
        assert case["value"] == pytest.approx(2 * 128 * 4096 / 1e6 / median, rel=1e-4)
        assert 0 < case["error_ratio"] <= 1


def test_only_the_baselines_that_were_asked_for_take_part(cli: Cli, own_scenario: Path) -> None:
    reference, settings = own_scenario / "reference.py", own_scenario / "scenario.toml"
    reference.write_text(reference.read_text() + "\n\ndef other(case, inputs):\n    return inputs['a'] @ inputs['x']\n")
    both = settings.read_text().replace('["torch_mv"]', '["other", "torch_mv"]')
    settings.write_text(both)
    every, one = (cli("bench", own_scenario, "--json", *more) for more in ((), ("--baseline", "torch_mv")))
    assert (every.returncode, one.returncode) == (0, 0), every.stderr + one.stderr
    names = [[contestant["name"] for contestant in json.loads(done.stdout)["contestants"]] for done in (every, one)]
    assert names == [["other", "torch_mv", "seed"], ["torch_mv", "seed"]]


def test_a_baseline_that_is_not_there_is_one_line(cli: Cli) -> None:
    line = one_line(cli("bench", TINY, "--baseline", "cudnn"), 2)
    assert line == "avo: --baseline: cpu has no baseline 'cudnn'; it has torch_mv"


def test_a_wrong_candidate_is_rejected_by_name_and_the_others_are_compared(cli: Cli, candidates: list[Path]) -> None:
    done = cli("bench", TINY, *candidates, "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["contestants"]] == ["torch_mv", str(candidates[0])]
    assert list(told["rejected"]) == [str(candidates[1])]
    assert told["rejected"][str(candidates[1])].startswith("INCORRECT_NUMERICAL: ")


def test_a_candidate_that_does_not_compile_is_rejected_too(cli: Cli, candidates: list[Path]) -> None:
    (candidates[1] / "matvec.cpp").write_text("int x = nothing;\n")
    done = cli("bench", TINY, candidates[1])
    assert done.returncode == 1
    assert "rejected: ./mine: COMPILE_ERROR" in done.stdout
    assert "torch_mv" in done.stdout


def test_a_baseline_that_is_not_here_is_named_below_the_table(cli: Cli, own_scenario: Path) -> None:
    with (own_scenario / "reference.py").open("a") as file:
        file.write("\n\ndef fa9(case, inputs):\n    import fa9_interface\n")
    toml = own_scenario / "scenario.toml"
    toml.write_text(toml.read_text().replace('["torch_mv"]', '["fa9", "torch_mv"]'))
    done = cli("bench", own_scenario)
    assert done.returncode == 0, done.stderr
    assert f"missing: fa9: no module fa9_interface: {how_to_install('baselines')}" in done.stdout.splitlines()
    assert "x torch_mv" in done.stdout


def test_what_cannot_be_compared_is_one_line(cli: Cli, tmp_path: Path) -> None:
    assert "no folder 'nowhere'" in one_line(cli("bench", TINY, "nowhere"), 2)
    assert "for GPUs" in one_line(cli("bench", TINY, "--paper"), 2)
    assert "no folder" in one_line(cli("bench", TINY, "-o", "nowhere/x.json"), 2)
    assert "did you mean 'mha_causal'?" in one_line(cli("bench", "mha_casual"), 2)
