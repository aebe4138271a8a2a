"""Recorded and made-up trajectories: what is said of the stuck ones, and that nothing is said of the others."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def loaded(name: str) -> ModuleType:
    """A module of benchmarks/."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


detectors = loaded("detectors")
KINDS: Any = detectors.KINDS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.write.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_said_of_a_trajectory(kind: Any, seed: int, tmp_path: Path) -> None:
    seen = detectors.look(kind, seed, tmp_path)
    assert not seen.early, f"{seen.said!r} after event {seen.event} of {seen.events}"
    assert kind.sign in seen.said if kind.sign else not seen.said


def test_there_are_healthy_and_stuck_ones_of_every_sign() -> None:
    assert sum(not kind.sign for kind in KINDS) >= 12
    assert len({kind.sign for kind in KINDS}) >= 9
