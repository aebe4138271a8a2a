"""On a real terminal, where Ctrl-C reaches every process of the foreground and progress is a live line."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
TINY = Path(__file__).parents[1] / "tiny"
CTRL_C = b"\x03"
LONGEST = 800
"""Seconds that a run may take on a slow machine."""


def on_a_terminal(arguments: list[str], folder: Path, trigger: bytes) -> tuple[str, int]:
    """What avo writes to a terminal of its own, and its exit code; Ctrl-C is typed once `trigger` was seen."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-c", "from avo.cli import main; main()", *arguments])
    output, typed, deadline = b"", False, time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            output += os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        if trigger in output and not typed:
            os.write(terminal, CTRL_C)
            typed = True
    assert typed
    return output.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_ctrl_c_stops_avo_and_not_the_programs_that_it_uses(tmp_path: Path, cli: Any) -> None:
    output, code = on_a_terminal(["run", "scenario", str(TINY), "--run", "run"], tmp_path, b"attempt 2")
    assert code == 130
    assert "stopping after the current tool call" in output
    assert re.search(r"interrupted: [01] versions?", output)
    assert "Traceback" not in output
    assert "failed" not in output
    output, code = on_a_terminal(["run", "scenario", str(TINY), "--run", "run"], tmp_path, b"step ")
    assert code == 130, output
    assert "failed" not in output
    resumed = cli("run", "scenario", TINY, "--run", "run")
    assert resumed.returncode == 0, resumed.stderr
    assert re.search(r"exhausted: [1-9] versions?", resumed.stdout)
