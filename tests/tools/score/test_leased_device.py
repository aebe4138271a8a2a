"""An evaluation makes the judge of the device that it was given, and none before it was given one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from avo.scenarios.loader import Scenario
from avo.tools.score import executor as module
from avo.tools.score.executor import LocalExecutor
from avo.types import Status


@contextlib.contextmanager
def the_second(target: str, say: object) -> Iterator[int]:
    """A lease of a machine whose first device is taken."""
    yield 1


def test_no_judge_is_made_on_a_device_that_was_not_leased(
    tiny: Scenario, seed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "lease", the_second)
    executor = LocalExecutor(tiny, "cpu")
    verdict = executor.evaluate(seed)
    assert (verdict.status, verdict.unit) == (Status.PASSED, "GFLOP/s")
    assert [*executor._judges] == [1]


def test_what_does_not_compile_needs_no_device(tiny: Scenario, seed: dict[str, bytes]) -> None:
    executor = LocalExecutor(tiny, "cpu")
    verdict = executor.evaluate(seed | {"matvec.cpp": b"flaot"})
    assert (verdict.status, verdict.unit) == (Status.COMPILE_ERROR, "GFLOP/s")
    assert verdict.device
    assert not executor._judges
