"""`avo lineage plot`: the figures of the versions, and a picture that is the same each time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from avo.cli.picture import draw, spread
from avo.memory.lineage import Lineage
from avo.memory.trajectory import Trajectory, trajectory
from avo.types import AvoError, CaseScore, Status, Verdict

Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]
SCORES = ((2.0, True), (3.0, True), (3.1, False), (4.0, True))


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    """Four versions over two cases and a baseline; the third only matched, by luck with more."""
    kept = Lineage(tmp_path / "lineage", create=True)
    for number, (score, improved) in enumerate(SCORES):
        cases = tuple(CaseScore(case, score * by, 1, 1, 1, 0.5, (1.0,)) for case, by in (("low", 0.5), ("high", 2.0)))
        baselines = {"torch": {"low": 4.0 + number, "high": 4.0 + number}}
        verdict = Verdict(Status.PASSED, "", "TFLOPS", cases, baselines, device="H200")
        facts = {"Attempts": str(1 + 5 * number)}
        kept.commit({"a.cpp": b"%d" % number}, {}, "t", verdict, "m", improved=improved, trailers=facts)
    return kept


def test_the_figures_are_those_of_the_commits(lineage: Lineage) -> None:
    found = trajectory(lineage, "mha on sm_90a", "versions")
    assert found.versions == ["v0", "v1", "v2", "v3"]
    assert found.scores == pytest.approx([2, 3, 3.1, 4])
    assert found.best == pytest.approx([2, 3, 3, 4])
    assert found.improved == [True, True, False, True]
    assert found.cases["low"] == pytest.approx([1, 1.5, 1.55, 2])
    assert found.baselines == pytest.approx({"torch": 5.5})
    assert (found.x, found.unit, found.devices) == ([0, 1, 2, 3], "TFLOPS", ["H200"])
    assert trajectory(lineage, "", "attempts").x == [1, 6, 11, 16]
    hours = trajectory(lineage, "", "hours").x
    assert hours[0] == 0
    assert sorted(hours) == hours
    with pytest.raises(AvoError, match="no version yet"):
        trajectory(Lineage(lineage.folder.parent / "new", create=True), "", "versions")


def test_a_picture_is_the_same_each_time(lineage: Lineage, tmp_path: Path) -> None:
    found = trajectory(lineage, "mha on sm_90a", "versions")
    for name in ("a.svg", "b.svg", "a.png", "b.png"):
        draw(found, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_settings_of_the_users_do_not_change_the_picture(
    lineage: Lineage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    found = trajectory(lineage, "mha on sm_90a", "versions")
    draw(found, tmp_path / "a.svg")
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "black")
    draw(found, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert matplotlib.rcParams["axes.facecolor"] == "black"


@pytest.mark.parametrize("versions", [1, 2, 40, 200])
def test_a_lineage_of_any_length_can_be_drawn(tmp_path: Path, versions: int) -> None:
    scores = [1.0 + number for number in range(versions)]
    found = Trajectory(
        "odd $na_{me$", "versions", "TFLOPS", ["a $de^_vice$\x1b["], [f"v{n}" for n in range(versions)],
        [float(n) for n in range(versions)], scores, scores, [True] * versions,
        {"a": [None, *scores[1:]], "b": scores}, {"x$_^": 3.0, "y": 3.01, "z": 0.0},
    )  # fmt: skip
    draw(found, tmp_path / "a.svg")
    draw(replace(found, cases={"a": scores}, baselines={}, by="hours"), tmp_path / "a.png")
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_labels_keep_apart_and_near_their_lines() -> None:
    assert spread([0.2, 0.5, 0.9], 0.1) == pytest.approx([0.2, 0.5, 0.9])
    assert spread([0.50, 0.51], 0.1) == pytest.approx([0.455, 0.555])
    crowded = [0.0, 0.0, 0.01, 0.3, 0.31, 0.33, 0.34, 0.9]
    places = spread(crowded, 0.05)
    assert all(later - earlier >= 0.05 - 1e-9 for earlier, later in pairwise(places))
    assert places[0] == 0
    assert places[-1] == pytest.approx(0.9)


def test_the_command_draws_or_prints(cli: Cli, planted_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(planted_run, tmp_path / "run")
    told = json.loads(cli("lineage", "plot", "--run", run, "--json").stdout)
    assert (told["title"], told["versions"], told["by"]) == ("tiny on cpu", ["v0"], "versions")
    assert "file" not in told
    assert not list(tmp_path.glob("*.png"))
    assert cli("lineage", "plot", "--run", run).stdout == "trajectory.png\n"
    assert (tmp_path / "trajectory.png").is_file()
    done = cli("lineage", "plot", "--run", run, "-o", "x.svg", "--by", "attempts", "--json")
    assert json.loads(done.stdout)["file"] == "x.svg"
    wrong = cli("lineage", "plot", "--run", run, "-o", "x.pdf")
    assert (wrong.returncode, wrong.stderr) == (2, "avo: a picture is a .png or an .svg, not 'x.pdf'\n")


def test_the_program_that_looks_for_fonts_sees_no_secret_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "fc-list"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    variables = os.environ | {"PATH": path, "MPLCONFIGDIR": str(tmp_path / "fonts"), "ANYTHING": "k" * 20}
    code = "import avo.cli.picture, os; print(os.environ['ANYTHING'])"
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == "k" * 20 + "\n"
    assert "MPLCONFIGDIR" in (tmp_path / "seen").read_text()
    assert "k" * 20 not in (tmp_path / "seen").read_text()
