"""A candidate that took over its runner, past the builder's inspection, still gains nothing from it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avo.scenarios.abi import HEADER, header
from avo.scenarios.loader import load
from avo.tools.score.builder import Build
from avo.tools.score.judge import Judge, judged
from avo.tools.score.loaded import LoadedOnGpu, clocks_agree
from avo.types import Missing, Rejected, geomean

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


@contextlib.contextmanager
def runner(program: str, limit: float = 0.2) -> Iterator[Callable[[], LoadedOnGpu]]:
    """A runner that is this program, where `said` is a function that replies a line; loads it when called."""
    command_end, commands = os.pipe()
    replies, reply_end = os.pipe()
    os.set_blocking(commands, False)
    source = f"import os, time\ndef said(line): os.write({reply_end}, line + b'\\n')\n{program}"
    with subprocess.Popen([sys.executable, "-c", source], pass_fds=(command_end, reply_end)) as child:
        os.close(reply_end)
        try:
            yield lambda: LoadedOnGpu(child, commands, replies, limit)
        finally:
            child.kill()
    for descriptor in (command_end, commands, replies):
        os.close(descriptor)


BASE, LOADED = "said(b'{\"base\": 4096}')\n", "said(b'{\"loaded\": true}')\n"


def test_a_runner_that_takes_no_commands_does_not_hold_the_judge_up() -> None:
    with runner(f"{BASE}{LOADED}time.sleep(600)") as load:
        loaded = load()
        assert loaded.base == 4096
        with pytest.raises(Rejected, match=r"TIMEOUT: did not take a command for 0\.2 s"):
            loaded._command([bytes(100)] * 1000, 1)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ('said(b\'{"machine": "CUDA error 35"}\')', "does not start: CUDA error 35$"),
        ("os._exit(7)", r"does not start: ended its process with exit code 7 \(while starting\)$"),
    ],
)
def test_what_goes_wrong_before_the_candidate_is_loaded_is_the_machines_fault(program: str, reason: str) -> None:
    with runner(program) as load, pytest.raises(Missing, match=reason):
        load()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ('said(b\'{"error": "no avo_launch"}\')', "cannot be loaded: no avo_launch$"),
        ("os._exit(7)", r"ended its process with exit code 7 \(while loading it\)$"),
        ('said(b\'{"machine": "CUDA error 35"}\')', "answered with a forged reply while loading it$"),
        ("said(b'[1]')", "answered with a forged reply while loading it$"),
    ],
)
def test_what_goes_wrong_from_then_on_is_the_candidates(program: str, reason: str) -> None:
    with runner(f"{BASE}time.sleep(0.1)\n{program}") as load, pytest.raises(Rejected, match=reason):
        load()


ROW, LAUNCHES, CALL = 21e-3, 8, 0.57e-3
"""Seconds of a row of launches and what comes on top of it, as an H200 gives them."""
SHORT_ROW, SHORT_LAUNCHES, SHORT_PAIRS, LONG_CALL = 10.47e-3, 510, 51, 1.36e-3
"""The same of launches of 20 us, ten of which are timed as one."""


def test_honest_events_leave_out_what_a_call_costs() -> None:
    assert clocks_agree(ROW, ROW + CALL, LAUNCHES, LAUNCHES)
    assert clocks_agree(SHORT_ROW, SHORT_ROW + LONG_CALL, SHORT_LAUNCHES, SHORT_PAIRS)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9, 0.95, 0.97, 1.03])
def test_events_that_the_clock_of_the_judge_contradicts_are_found_out(part: float) -> None:
    assert not clocks_agree(part * ROW, ROW + CALL, LAUNCHES, LAUNCHES)


@pytest.mark.parametrize("part", [0.5, 0.8, 0.9, 0.95])
def test_many_short_launches_hide_less_than_a_twentieth(part: float) -> None:
    assert not clocks_agree(part * SHORT_ROW, SHORT_ROW + LONG_CALL, SHORT_LAUNCHES, SHORT_PAIRS)
