"""The files that a scenario is made of: scenario.toml and those it extends, reference.py and what it imports."""

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
"""What modules that several references share are imported as."""
AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
"""How tomllib says where a mistake is."""


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
        raise ScenarioError(f"{above[-1]}: extends: a loop: {' -> '.join(p.parent.name for p in (*above, file))}")
    data = _read(file)
    if given := {"name", "path", "files"} & set(data):
        raise ScenarioError(f"{file}: unknown key '{min(given)}'; a scenario is called as its folder")
    base = data.pop("extends", None)
    if base is None:
        return [Layer(file, data)]
    if not isinstance(base, str):
        raise ScenarioError(f"{file}: extends: name one scenario")
    try:
        below = folder(str((path / base).resolve()) if "/" in base else base)
    except AvoError as error:
        raise ScenarioError(f"{file}: extends: {error}") from error
    return [Layer(file, data), *layers(below, (*above, file))]


def _read(file: Path) -> dict[str, Any]:
    """A TOML file, which may begin with a byte order mark. Raises ScenarioError with the line where it is known."""
    content = b""
    try:
        content = file.read_bytes()
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"{file}:{line}: it has to be UTF-8: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        told = AT_LINE.search(str(error))
        place = f"{file}:{told[1]}" if told else str(file)
        raise ScenarioError(f"{place}: {error}") from error


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
    """A reference.py, the modules beside it and the shared ones of scenarios/ that it and they import, wherever that
    stands in them.
    """
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
    """What a module may import, as paths without a suffix; `home`: the scenario's folder."""
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
