"""Starts `avo …` in processes that have the heavy libraries loaded already, which saves each some two seconds.

One process loads the libraries, but nothing of avo, and forks for each command. The fork then is what `python -c` would
be: it has its own environment, folder, streams and arguments, imports all of avo, and ends like any interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = ("typer", "pydantic", "numpy", "torch", "autogen_agentchat.teams", "autogen_ext.models.openai", "anthropic")
AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "OMP_", "OPENBLAS_", "MKL_", "OTEL_PYTHON_")
"""How the variables begin that an interpreter or a library reads once, when it starts."""
BOOT = """
import sys
sys.path.insert(0, sys.argv[1])
from warm import serve
del sys.path[0]
serve(int(sys.argv[2]))
from avo.cli import main
main()
"""
LARGEST_ORDER = 1 << 20
"""Bytes of a command and its environment."""


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


class Warm:
    """The process that forks."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST_ORDER)
        self._at_start = _at_start(os.environ)
        with theirs:
            command = [sys.executable, "-c", BOOT, str(Path(__file__).parent), str(theirs.fileno())]
            self._server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )

    def close(self) -> None:
        self._orders.close()
        self._server.wait()

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with these variables would be as one that began with them."""
        return _at_start(environment) == self._at_start

    def run(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """As subprocess.run of `avo …` with its output captured as text."""
        order = json.dumps({"arguments": arguments, "cwd": str(cwd), "environment": dict(environment)})
        pipes = [os.pipe() for _ in range(3)]
        try:
            socket.send_fds(self._orders, [order.encode()], [pipes[0][1], 0, pipes[1][1], pipes[2][1]])
        finally:
            for _, writing in pipes:
                os.close(writing)
        said = {reading: bytearray() for reading, _ in pipes}
        (told, *_), open_ones = said, [*said]
        try:
            while open_ones:
                for ready in select.select(open_ones, [], [])[0]:
                    if piece := os.read(ready, 1 << 16):
                        said[ready] += piece
                    else:
                        open_ones.remove(ready)
        except BaseException:
            for pid in said[told].split()[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            raise
        finally:
            for reading in said:
                os.close(reading)
        _, code = said.pop(told).split()
        out, err = (text.decode().replace("\r\n", "\n").replace("\r", "\n") for text in said.values())
        return subprocess.CompletedProcess(["avo", *arguments], int(code), out, err)


def serve(orders: int) -> None:
    """Fork for each order until there are no more. Returns in each fork, which then goes on as `avo …`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all
    for name in LIBRARIES:
        importlib.import_module(name)
    assert "avo" not in sys.modules  # each command imports it by itself, under its own variables
    gc.freeze()
    running: dict[int, tuple[int, int]] = {}
    """By a process's descriptor: its number, and where its exit code is told."""
    asked = socket.socket(fileno=orders)
    while True:
        for ready in select.select([asked, *running], [], [])[0]:
            if ready is not asked:
                pid, told = running.pop(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                _tell(told, code)
                os.close(told)
                os.close(ready)
                continue
            order, (told, *streams), _, _ = socket.recv_fds(asked, LARGEST_ORDER, 4)
            if not order:
                os._exit(0)
            if not (pid := os.fork()):
                asked.close()
                _become(json.loads(order), streams, [told, *running, *(other for _, other in running.values())])
                return
            _tell(told, pid)
            running[os.pidfd_open(pid)] = pid, told
            for stream in streams:
                os.close(stream)


def _tell(told: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(told, f"{number}\n".encode())


def _become(order: Mapping[str, Any], streams: Sequence[int], not_its_own: Sequence[int]) -> None:
    """Take over what the command was given."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for descriptor in (*streams, *not_its_own):
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv[:] = ["-c", *order["arguments"]]
    del sys.modules[__name__]
