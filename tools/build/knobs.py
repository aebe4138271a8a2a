"""Knobs: choices that a candidate declares in its own source, next to what they tune.

// avo:knob KV_TILE {32, 64, 128}
constexpr int KV_TILE = 32;          (or: #define KV_TILE 32)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from avo.tools.build.sources import Sources
from avo.types import ToolError

DECLARATION = re.compile(r"^[ \t]*//[ \t]*avo:knob[ \t]+(\w+)[ \t]*\{([^}\n]*)\}[^\n]*\n([^\n]*)", re.MULTILINE)
"""A knob's declaration: name, values, and the line below, which sets it."""

VALUE = re.compile(r"^[^\s|=]+$")
"""A valid value of a knob."""


@dataclass(frozen=True)
class Knob:
    """One choice: a name, its possible values, and the present one."""

    name: str
    file: str
    """Path of the source that declares it."""
    values: tuple[str, ...]
    """All values that it can take."""
    value: str
    """The value that is set in the source."""
    line: str
    """The line that sets it."""

    def line_with(self, value: str) -> str:
        """Return that line with another value."""
        head, found = _setting(self.name, self.line)
        return head + value + self.line[len(head) + len(found) :]


def _setting(name: str, line: str) -> tuple[str, str]:
    """Return the text before the value in a line that sets `name`, and the value. Raises ToolError."""
    match = re.match(rf"(.*\b{name}\b\s*=\s*)([^;]+?)\s*;", line) or re.match(
        rf"(\s*#\s*define\s+{name}\s+)(\S+)", line
    )
    if match is None:
        raise ToolError(f"knob {name}: the line below its declaration does not set it: {line.strip()!r}")
    return match[1], match[2]


def knobs_of(files: Sources) -> dict[str, Knob]:
    """Return every knob by name. Raises ToolError for an invalid declaration."""
    knobs: dict[str, Knob] = {}
    for file, content in files.items():
        for match in DECLARATION.finditer(content.decode("utf-8", "surrogateescape")):
            name, line = match[1], match[3]
            values = tuple(value.strip() for value in match[2].split(",") if value.strip())
            if name in knobs:
                raise ToolError(f"knob {name} is declared twice ({knobs[name].file}, {file})")
            if not values:
                raise ToolError(f"knob {name} in {file} has no values")
            if odd := [value for value in values if not VALUE.match(value)]:
                raise ToolError(f"knob {name} in {file}: '{odd[0]}' is no value: no spaces, no = and no |")
            knobs[name] = Knob(name, file, values, _setting(name, line)[1], line)
    return knobs


def settings_of(files: Sources) -> dict[str, str]:
    """Return each knob's present value by name; empty when a declaration is invalid."""
    try:
        return {name: knob.value for name, knob in knobs_of(files).items()}
    except ToolError:
        return {}


def with_settings(files: Sources, settings: Mapping[str, str]) -> Sources:
    """Return a copy of the sources with some knobs set. Raises ToolError for an unknown knob or value."""
    knobs = knobs_of(files)
    changed = dict(files)
    for name, value in settings.items():
        if name not in knobs:
            raise ToolError(f"no knob '{name}'; there are: {', '.join(knobs) or 'none'}")
        knob = knobs[name]
        if value not in knob.values:
            raise ToolError(f"knob {name} takes {', '.join(knob.values)}, not {value}")
        text = changed[knob.file].decode("utf-8", "surrogateescape")
        declared = next(m for m in DECLARATION.finditer(text) if m[1] == name)
        changed[knob.file] = (text[: declared.start(3)] + knob.line_with(value) + text[declared.end(3) :]).encode(
            "utf-8", "surrogateescape"
        )
    return changed
