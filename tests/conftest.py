"""What tests share: a scenario that is scored in half a second, candidates of it, and a bench with its seed planted."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from avo.run import open_run, plant_seed
from avo.scenarios.loader import Scenario, load
from avo.tools.bench import Bench
from avo.tools.executor import LocalExecutor
from avo.tools.seeds import seed_sources

TINY = Path(__file__).parent / "tiny"
AVO = (sys.executable, "-c", "from avo.cli import main; main()")

Seed = dict[str, bytes]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is compiled here is kept apart from the user's cache."""
    os.environ["AVO_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tiny() -> Scenario:
    """The scenario of tests/tiny."""
    return load(str(TINY))


@pytest.fixture(scope="session")
def executor(tiny: Scenario) -> LocalExecutor:
    return LocalExecutor(tiny, "cpu")


@pytest.fixture(scope="session")
def seed(tiny: Scenario) -> Seed:
    """The seed's sources."""
    return seed_sources(tiny, "cpu")


@pytest.fixture
def own_scenario(tmp_path: Path) -> Path:
    """A copy of tests/tiny that a test may change."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.fixture(scope="session")
def planted_run(tmp_path_factory: pytest.TempPathFactory, tiny: Scenario) -> Path:
    """A run directory with the seed as v0, to copy from."""
    folder = tmp_path_factory.mktemp("planted") / "run"
    with open_run(folder, tiny, "cpu", "tuner") as bench:
        asyncio.run(plant_seed(bench))
    return folder


@pytest.fixture
def bench(tmp_path: Path, planted_run: Path, tiny: Scenario, executor: LocalExecutor) -> Iterator[Bench]:
    """A bench of its own for a test, the seed scored and committed; step 1 is open."""
    folder = shutil.copytree(planted_run, tmp_path / "run")
    with open_run(folder, tiny, "cpu", "tuner") as opened:
        opened.executor = executor
        opened.step, _ = opened.journal.open_step("v0")
        yield opened


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs `avo …` as a user would, in tmp_path."""

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*AVO, *map(str, arguments)],
            capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ | environment,
        )  # fmt: skip

    return call


def with_change(files: Seed, old: str, new: str) -> Seed:
    """The same sources with one text replaced, which must be there."""
    changed: dict[str, Any] = {name: content.replace(old.encode(), new.encode()) for name, content in files.items()}
    assert changed != files, f"{old!r} is not in the sources"
    return changed
