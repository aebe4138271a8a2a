"""Where avo is started: an encoding that lacks a character, a home that is not there, a terminal that is closed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "tiny"
AVO = (sys.executable, "-c", "from avo.cli import main; main()")
Cli = Callable[..., "subprocess.CompletedProcess[str]"]
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}, PLAIN])
def test_a_character_that_the_terminal_lacks_is_written_as_its_number(
    cli: Cli, own_scenario: Path, variables: dict[str, str]
) -> None:
    text = own_scenario / "scenario.toml"
    text.write_text(text.read_text("utf-8").replace("Matrix times vector", "Matrix — vector"), "utf-8")
    done = cli("scenario", "show", own_scenario, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Matrix \\u2014 vector" in done.stdout
    assert "\\u2014" in cli("scenario", "show", own_scenario, "--json", **variables).stdout
    lost = cli("scenario", "show", "—", PYTHONIOENCODING="ascii")
    assert lost.returncode == 2
    assert "avo: no scenario '\\u2014'" in lost.stderr


@pytest.mark.parametrize("home", ["/dev/null/home", "/proc/home"])
def test_a_home_where_nothing_can_be_kept_is_one_line_that_names_the_variable(cli: Cli, home: str) -> None:
    done = cli("eval", TINY, HOME=home, AVO_CACHE="", XDG_CACHE_HOME="")
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"avo: {home}/.cache/avo cannot be made")
    assert "AVO_CACHE" in line
    listed = cli("scenario", "list", HOME=home, AVO_CACHE="", XDG_CACHE_HOME="")
    assert (listed.returncode, listed.stderr) == (0, "")


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_a_run_as_ctrl_c_does(tmp_path: Path, planted_run: Path) -> None:
    run = Path(shutil.copytree(planted_run, tmp_path / "run"))
    master, terminal = os.openpty()
    with subprocess.Popen(
        [*AVO, "run", "scenario", str(TINY), "--run", str(run)], stdout=terminal, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(terminal)
        assert process.stderr is not None
        assert "no knowledge base" in process.stderr.readline()
        assert "attempt 2" in process.stderr.readline()
        os.close(master)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=800)
    assert process.returncode == 130, err
    assert "stopping after the current tool call" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_it_ends_any_other_command_with_a_last_line(tmp_path: Path, number: signal.Signals) -> None:
    from avo.tools.devices.lease import lease

    variables = os.environ | {"AVO_CACHE": str(tmp_path)}
    with (
        lease("cpu"),
        subprocess.Popen([*AVO, "eval", str(TINY)], stderr=subprocess.PIPE, text=True, env=variables) as process,
    ):
        while not [*tmp_path.glob("builds/[!.]*")]:  # then it waits for the processor
            assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=800)
    assert (process.returncode, err) == (130, "avo: interrupted\n")


@pytest.mark.slow
def test_nohup_outlives_its_terminal(tmp_path: Path, planted_run: Path) -> None:
    run = Path(shutil.copytree(planted_run, tmp_path / "run"))
    command = ["nohup", *AVO, "run", "scenario", str(TINY), "--run", str(run), "--max-attempts", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "no knowledge base" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        out, err = process.communicate(timeout=800)
    assert process.returncode == 0, err
    assert out.startswith("attempts: ")
