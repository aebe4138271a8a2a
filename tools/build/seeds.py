"""Sources that a user names: a scenario's seed, or a folder of their own."""

from __future__ import annotations

from pathlib import Path

from avo.scenarios.loader import Scenario
from avo.settings import KERNELS
from avo.tools.build.sources import read_sources
from avo.types import AvoError, ScenarioError, ToolError


def seed_sources(scenario: Scenario, target: str) -> dict[str, bytes]:
    """Return the seed's files. Raises AvoError."""
    return folder_sources(seed_folder(scenario, target))


def seed_folder(scenario: Scenario, target: str) -> Path:
    """Return a seed's folder: beside scenario.toml, beside one that it extends, or in kernels/. Raises AvoError."""
    name = scenario.target(target).seed
    for place in (*(file.parent for file in scenario.files), KERNELS):
        if (place / name).is_dir():
            return place / name
    problem, file = f"no folder '{name}' here or in kernels/", scenario.path / "scenario.toml"
    raise ScenarioError(problem, file, key=f"targets.{target}.seed")


def folder_sources(folder: Path) -> dict[str, bytes]:
    """Return the sources in a user's folder, as `read_sources` does. Raises AvoError."""
    try:
        return dict(read_sources(folder))
    except ToolError as error:
        raise AvoError(str(error)) from error
