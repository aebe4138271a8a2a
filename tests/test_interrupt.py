"""Ctrl-C is answered with one line and exit code 130 at whatever moment it comes, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from avo.tools.devices.lease import lease

TINY = Path(__file__).parent / "tiny"
AVO = (sys.executable, "-m", "avo")
INTERRUPTED = (130, "avo: interrupted\n")
COMMANDS = ("--help", "scenario list", f"eval {TINY} --target cpu", "doctor", "kb search setmaxnreg")
OF_ITS_OWN = (0, 3)
"""Exit codes of these when nobody interrupts them: doctor and kb end with 3 where something is missing."""


def held_back() -> None:
    """Keep Ctrl-C for avo: what comes while the interpreter itself starts is Python's to answer."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*AVO, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=held_back
    )


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 50, 100, 200, 400])
@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_one_line_at_any_moment_or_the_command_is_done(command: str, milliseconds: int) -> None:
    with started(*command.split()) as process:
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    if process.returncode in OF_ITS_OWN:
        assert "interrupted" not in err
        assert out or err
    else:
        assert (process.returncode, err) == INTERRUPTED
    assert "Traceback" not in err


def test_what_a_library_makes_of_it_while_it_loads_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    for _ in range(9): pass\n"
        "except BaseException as error:\n    raise ImportError('typer is broken') from error\n"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [*AVO, "--help"], capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path}
    )
    assert (done.returncode, done.stderr) == INTERRUPTED


def test_a_command_that_the_shell_put_into_the_background_goes_on() -> None:
    process = subprocess.Popen(
        [*AVO, "scenario", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert "mha_causal" in out


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--run", "run")], ids=["alone", "in a run"])
def test_who_waits_for_a_device_is_told_who_holds_it_and_leaves_at_once(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with (
        lease("cpu"),
        subprocess.Popen(
            [*AVO, "eval", str(TINY), "--target", "cpu", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=tmp_path,
        ) as process,
    ):  # fmt: skip
        assert process.stderr
        told = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert told.startswith(f"avo: waiting for cpu, held by pid {os.getpid()} (`")
    assert (process.returncode, err) == INTERRUPTED


@pytest.mark.slow
def test_a_run_that_waits_for_a_device_ends_by_the_first_one(tmp_path: Path) -> None:
    with (
        lease("cpu"),
        subprocess.Popen(
            [*AVO, "run", "scenario", str(TINY), "--target", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=tmp_path,
        ) as process,
    ):  # fmt: skip
        assert process.stderr
        while "waiting for cpu, held by pid" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "stopped before the seed was scored" in err
    assert "Traceback" not in err
