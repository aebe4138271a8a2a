"""Ctrl-C and SIGTERM: they reach avo itself, never the programs that it uses."""

from __future__ import annotations

import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def keep_from_children() -> None:
    """Let Ctrl-C reach this process alone: a terminal sends it to every child too, and git would die of it.

    Children inherit the mask of the thread that starts them; one idle thread stays open to take the signals in.
    """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def too_late() -> None:
    """All is done: from here on they are ignored, so that the exit code says how it went.

    Python gives them their default effect as it ends, which takes it a while: they would end it by the signal.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
