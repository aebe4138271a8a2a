"""Ctrl-C, SIGTERM and SIGHUP (a closed terminal): delivered to avo itself, never to the programs that it runs."""

from __future__ import annotations

import signal
import threading
from types import FrameType

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end avo."""


def heeded() -> list[signal.Signals]:
    """Return the signals that end avo: not SIGHUP where avo was started to outlive its terminal, as by nohup."""
    outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [number for number in ALL if number != signal.SIGHUP or not outlives]


def end_alike() -> None:
    """Let SIGTERM and SIGHUP act like Ctrl-C, if this is the main thread, which alone can set that."""
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
    """Block Ctrl-C in child processes: a terminal sends it to them too, and git would be killed by it.

    Children inherit the signal mask of the thread that starts them; one idle thread stays open to receive the signals.
    """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, heeded())


def too_late() -> None:
    """Ignore the signals from now on, so that the exit code shows the result.

    Python restores their default action while it exits, which takes a while: a signal would then kill it.
    """
    # That while is 0.1 s and more.
    for number in ALL:
        signal.signal(number, signal.SIG_IGN)
