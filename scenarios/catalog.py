"""The available scenarios: folders with a scenario.toml, shipped, on a path, or in a package. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from avo.settings import SCENARIOS
from avo.types import AvoError, meant

PATH = "AVO_SCENARIO_PATH"
"""Environment variable with folders of scenarios, separated by ':'."""
GROUP = "avo.scenarios"
"""Group of entry points by which installed packages name a package whose folder holds scenarios."""


def names() -> list[str]:
    """Return the names of the shipped scenarios, sorted."""
    return [place.name for place in _within(SCENARIOS)]


def folders() -> list[Path]:
    """Return the folder of every scenario, sorted by name. Raises AvoError for a package that cannot be found."""
    return sorted([*_near(), *_packaged()], key=lambda place: place.name)


def folder(name: str) -> Path:
    """Return a scenario's folder, given its name or the path of its folder.

    Raises AvoError with similar names, or with both folders if two have that name.
    """
    if "/" in name or name == ".":
        if (Path(name) / "scenario.toml").is_file():
            return Path(name).resolve()
        raise AvoError(f"no scenario.toml in folder '{name}'")
    near = list(_near())
    everywhere = near if any(place.name == name for place in near) else [*near, *_packaged()]
    found = list(dict.fromkeys(place for place in everywhere if place.name == name))
    if len(found) > 1:
        raise AvoError(f"two scenarios are called '{name}': {found[0]} and {found[1]}; rename one, or name its folder")
    if found:
        return found[0]
    known = sorted({place.name for place in everywhere})
    lost = [str(place) for place in _path() if not place.is_dir()]
    missing = f"; {PATH} names '{lost[0]}', which is no folder" if lost else ""
    raise AvoError(f"no scenario '{name}'; {meant(name, known)}there are: {', '.join(known)}{missing}")


def _near() -> Iterator[Path]:
    """Yield the folders of the shipped scenarios, and of those on the path."""
    for place in (SCENARIOS, *_path()):
        yield from _within(place)


def _path() -> list[Path]:
    given = os.environ.get(PATH, "").split(os.pathsep)
    return list(dict.fromkeys(Path(part).expanduser().resolve() for part in given if part))


def _within(place: Path) -> list[Path]:
    return [file.parent for file in sorted(place.glob("*/scenario.toml"))]


def _packaged() -> Iterator[Path]:
    """Yield the folders of scenarios in installed packages. Raises AvoError where an entry point names no package."""
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for entry in entry_points(group=GROUP):
        try:
            spec = find_spec(entry.module)
        except Exception as error:  # the package above it is imported, and may raise whatever it likes
            raise AvoError(f"entry point {GROUP}: {entry.name} = {entry.value}: {error}") from error
        if spec is None or spec.submodule_search_locations is None:
            raise AvoError(f"entry point {GROUP}: {entry.name} = {entry.value}: no such package")
        for place in spec.submodule_search_locations:
            yield from _within(Path(place).resolve())
