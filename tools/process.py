"""Runs children: a session of their own, a scrubbed environment, a time limit, and no survivor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avo.settings import PACKAGE, child_environment
from avo.tools.sandbox import Policy, as_json
from avo.types import Cancelled

SYSTEM_FOLDERS = (
    *("/lib", "/lib64", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec"),
    *("/usr/include", "/usr/share", "/usr/local/bin", "/usr/local/include", "/opt"),
    *("/etc/ld.so.cache", "/etc/alternatives"),
)
"""What a compiler or a shell reads."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/full")

_alive: set[int] = set()
"""Leaders of the process groups under way."""
_killed: set[int] = set()


@dataclass(frozen=True)
class Finished:
    """How a child ended."""

    code: int
    """Exit status; negative: the signal that ended it."""
    output: str
    """Both streams, as UTF-8 with what is not replaced."""
    seconds: float
    timed_out: bool


def python_child(module: str, *arguments: str) -> list[str]:
    """A command that runs `module` in a bare interpreter: no site-packages, no variables, 20 ms to start."""
    boot = (
        f"import sys, runpy; sys.path.insert(0, {str(PACKAGE.parent)!r});"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    return [sys.executable, "-I", "-S", "-c", boot, *arguments]


def run(command: list[str], cwd: Path, timeout: float, policy: Policy) -> Finished:
    """Run `command` in the sandbox until it ends or `timeout` seconds passed; then its whole group is killed.

    Raises Cancelled when `kill_all` ended it.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            python_child("avo.tools.sandbox", as_json(policy), *command),
            cwd=cwd, env=child_environment(cwd), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        with supervised(child):
            try:
                code, timed_out = child.wait(timeout), False
            except subprocess.TimeoutExpired:
                code, timed_out = -signal.SIGKILL, True
        output.seek(0)
        text = output.read(8 << 20).decode("utf-8", "replace")
    return Finished(code, text, time.monotonic() - started, timed_out)


@contextlib.contextmanager
def supervised(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the child's whole group on the way out, whatever happened; Cancelled if `kill_all` came first."""
    _alive.add(child.pid)
    try:
        yield
    finally:
        _kill_group(child.pid)
        child.wait()
        _alive.discard(child.pid)
        if child.pid in _killed:
            _killed.discard(child.pid)
            raise Cancelled("stopped by the user")


def kill_all() -> int:
    """End every child under way; returns how many there were. What waits for them raises Cancelled."""
    groups = list(_alive)
    for group in groups:
        _killed.add(group)
        _kill_group(group)
    return len(groups)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def elide(text: str, limit: int) -> str:
    """Head and tail of a long text, and how much was left out between them."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[... {len(text) - head - tail} characters left out ...]\n{text[-tail:]}"
