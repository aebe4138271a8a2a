"""What a runner says is believed no further than it can be checked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avo.sandbox.seccomp import lacking
from avo.tools.build.sources import Sources
from avo.tools.launch.launcher import LoadedOnGpu, clocks_agree, refuse
from avo.tools.score.executor import LocalExecutor
from avo.types import Missing, Rejected, Status


@contextlib.contextmanager
def runner(program: str, limit: float = 0.2) -> Iterator[Callable[[], LoadedOnGpu]]:
    """A runner that is this program, where `said` is a function that replies a line; loads it when called."""
    command_end, commands = os.pipe()
    replies, reply_end = os.pipe()
    os.set_blocking(commands, False)
    source = f"import os, time\nCOMMANDS, REPLIES = {command_end}, {reply_end}\n"
    source += f"def said(line): os.write(REPLIES, line + b'\\n')\n{program}"
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


filtered = pytest.mark.skipif(bool(lacking()), reason=lacking())


@filtered
def test_a_runner_that_others_killed_is_the_machines_fault(executor: LocalExecutor, seed: Sources) -> None:
    """As a system that is short of memory does."""
    built = executor.build(seed)
    with executor.held() as judge, judge.load(built) as (loaded, arena):
        os.kill(loaded._child.pid, signal.SIGKILL)
        with pytest.raises(Missing, match=r"killed by others .*, perhaps for want of memory"):
            judge.check(loaded, arena)
    assert executor.evaluate(seed).passed


@filtered
def test_a_candidate_that_ends_itself_in_that_way_is_to_blame(executor: LocalExecutor, seed: Sources) -> None:
    source = seed["matvec.cpp"].replace(b"a->y[i] = y;", b"raise(SIGKILL);")
    verdict = executor.evaluate({"matvec.cpp": b"#include <csignal>\n" + source})
    assert verdict.status is Status.RUNTIME_ERROR
    assert verdict.reason.startswith("made a system call that candidates may not make")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cleared": lambda library: shutil.rmtree(library.parent),
    "cut short": lambda library: library.write_bytes(library.read_bytes()[:5000]),
    "empty": lambda library: library.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_build_that_is_damaged_before_it_is_loaded_is_the_machines_fault(
    executor: LocalExecutor, seed: Sources, damage: Callable[[Path], object],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By who clears the cache while a candidate waits for the device, or by a disk."""
    monkeypatch.setenv("AVO_CACHE", str(tmp_path / "cache"))
    built = executor.build(seed)
    with executor.held() as judge:
        damage(built.library)
        with pytest.raises(Missing, match="was deleted or damaged while it was in use"), judge.load(built):
            pass
    assert executor.evaluate(seed).passed


GARBAGE = {
    "brackets": "b'[' * 4000",
    "nested tables": "b'{\"a\":' * 800",
    "a huge number": "b'9' * 4000",
    "a number like none": 'b\'{"base": NaN, "loaded": Infinity}\'',
    "half a surrogate pair as a key": "b'{\"\\\\ud800\": 1}'",
    "not UTF-8": "bytes(range(128, 256)) * 20",
    "UTF-16": "b'\\xff\\xfe[\\x00'",
    "nothing": "b'null'",
    "a string": "b'\"loaded\"'",
    "megabytes": "b'x' * (1 << 22)",
    "an error that is a table": 'b\'{"error": {"error": [1]}}\'',
}
"""What a candidate may answer instead of what its runner would, as Python."""


@pytest.mark.parametrize("reply", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_a_forged_reply_while_a_candidate_is_loaded(reply: str) -> None:
    with runner(f"{BASE}said({reply})") as load, pytest.raises(Rejected) as caught:
        load()
    assert (caught.value.status, caught.value.reason) == (
        Status.RUNTIME_ERROR, "answered with a forged reply while loading it",
    )  # fmt: skip


@pytest.mark.parametrize("reply", GARBAGE.values(), ids=GARBAGE)
def test_garbage_before_that_is_the_machines_fault(reply: str) -> None:
    with runner(f"said({reply})") as load, pytest.raises(Missing, match="the runner of candidates does not start"):
        load()


def test_what_the_loader_says_is_one_line_that_can_be_shown_and_written_down() -> None:
    error = r"no avo_launch\nPASSED 999\r\nPASSED 999\u2028PASSED 999\u001b[2J\u202e\ud800\u0000" + "a" * 3000
    with runner(f"""{BASE}said(rb'{{"error": "{error}"}}')""") as load, pytest.raises(Rejected) as caught:
        load()
    reason = caught.value.reason
    assert reason.startswith(
        r"cannot be loaded: no avo_launch\nPASSED 999\r\nPASSED 999\u2028PASSED 999\x1b[2J\u202e\ud800"
    )
    assert reason.isprintable()
    assert len(reason) < 400
    reason.encode()


@pytest.mark.parametrize("milliseconds", ["nan", "inf", "-1"])
def test_times_that_are_none_are_a_forged_reply(milliseconds: str) -> None:
    answers = f"""
import struct
while command := os.read(COMMANDS, 4096):
    reply = command[:8] + bytes(8) + struct.pack("=f", float("{milliseconds}"))
    os.write(REPLIES, reply)
"""
    with runner(f"{BASE}{LOADED}{answers}", 5.0) as load:
        loaded = load()
        with pytest.raises(Rejected, match="answered with a forged reply"):
            loaded.launch([bytes(8)], timed=True)


@pytest.mark.parametrize(
    ("code", "failed", "reason"),
    [
        (-1700, 0, "avo_launch returned -1700"),
        (0, 700, "illegal memory access (CUDA error 700)"),
        (0, 999, "CUDA error 999"),
        (7, 700, "avo_launch returned 7"),
    ],
)
def test_what_a_candidate_returns_is_no_error_of_cuda(code: int, failed: int, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        refuse(code, failed)
    assert caught.value.reason == reason


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
