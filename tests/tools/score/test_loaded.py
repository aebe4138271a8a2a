"""A candidate that took over its runner, past the builder's inspection, still gains nothing from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from avo.scenarios.abi import HEADER, header
from avo.scenarios.loader import load
from avo.tools.score.builder import Build
from avo.tools.score.judge import Judge, judged
from avo.tools.score.loaded import LoadedOnGpu, clocks_agree
from avo.types import Rejected, geomean

TESTS = Path(__file__).parents[2]
GAIN = 1.25
"""Ratio to the shared attention that is still noise."""


def compiled(judge: Judge, candidate: Path, folder: Path) -> Build:
    """The library as the compiler makes it: nothing is inspected."""
    folder.mkdir()
    (folder / HEADER).write_text(header(judge.scenario))
    (folder / "honest_attention.h").write_text((TESTS / "honest" / "attention.h").read_text())
    flags = [*judge.settings.flags, "-shared", "-fPIC", f"-I{folder}", f"-I{TESTS / 'cheats'}"]
    subprocess.run(["c++", *flags, "-o", folder / "candidate.so", candidate], check=True)
    return Build("", folder / "candidate.so", "", 0.0)


def score(judge: Judge, build: Build) -> float:
    """Geomean of the cases; 0 when it is rejected."""
    try:
        return geomean([case.value for case in judged(judge, build)[0]])
    except Rejected:
        return 0.0


@pytest.mark.parametrize("cheat", ["hides_behind_the_scheduler_tick", "works_after_its_reply"])
def test_work_outside_of_a_launch_is_counted_or_of_no_use(cheat: str, tmp_path: Path) -> None:
    judge = Judge(load("mha_causal"), "cpu")
    honest = compiled(judge, TESTS / "honest" / "shared_attention.cpp", tmp_path / "honest")
    before = score(judge, honest)
    cheated = score(judge, compiled(judge, TESTS / "cheats" / f"{cheat}.cpp", tmp_path / "cheat"))
    assert cheated < GAIN * max(before, score(judge, honest))


def test_a_runner_that_takes_no_commands_does_not_hold_the_judge_up() -> None:
    command_end, commands = os.pipe()
    replies, reply_end = os.pipe()
    os.set_blocking(commands, False)
    deaf = f"import os, time; os.write({reply_end}, b'{{\"base\": 0}}\\n'); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", deaf], pass_fds=(command_end, reply_end)) as child:
        loaded = LoadedOnGpu(child, commands, replies, limit=0.2)
        try:
            with pytest.raises(Rejected, match=r"TIMEOUT: did not take a command for 0\.2 s"):
                loaded._command([bytes(100)] * 1000, 1)
        finally:
            child.kill()
    for descriptor in (command_end, commands, replies, reply_end):
        os.close(descriptor)


ROW, LAUNCHES, CALL = 21e-3, 8, 0.57e-3
"""Seconds of a row of launches and what comes on top of it, as an H200 gives them."""


def test_honest_events_leave_out_what_a_call_costs() -> None:
    assert clocks_agree(ROW, ROW + CALL, LAUNCHES)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9, 0.95, 0.97, 1.03])
def test_events_that_the_clock_of_the_judge_contradicts_are_found_out(part: float) -> None:
    assert not clocks_agree(part * ROW, ROW + CALL, LAUNCHES)
