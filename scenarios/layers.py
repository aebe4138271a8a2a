"""The files of a scenario: scenario.toml and those that it extends, reference.py and the modules that it imports."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avo.scenarios.catalog import folder
from avo.settings import SCENARIOS
from avo.types import AvoError, ScenarioError

SHARED = "avo.scenarios."
"""Prefix of imports of modules that several references share."""
AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
"""The position in tomllib's error messages."""


@dataclass(frozen=True)
class Layer:
    """One scenario.toml."""

    file: Path
    data: dict[str, Any]
    """Its contents, without `extends`."""


def layers(path: Path, above: tuple[Path, ...] = ()) -> list[Layer]:
    """Return the scenario.toml in `path`, then the one that it extends, and so on.

    `extends` is the name of a shipped scenario, or a folder relative to this one ("../other").
    Raises ScenarioError with file and remedy.
    """
    file = path / "scenario.toml"
    if file in above:
        loop = " -> ".join(p.parent.name for p in (*above, file))
        raise ScenarioError(f"a loop: {loop}", above[-1], key="extends")
    data = _read(file)
    if given := {"name", "path", "files"} & set(data):
        raise ScenarioError(f"unknown key '{min(given)}'; a scenario is called as its folder", file)
    base = data.pop("extends", None)
    if base is None:
        return [Layer(file, data)]
    if not isinstance(base, str):
        raise ScenarioError("name one scenario", file, key="extends")
    try:
        below = folder(str((path / base).resolve()) if "/" in base else base)
    except AvoError as error:
        raise ScenarioError(str(error), file, key="extends") from error
    return [Layer(file, data), *layers(below, (*above, file))]


def _read(file: Path) -> dict[str, Any]:
    """Return a TOML file's contents; a byte order mark is allowed. Raises ScenarioError, with the line if known."""
    content = b""
    try:
        content = file.read_bytes()
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"it has to be UTF-8: {error}", file, line) from error
    except (OSError, ValueError, RecursionError) as error:
        told = AT_LINE.search(str(error))
        raise ScenarioError(str(error), file, int(told[1]) if told else 0) from error


def merged(found: Sequence[Layer]) -> dict[str, Any]:
    """Merge the layers into one table: a key of an earlier layer wins, tables are merged, arrays replaced."""
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
    """Return the file with the key at `location`, else with the table that lacks it, else the first file."""
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
    """Yield a reference.py, and the modules that it imports, directly or not, from beside it and from avo.scenarios."""
    seen, ahead = set[Path](), [path]
    while ahead:
        file = ahead.pop(0)
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        yield file
        for below in _imported(file, path.parent):
            ahead += [below.with_name(f"{below.name}.py"), below / "__init__.py"]


def _imported(file: Path, home: Path) -> list[Path]:
    """Return the modules that a file may import, as paths without a suffix. home: the scenario's folder."""
    names = set[tuple[int, str]]()
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return []  # told when it is imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(0, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names |= {(node.level, base), *((node.level, f"{base}.{alias.name}".strip(".")) for alias in node.names)}
    found = list[Path]()
    for level, name in sorted(names):
        if level:
            start = file.parents[level - 1] if level <= len(file.parents) else None
        elif name.startswith(SHARED):
            start, name = SCENARIOS, name.removeprefix(SHARED)
        else:
            start = home if file.is_relative_to(home) else None
        parts = [part for part in name.split(".") if part]
        if start == SCENARIOS:
            found.append(start.joinpath(*parts))
        elif start:  # a package is executed before what lies in it
            found += [start.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
    return found
