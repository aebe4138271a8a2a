"""Which scenarios there are: folders that hold a scenario.toml, shipped, on a path, or in a package. Nothing heavy."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avo.settings import SCENARIOS
from avo.types import AvoError

PATH = "AVO_SCENARIO_PATH"
"""The variable that names folders with scenarios, separated by ':'."""
GROUP = "avo.scenarios"
"""The entry points by which installed packages name a package of their own whose folder holds scenarios."""
SHIPPED = "shipped"


@dataclass(frozen=True)
class Place:
    """Where one scenario lies."""

    name: str
    folder: Path
    origin: str
    """SHIPPED, the folder of PATH that it lies in, or "package" and its name."""


def names() -> list[str]:
    """The shipped scenarios, by name."""
    return [place.name for place in _within(SCENARIOS, SHIPPED)]


def places() -> list[Place]:
    """Every scenario, by name. Raises AvoError for a package whose scenarios cannot be found."""
    return sorted([*_near(), *_packaged()], key=lambda place: place.name)


def folder(name: str) -> Path:
    """Where a scenario lies: its name, or the path of its folder.

    Raises AvoError with the close names, or with both folders when two have that name.
    """
    if "/" in name or name == ".":
        if (Path(name) / "scenario.toml").is_file():
            return Path(name).resolve()
        raise AvoError(f"no scenario.toml in folder '{name}'")
    near = list(_near())
    everywhere = near if any(place.name == name for place in near) else [*near, *_packaged()]
    found = list(dict.fromkeys(place.folder for place in everywhere if place.name == name))
    if len(found) > 1:
        raise AvoError(f"two scenarios are called '{name}': {found[0]} and {found[1]}; rename one, or name its folder")
    if found:
        return found[0]
    known = sorted({place.name for place in everywhere})
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    lost = [str(place) for place in _path() if not place.is_dir()]
    missing = f"; {PATH} names '{lost[0]}', which is no folder" if lost else ""
    raise AvoError(f"no scenario '{name}'; {hint}there are: {', '.join(known)}{missing}")


def _near() -> Iterator[Place]:
    """The shipped ones, and those on the path."""
    yield from _within(SCENARIOS, SHIPPED)
    for place in _path():
        yield from _within(place, str(place))


def _path() -> list[Path]:
    given = os.environ.get(PATH, "").split(os.pathsep)
    return list(dict.fromkeys(Path(part).expanduser().resolve() for part in given if part))


def _within(place: Path, origin: str) -> Iterator[Place]:
    for file in sorted(place.glob("*/scenario.toml")):
        yield Place(file.parent.name, file.parent, origin)


def _packaged() -> Iterator[Place]:
    """Those of installed packages. Raises AvoError for an entry point that names no package."""
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
            yield from _within(Path(place).resolve(), f"package {entry.name}")
