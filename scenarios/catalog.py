"""Which scenarios there are: folders that hold a scenario.toml. Imports nothing heavy."""

from __future__ import annotations

import difflib
from pathlib import Path

from avo.settings import SCENARIOS
from avo.types import AvoError


def names() -> list[str]:
    """The shipped scenarios, by name."""
    return sorted(path.parent.name for path in SCENARIOS.glob("*/scenario.toml"))


def folder(name: str) -> Path:
    """Where a scenario lies: a shipped name, or the path of a folder. Raises AvoError with the close names."""
    if "/" in name or name == ".":
        if (Path(name) / "scenario.toml").is_file():
            return Path(name).resolve()
        raise AvoError(f"no scenario.toml in folder '{name}'")
    if name in names():
        return SCENARIOS / name
    close = difflib.get_close_matches(name, names(), 1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise AvoError(f"no scenario '{name}'; {hint}there are: {', '.join(names())}")
