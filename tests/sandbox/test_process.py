"""Children: scrubbed, limited in time, and gone with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from avo.sandbox.confine import Policy
from avo.sandbox.process import DEVICES, SYSTEM_FOLDERS, Finished, elide, kill_all, python_child, run, supervised
from avo.types import Cancelled, Missing

OWN = f"6431.{os.getpid()}"
"""What no process of another test run sleeps for."""


def sh(command: str, folder: Path, seconds: float = 20, *, own_processes: bool = False) -> Finished:
    policy = Policy(
        read=(*SYSTEM_FOLDERS, *DEVICES), write=(str(folder), *DEVICES), file_bytes=1 << 20, own_processes=own_processes
    )
    return run(["/bin/sh", "-c", command], folder, seconds, policy)


def running(argument: str) -> bool:
    """Whether a process with that argument is there."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in path.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def eventually(argument: str, there: bool) -> bool:
    """Whether `running` comes to answer `there`; starting and ending take the kernel a moment."""
    for _ in range(200):
        if running(argument) == there:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("own_processes", [False, True])
def test_exit_code_and_both_streams_come_back(tmp_path: Path, own_processes: bool) -> None:
    done = sh("echo out; echo err >&2; exit 7", tmp_path, own_processes=own_processes)
    assert (done.code, done.output, done.timed_out) == (7, "out\nerr\n", False)


def test_output_that_is_no_text_is_replaced(tmp_path: Path) -> None:
    assert sh("printf 'a\\377b'", tmp_path).output == "a\ufffdb"


@pytest.mark.parametrize("own_processes", [False, True])
def test_a_time_limit_ends_the_whole_group_and_keeps_the_output(tmp_path: Path, own_processes: bool) -> None:
    argument = f"{OWN}{int(own_processes)}"
    for seconds in (0.7, 7, 70):  # on a slow machine it begins late
        done = sh(f"echo begun; sleep {argument} & sleep {argument}", tmp_path, seconds, own_processes=own_processes)
        if done.output:
            break
    assert (done.timed_out, done.output) == (True, "begun\n")
    assert done.code < 0
    assert eventually(argument, there=False)


def test_the_environment_holds_no_variable_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVO_SECRET", "planted")
    shown = dict(line.split("=", 1) for line in sh("env", tmp_path).output.splitlines())
    assert shown["HOME"] == shown["TMPDIR"] == str(tmp_path)
    assert set(shown) <= {"PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "PWD", "OLDPWD", "_", "SHLVL"}


@pytest.mark.parametrize("own_processes", [False, True])
def test_what_cannot_be_started_is_what_the_machine_lacks(tmp_path: Path, own_processes: bool) -> None:
    policy = Policy(read=SYSTEM_FOLDERS, write=(str(tmp_path),), own_processes=own_processes)
    with pytest.raises(Missing, match=r"^/nowhere/c\+\+ cannot be started: No such file or directory$"):
        run(["/nowhere/c++"], tmp_path, 20, policy)
    script = tmp_path / "no_program"
    script.write_text("not for any system\n")
    script.chmod(0o755)
    with pytest.raises(Missing, match="cannot be started: "):
        run([str(script)], tmp_path, 20, policy)


def test_a_child_does_not_get_what_the_process_that_confines_it_reports_on(tmp_path: Path) -> None:
    forged = 'for n in 3 4 5 6 7 8 9 10 11 12; do (echo \'{"failed": "forged"}\' >&$n) 2>/dev/null; done; exit 3'
    assert sh(forged, tmp_path, own_processes=True).code == 3


def test_the_memory_of_the_largest_process_is_known(tmp_path: Path) -> None:
    takes = f"{sys.executable} -I -S -c 'bytes(range(256)) * (100 << 12)'"
    policy = Policy(read=("/",), write=(str(tmp_path),), own_processes=True)
    assert run(["/bin/sh", "-c", f"{takes}; exit 0"], tmp_path, 20, policy).peak_memory > 100 << 20


def test_a_file_larger_than_allowed_is_not_written(tmp_path: Path) -> None:
    assert sh("head -c 3000000 /dev/zero > big", tmp_path).code != 0
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_a_bare_interpreter_has_no_site_packages() -> None:
    done = subprocess.run(python_child("avo.sandbox.confine", "probe"), capture_output=True, text=True, check=True)
    assert "limits" in done.stdout
    assert "-S" in python_child("avo.sandbox.confine")


def test_kill_all_raises_cancelled_in_the_thread_that_waits(tmp_path: Path) -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            sh(f"sleep {OWN}5", tmp_path, 60)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert eventually(f"{OWN}5", there=True)
    assert kill_all() == 1
    thread.join(30)
    assert [type(error) for error in raised] == [Cancelled]
    assert not running(f"{OWN}5")
    assert kill_all() == 0
    assert sh("echo on", tmp_path).output == "on\n"


class Stuck(subprocess.Popen[bytes]):
    """A child as one in a call to a driver that hangs: killed, it is there still."""

    def wait(self, timeout: float | None = None) -> int:
        assert timeout
        raise subprocess.TimeoutExpired("stuck", timeout)


def test_a_child_that_does_not_end_when_it_was_killed_is_what_the_machine_lacks() -> None:
    child = Stuck(["sleep", "60"], start_new_session=True)
    with pytest.raises(Missing, match=f"^process {child.pid} was killed and does not end"), supervised(child):
        pass
    assert subprocess.Popen.wait(child, 10) == -signal.SIGKILL


def test_a_child_that_does_not_end_when_the_user_stops_it_is_stopped_by_the_user() -> None:
    child = Stuck(["sleep", "60"], start_new_session=True)
    with pytest.raises(Cancelled), supervised(child):
        assert kill_all() == 1
    assert subprocess.Popen.wait(child, 10) == -signal.SIGKILL
    assert kill_all() == 0


def test_a_supervised_child_ends_with_the_block_even_by_an_error() -> None:
    child = subprocess.Popen(["sleep", f"{OWN}7"], start_new_session=True)
    with pytest.raises(KeyError), supervised(child):
        raise KeyError
    assert child.returncode is not None
    assert not running(f"{OWN}7")


def test_a_long_text_keeps_head_and_tail_and_counts_the_rest() -> None:
    text = "h" * 600 + "m" * 1000 + "t" * 300
    shown = elide(text, 900)
    assert shown == "h" * 600 + "\n[... 1000 characters left out ...]\n" + "t" * 300
    assert elide(text, 1900) == text
    assert elide("", 10) == ""
