"""Devices are held by one measurement at a time, across processes and threads; a judge belongs to one of them."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from avo.scenarios.loader import Scenario
from avo.settings import device_lock
from avo.tools.build.builder import Build
from avo.tools.build.sources import Sources, digest
from avo.tools.devices import gpu
from avo.tools.devices import lease as module
from avo.tools.devices.gpu import Gpu
from avo.tools.devices.lease import lease
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge, judged
from avo.types import CaseScore, Missing, Rejected, Unfit, usual_seconds

HOLD = """
import time
from avo.tools.devices.lease import lease
with lease("cpu"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def two_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of two GPUs that nobody else uses."""
    monkeypatch.setattr(gpu, "gpus", lambda: (Gpu("GPU-first", 90), Gpu("GPU-second", 90)))
    monkeypatch.setattr(module, "device_lock", lambda name: tmp_path / f"{name}.lock")


def test_another_process_waits_until_the_device_is_free() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    got: list[float] = []

    def ask() -> None:
        with lease("cpu"):
            got.append(time.monotonic())

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    assert not got
    holder.kill()  # a killed holder leaves no lock behind
    thread.join(120)
    assert got
    holder.wait()


def test_who_holds_a_device_is_named_in_one_line_also_where_its_command_has_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(module, "device_lock", lambda name: tmp_path / f"avo-{name}.lock")
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        holder.kill()

    with lease("cpu", say):
        pass
    holder.wait()
    (line,) = said
    assert line.startswith(f"waiting for cpu, held by pid {holder.pid} (`")
    assert line.isprintable()


@pytest.mark.usefixtures("two_devices")
def test_each_lease_gets_a_device_of_its_own() -> None:
    with lease("sm_90a") as first, lease("sm_90a") as second:
        assert {first, second} == {0, 1}
        third: list[int] = []

        def ask() -> None:
            with lease("sm_90a") as index:
                third.append(index)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.2)
        assert not third
    thread.join(120)
    assert third


@pytest.mark.usefixtures("two_devices")
def test_as_many_evaluations_as_devices_can_be_under_way(executor: LocalExecutor) -> None:
    assert executor.devices == 1
    assert LocalExecutor(executor.scenario, "sm_90a").devices == 2


@pytest.mark.usefixtures("two_devices")
@pytest.mark.parametrize(("target", "number"), [("sm_90a", 1), ("sm_80", 0)])
def test_a_gpu_that_does_not_run_the_targets_code_is_not_leased(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch, target: str, number: int
) -> None:
    monkeypatch.setattr(gpu, "gpus", lambda: (Gpu("GPU-first", 86), Gpu("GPU-second", 90)))
    assert LocalExecutor(executor.scenario, target).devices == 1
    with lease(target) as index:
        assert index == number


def test_a_devices_lack_of_memory_is_one_line(executor: LocalExecutor) -> None:
    with (
        pytest.raises(Missing, match=r"for this scenario: CUDA out of memory$"),
        executor.held(),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has …")


def test_the_lock_of_a_device_can_be_taken_by_every_user() -> None:
    with lease("cpu"):
        assert device_lock("cpu").stat().st_mode & 0o666 == 0o666


def test_who_waited_gets_the_device_before_its_last_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def own_lock(name: str) -> Path:
        return tmp_path / f"{name}.lock"

    monkeypatch.setattr(module, "device_lock", own_lock)
    order: list[str] = []

    def ask() -> None:
        with lease("cpu"):
            order.append("who waited")

    for _ in range(3):
        order.clear()
        with lease("cpu"):
            thread = threading.Thread(target=ask)
            thread.start()
            for _ in range(500):
                if _queued(own_lock("queue-cpu")):
                    break
                time.sleep(0.01)
        with lease("cpu"):
            order.append("its last holder")
        thread.join(120)
        assert order == ["who waited", "its last holder"]


WRONG, LAZY = "a->y[i] = 0;", "if (a->R == 128) a->y[i] = y;"


def with_line(seed: Sources, line: str) -> Sources:
    """The seed, but for what it writes."""
    return {name: text.replace(b"a->y[i] = y;", line.encode()) for name, text in seed.items()}


@pytest.mark.parametrize("line", [WRONG, LAZY, "nonsense"])
def test_whichever_side_of_a_comparison_is_wrong_is_named(executor: LocalExecutor, seed: Sources, line: str) -> None:
    wrong = with_line(seed, line)
    said = executor.evaluate(wrong)
    assert not said.passed
    with pytest.raises(Rejected) as refused:
        executor.compare(seed, wrong)
    assert refused.value.status is said.status
    with pytest.raises(Unfit, match=f"^{said.status}: "):
        executor.compare(wrong, seed)
    with pytest.raises(Unfit, match=f"^{said.status}: "):
        executor.compare(wrong, seed, {"wide": 1e-3})  # whatever it was scored elsewhere


@pytest.mark.slow
def test_a_side_that_was_not_scored_here_is_scored_before_a_comparison_and_one_that_was_is_not(
    tiny: Scenario, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []

    def noted(judge: Judge, build: Build) -> tuple[list[CaseScore], dict[str, float]]:
        scored.append(build.tree)
        return judged(judge, build)

    monkeypatch.setattr("avo.tools.score.judge.judged", noted)
    executor, other = LocalExecutor(tiny, "cpu"), with_line(seed, "a->y[i] = y + 0.f * y;")
    executor.compare(seed, other)
    assert scored == [digest(seed), digest(other)]
    executor.compare(other, seed)
    assert len(scored) == 2
    fresh = LocalExecutor(tiny, "cpu")
    usual = usual_seconds(fresh.evaluate(other).cases)
    scored.clear()
    fresh.compare(seed, other, usual)
    assert scored == []


def _queued(lock: Path) -> bool:
    """Whether somebody waits for the device."""
    with lock.open("a") as queue:
        try:
            fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
