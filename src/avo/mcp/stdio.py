"""Standard input and output of this process, for the protocol alone; whatever else prints goes to standard error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable

LAST_WORDS = 1.0
"""Seconds that a client which reads no more is waited for at the end."""


def take_stdio() -> tuple[int, int]:
    """Both, as descriptors that no child inherits; the usual ones become /dev/null and standard error."""
    sys.stdout.flush()
    taken = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return taken


class Lines:
    """Lines as they come, up to the end of the input or `end`.

    A thread that nobody waits for reads them: a read cannot be called off, and the server has to be able to leave.
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
        self._lines.put_nowait(None)

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if line is None:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")


class Answers:
    """Writes in a thread, in order; a client that does not read holds nothing up. `gone` is called when it left."""

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
        self._texts.put(text.encode())

    async def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self._texts.put(None)
        self._thread.join(LAST_WORDS)
