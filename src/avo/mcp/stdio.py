"""Standard input and output, reserved for the protocol; other output of this process goes to standard error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable

LAST_WORDS = 1.0
"""Seconds to wait at the end for a client that does not read."""


def take_stdio() -> tuple[int, int]:
    """Return private copies of the descriptors of standard input and output, which no child inherits.

    Standard input becomes /dev/null, standard output becomes standard error.
    """
    sys.stdout.flush()
    taken = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return taken


class Lines:
    """An asynchronous iterator over lines of input, until its end or `end`.

    They are read in a daemon thread: a blocking read cannot be cancelled, and the server has to be able to exit.
    """

    def __init__(self, source: int) -> None:
        self._loop, self._lines = asyncio.get_running_loop(), asyncio.Queue[bytes | None]()
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def _read(self, source: int) -> None:
        with contextlib.suppress(RuntimeError), os.fdopen(source, "rb") as file:  # the loop may be closed by then
            for line in file:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            self._loop.call_soon_threadsafe(self.end)

    def end(self) -> None:
        """End the iteration."""
        self._lines.put_nowait(None)

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if line is None:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")


class Answers:
    """An output written in order by a thread, so that a slow client blocks nothing. Calls `gone` if the client left."""

    def __init__(self, sink: int, gone: Callable[[], None]) -> None:
        self._loop, self._gone, self._sink = asyncio.get_running_loop(), gone, sink
        self._texts = queue.SimpleQueue[bytes | None]()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        try:
            while (text := self._texts.get()) is not None:
                while text:
                    text = text[os.write(self._sink, text) :]
        except OSError:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._gone)

    async def write(self, text: str) -> None:
        """Queue a text."""
        self._texts.put(text.encode())

    async def flush(self) -> None:
        """Do nothing: the thread flushes."""

    def close(self) -> None:
        """Write what is queued, within LAST_WORDS seconds."""
        self._texts.put(None)
        self._thread.join(LAST_WORDS)
