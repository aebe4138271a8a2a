"""Ctrl-C from the first moment on: one line, exit code 130, whatever is being loaded or waited for."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # typing's own would have to be loaded
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

CODE = 130
LOADING = "<frozen importlib"
"""How the files of the frames begin in which a module is being loaded."""
_pressed = False


def heed() -> None:
    """Let Ctrl-C end avo from here on, also one that was held back while the interpreter started.

    A shell starts what it puts into the background with Ctrl-C ignored, and ignored it stays.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def pressed() -> bool:
    """Whether Ctrl-C came, even when a library made another error of it."""
    return _pressed


def leave() -> NoReturn:
    """End at once, with the line."""
    os.write(2, b"avo: interrupted\n")
    os._exit(CODE)


def _end(number: int, frame: FrameType | None) -> None:
    """The first time let what is under way end in order; while modules load there is nothing to keep, so at once.

    Libraries make errors of their own of an interruption that meets them while they load, or swallow it.
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
