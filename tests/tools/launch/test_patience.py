"""Patience: time without a free processor is nobody's fault, time asleep is the candidate's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from avo.tools.launch.patience import Patience
from avo.types import Rejected

NEIGHBOURS = 3
SPINS = "import time\nwhile time.process_time() < {}: pass\nprint('done', flush=True)\nimport signal\nsignal.pause()"


@contextmanager
def child(program: str, core: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one processor, which it shares with all others of these."""
    code = f"import os\nos.sched_setaffinity(0, [{core}])\n{program}"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_whoever_waits_for_a_processor_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avo.tools.launch.patience.ASLEEP_SECONDS", 0.2)
    core = min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        for _ in range(NEIGHBOURS):
            stack.enter_context(child("while True: pass", core))
        busy = stack.enter_context(child(SPINS.format(0.3), core))
        patience = Patience(busy.pid, limit=1.0)
        patience.begin(1)
        assert busy.stdout
        assert busy.stdout.readline() == b"done\n"
        patience.check(over=True)


def test_whoever_sleeps_is_blamed_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avo.tools.launch.patience.ASLEEP_SECONDS", 0.2)
    with child("import time\ntime.sleep(0.3)\nprint('done', flush=True)\ntime.sleep(60)", 0) as idle:
        patience = Patience(idle.pid, limit=20.0)
        patience.begin(1)
        assert idle.stdout
        idle.stdout.readline()
        with pytest.raises(Rejected, match=r"TIMEOUT: slept in its launches, for more than 0\.2 s together"):
            patience.check(over=True)
