"""The lease of a device: one measurement at a time among all avo processes of this machine, first come first served."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from avo.settings import device_lock
from avo.tools.devices.gpu import fitting
from avo.types import Cancelled, Missing, one_line

Say = Callable[[str], None]
"""Function that shows a line to the user."""
LOOK_AGAIN_SECONDS = 0.05
"""Seconds between two looks at whether a device is free."""
TELL_SECONDS = 1.0
"""Seconds of waiting after which the user is told about it."""
LONGEST_COMMAND = 100
"""Maximum number of characters shown of the command that holds a device."""

_in_vain = threading.Event()


def say_so(line: str) -> None:
    """Print a line on standard error."""
    with contextlib.suppress(OSError):
        print(f"avo: {line}", file=sys.stderr, flush=True)


def wait_no_longer() -> None:
    """Make everyone who waits for a device, now or later, raise Cancelled."""
    _in_vain.set()


def wait_again() -> None:
    """Undo `wait_no_longer`."""
    _in_vain.clear()


@contextlib.contextmanager
def lease(target: str, say: Say = say_so) -> Iterator[int]:
    """Hold a device of the target, exclusively among all avo processes of this machine; yield its number.

    Takes the first free GPU that runs code for the target; if none is free, waits in line for one. say: called once,
    after a second, with a line that names the holder. Raises Cancelled after `wait_no_longer`.
    """
    names = (target != "cpu" and fitting(target)) or {0: target}
    with contextlib.ExitStack() as stack:
        files = {number: stack.enter_context(_lock_file(name)) for number, name in names.items()}
        since, told = time.monotonic(), False

        def wait() -> None:
            nonlocal told
            if _in_vain.is_set():
                raise Cancelled("stopped by the user")
            if not told and time.monotonic() - since > TELL_SECONDS:
                told = True
                holders = list(filter(None, map(_holder, files.values())))
                say(f"waiting for {target}" + (f", held by {' and '.join(holders)}" if holders else ""))
            time.sleep(LOOK_AGAIN_SECONDS)

        with _queue("-".join(["queue", *(name[:12] for name in names.values())]), wait):
            while (free := next((number for number, file in files.items() if _locked(file)), None)) is None:
                wait()
        _sign(files[free])
        yield free


@contextlib.contextmanager
def _queue(name: str, wait: Callable[[], None]) -> Iterator[None]:
    """Become the first in line among those who wait for a device.

    wait: called again and again until then. Waiting for a lock cannot be interrupted, so a thread does it, and releases
    the lock if it is no longer wanted.
    """
    file, got, gone = _lock_file(name), threading.Event(), threading.Event()

    def take() -> None:
        fcntl.flock(file, fcntl.LOCK_EX)
        got.set()
        if gone.is_set():
            file.close()

    try:
        if not _locked(file):
            threading.Thread(target=take, daemon=True).start()
            while not got.is_set():
                wait()
        else:
            got.set()
        yield
    finally:
        gone.set()
        if got.is_set():
            file.close()


def _lock_file(device: str) -> IO[str]:
    """Return the device's lock file, open. Raises Missing where it cannot be made."""
    path = device_lock(device)
    try:
        for mode in ("r+", "r"):  # to write to another user's file in /tmp is what some systems forbid
            with contextlib.suppress(FileNotFoundError, PermissionError):
                return path.open(mode)
        file = path.open("a+")
    except OSError as error:
        raise Missing(f"{path} cannot be made: {error.strerror}; make room, or set TMPDIR to another folder") from error
    with contextlib.suppress(PermissionError):
        path.chmod(0o666)
    return file


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(file: IO[str]) -> None:
    """Write this process's pid into the lock file."""
    with contextlib.suppress(OSError):  # it is another user's
        os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), f"{os.getpid()}\n".encode(), 0)


def _holder(file: IO[str]) -> str:
    """Return the process that holds a device as "pid 12 (`avo …`)"; "" where that cannot be read."""
    try:
        pid = int(os.pread(file.fileno(), 20, 0))
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    except (OSError, ValueError):
        return ""
    if pid == os.getpid():
        return "another measurement of this process"
    start = next((number for number, word in enumerate(words) if Path(word).name == "avo"), None)
    command = shlex.join(words if start is None else ["avo", *words[start + 1 :]])
    return f"pid {pid} (`{one_line(command, LONGEST_COMMAND)}`)"
