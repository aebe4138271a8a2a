"""The sandbox measures that this system grants, found by trying them in a child process."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from avo.sandbox.command import Limits, enclosed
from avo.sandbox.process import python_child
from avo.settings import child_environment
from avo.types import ToolError

MEASURES = {
    "limits": "memory, file size and descriptors of a candidate are bounded",
    "namespaces": "a candidate has no network and no processes of others",
    "read_only": "neither a candidate nor the shell tool changes modes, owners or times of any file",
    "no_new_privs": "a candidate cannot gain rights",
    "landlock": "a candidate opens no file but its own; the shell tool writes nothing but its copy of the work tree",
    "seccomp": "a candidate on a CPU starts no thread or process, opens no socket, sends no signal",
    "seccomp_gpu": "a candidate on a GPU starts no process, opens no socket, sends no signal to others",
    "seccomp_probe": "a candidate on a GPU starts no process and sends no signal to others under an instrument either",
    "shell": "the shell tool can be used: its commands are kept from all other files",
    "shell_root": "they see no file but compilers and their copy of the work tree",
    "shell_processes": "all of them end with the call, and their number is bounded",
    "shell_disk": "they cannot fill the disk: what they write lies in memory, up to a limit",
    "shell_sockets": "they open no socket, not even one of a file",
    "shell_signals": "they send no signal to others",
}
"""Measure -> its effect, in words for the user."""
FORKS = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; echo all"
"""Shell command that starts more processes than SMALL allows."""
WRITES = "head -c 3000000 /dev/zero > x || echo full"
"""Shell command that writes more than SMALL allows."""
SMALL = Limits(processes=8, disk=1 << 20)
"""Limits under which both are tried."""


def measures_in_force() -> list[str]:
    """Return the names in MEASURES that a fresh process was granted."""
    probe = python_child("avo.sandbox.confine", "probe")
    done = subprocess.run(probe, capture_output=True, text=True, check=False, env=child_environment(Path("/")))
    in_force: list[str] = json.loads(done.stdout) if done.returncode == 0 else []
    return [name for name in in_force if name in MEASURES] + _of_the_shell()


def _of_the_shell() -> list[str]:
    """Return the measures of the shell tool that hold when they are tried."""
    try:
        with enclosed(FORKS, 10, SMALL, files={}) as ran:
            granted, forked = ran.granted, ran.finished.output
        with enclosed(WRITES, 10, SMALL, files={}) as ran:
            wrote = ran.finished.output
    except ToolError:
        return []
    ended = not {"namespaces", "own_user", "no_signals"}.isdisjoint(granted)
    tried = {
        "shell": True,
        "shell_root": "own_root" in granted,
        "shell_processes": ended and ("all" not in forked.split() or "fork" in forked),
        "shell_disk": "own_root" in granted and "full" in wrote.split(),
        "shell_sockets": "no_sockets" in granted,
        "shell_signals": "no_signals" in granted,
    }
    return [name for name, holds in tried.items() if holds]
