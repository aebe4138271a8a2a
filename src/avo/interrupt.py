"""Handling of Ctrl-C from the first moment on: one line, exit code 130, whatever is being imported or awaited."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # typing's own would have to be loaded
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

CODE = 130
"""Exit code after Ctrl-C."""
LOADING = "<frozen importlib"
"""Prefix of the file names of frames that import a module."""
_pressed = False


def heed() -> None:
    """Let Ctrl-C end avo from now on, also one pressed while the interpreter started.

    A shell starts background processes with Ctrl-C ignored; it then stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def pressed() -> bool:
    """Return True if Ctrl-C was pressed, even if a library turned it into another error."""
    return _pressed


def leave() -> NoReturn:
    """Print the line and exit at once."""
    os.write(2, b"avo: interrupted\n")
    os._exit(CODE)


def _end(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C: the first time stop running work in order, but exit at once during imports, when there is none.

    Libraries interrupted while they are imported may swallow the exception or raise another one.
    """
    global _pressed
    again, _pressed = _pressed, True
    for module, name in (("avo.tools.devices.lease", "wait_no_longer"), ("avo.sandbox.process", "kill_all")):
        if (loaded := sys.modules.get(module)) and (stop := getattr(loaded, name, None)):
            stop()
    if again or _loading(frame):
        leave()
    raise KeyboardInterrupt


def _loading(frame: FrameType | None) -> bool:
    while frame and not frame.f_code.co_filename.startswith(LOADING):
        frame = frame.f_back
    return frame is not None
