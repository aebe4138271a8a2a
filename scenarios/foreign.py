"""Execution of a scenario's code: its output goes to standard error; changing a process-wide setting is an error."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_C = ctypes.CDLL(None)
_thread = threading.local()


class Changed(Exception):
    """The code left a process-wide setting changed; the text names it."""


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Run a scenario's code in the block. Raises Changed, after restoring the settings.

    Takes some 20 us, and almost nothing inside another such block.
    """
    if getattr(_thread, "contained", False):
        yield
        return
    before = _settings()
    with _output_to_stderr:
        _thread.contained = True
        try:
            yield
        finally:
            _thread.contained = False
            changed = [
                (what, value, before[what])
                for what, (value, _) in _settings().items()
                if what in before and value != before[what][0]
            ]
            for _, _, (old, restore) in changed:
                restore(old)
    for what, value, (old, _) in changed:
        raise Changed(f"leaves {what} changed from {old} to {value}: set it back, or do without")


def _settings() -> dict[str, tuple[Any, Callable[[Any], Any]]]:
    """Return setting -> its value and the function that sets it; torch's only if it has been imported."""
    found: dict[str, tuple[Any, Callable[[Any], Any]]] = {}
    with contextlib.suppress(FileNotFoundError):
        found["the working directory"] = Path.cwd(), os.chdir
    found["the variable PATH"] = os.environ.get("PATH", ""), lambda value: os.environ.update(PATH=value)
    if torch := sys.modules.get("torch"):
        with contextlib.suppress(AttributeError):  # it is being imported
            found["torch's default dtype"] = torch.get_default_dtype(), torch.set_default_dtype
            found["torch's default device"] = torch.get_default_device(), torch.set_default_device
            found["torch's number of threads"] = torch.get_num_threads(), torch.set_num_threads
    return found


class _OutputToStderr:
    """Redirects standard output, also of C code, to standard error inside the block, so that --json stays intact."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._stream, self._descriptor = sys.stdout, -1
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none
                sys.stdout.flush()
                self._descriptor = os.dup(1)
                os.dup2(2, 1)
            sys.stdout = sys.stderr

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            _C.fflush(None)
            sys.stdout = self._stream
            if self._descriptor >= 0:
                os.dup2(self._descriptor, 1)
                os.close(self._descriptor)


_output_to_stderr = _OutputToStderr()
