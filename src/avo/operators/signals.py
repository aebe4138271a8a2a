"""Ctrl-C, SIGTERM and a terminal that is closed: they reach avo itself, never the programs that it uses."""

from __future__ import annotations

import signal
import threading
from types import FrameType

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeded() -> list[signal.Signals]:
    """Those that end avo; SIGHUP does not where avo was started to outlive its terminal, as nohup does."""
    outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [number for number in ALL if number != signal.SIGHUP or not outlives]


def end_alike() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, where this is the thread that may say so."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in heeded():
        if number != signal.SIGINT:
            signal.signal(number, _as_ctrl_c)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # a shell starts what it puts into the background with Ctrl-C ignored
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


def keep_from_children() -> None:
    """Let Ctrl-C reach this process alone: a terminal sends it to every child too, and git would die of it.

    Children inherit the mask of the thread that starts them; one idle thread stays open to take the signals in.
    """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, heeded())


def too_late() -> None:
    """All is done: from here on they are ignored, so that the exit code says how it went.

    Python gives them their default effect as it ends, which takes it a while: they would end it by the signal.
    """
    # That while is 0.1 s and more.
    for number in ALL:
        signal.signal(number, signal.SIG_IGN)
