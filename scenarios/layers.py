"""The files that a scenario is made of: scenario.toml and those it extends, reference.py and what it imports."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avo.scenarios.catalog import folder
from avo.settings import SCENARIOS
from avo.types import AvoError

SHARED = "avo.scenarios."
"""What modules that several references share are imported as."""


@dataclass(frozen=True)
class Layer:
    """One scenario.toml."""

    file: Path
    data: dict[str, Any]
    """Without `extends`."""


def layers(path: Path, above: tuple[Path, ...] = ()) -> list[Layer]:
    """The scenario.toml in `path`, then the one that it extends, and so on. Raises AvoError with file and remedy.

    `extends` is the name of a shipped scenario, or a folder relative to this one ("../other").
    """
    file = path / "scenario.toml"
    if file in above:
        raise AvoError(f"{above[-1]}: extends: a loop: {' -> '.join(p.parent.name for p in (*above, file))}")
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AvoError(f"{file}: {error}") from error
    if given := {"name", "path", "files"} & set(data):
        raise AvoError(f"{file}: unknown key '{min(given)}'; a scenario is called as its folder")
    base = data.pop("extends", None)
    if base is None:
        return [Layer(file, data)]
    if not isinstance(base, str):
        raise AvoError(f"{file}: extends: name one scenario")
    try:
        below = folder(str((path / base).resolve()) if "/" in base else base)
    except AvoError as error:
        raise AvoError(f"{file}: extends: {error}") from error
    return [Layer(file, data), *layers(below, (*above, file))]


def merged(found: Sequence[Layer]) -> dict[str, Any]:
    """One table out of all: a key of an earlier layer wins, tables are merged, arrays replaced whole."""
    result: dict[str, Any] = {}
    for layer in reversed(found):
        result = _over(layer.data, result)
    return result


def _over(upper: dict[str, Any], lower: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _over(value, lower[key])
        for key, value in upper.items()
        if isinstance(value, dict) and isinstance(lower.get(key), dict)
    }
    return lower | upper | both


def holder(found: Sequence[Layer], location: Sequence[Any]) -> Path:
    """The file that a key comes from, or the table that it is missing in; the first file when none has it."""
    for length in range(len(location), 0, -1):
        for layer in found:
            if _has(layer.data, location[:length]):
                return layer.file
    return found[0].file


def _has(data: Any, location: Sequence[Any]) -> bool:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def sources(path: Path) -> Iterator[Path]:
    """A Python file, and the shared modules of scenarios/ that it and they import, wherever in them that stands."""
    seen, ahead = set[Path](), [path]
    while ahead:
        file = ahead.pop(0)
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        yield file
        for name in sorted(_imported(file)):
            below = SCENARIOS.joinpath(*name.removeprefix(SHARED).split("."))
            ahead += [below.with_suffix(".py"), below / "__init__.py"]


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return names  # told when it is imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.startswith(SHARED)}
