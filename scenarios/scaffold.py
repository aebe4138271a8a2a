"""Creation of a new scenario's folder: a small complete problem, or one that extends another."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from avo.scenarios.catalog import folder as folder_of
from avo.scenarios.catalog import names
from avo.scenarios.layers import sources
from avo.scenarios.loader import Scenario, load
from avo.settings import SCENARIOS
from avo.types import AvoError

TEMPLATE = SCENARIOS / "template" / "rms_norm_rows"
"""Folder of the small problem."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""Valid names of a new scenario."""

EXTENDING = """\
# What is not said here is as in {base}; avo scenario show ./{name} prints the whole.
# A table is merged key by key, an array such as [[cases]] is replaced whole.
extends = {extends}
summary = {summary}    # CHANGE: what is different

# CHANGE: what is timed, for instance
# [[cases]]
# id = {id}
# family = "{family}"
# dims = {{ {dims} }}
"""
"""Template of a scenario.toml that extends another."""
REUSING = '''\
"""Computes what {base} computes: CHANGE by defining a function of the same name here."""

from avo.scenarios.{base}.reference import (
    {functions},
)

__all__ = [
    {listed},
]
'''
"""Template of a reference.py that imports a shipped one's functions."""


def create(name: str, parent: Path, like: str = "") -> Path:
    """Write the scenario `name` to a new folder in `parent`, and return it.

    like: the scenario to extend; empty: the small problem. Raises AvoError, before anything is written, for a name that
    is invalid or taken, or an unknown scenario to extend.
    """
    if not NAME.fullmatch(name):
        raise AvoError(f"'{name}' is no name for a scenario: a letter, then letters, digits and _")
    if name in names():
        raise AvoError(f"'{name}' is a shipped scenario: give another name")
    made = parent / name
    if made.exists() or made.is_symlink():
        raise AvoError(f"{made} exists: give another name, or another folder after it")
    files = _extending(load(like), folder_of(like), made) if like else _template()
    made.mkdir(parents=True)
    for path, content in files.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_bytes(content)
    return made


def _template() -> dict[str, bytes]:
    found = [path for path in TEMPLATE.rglob("*") if path.suffix in (".toml", ".py", ".cpp")]
    return {path.relative_to(TEMPLATE).as_posix(): path.read_bytes() for path in found}


def _extending(base: Scenario, place: Path, made: Path) -> dict[str, bytes]:
    """Return the files of a scenario that extends `base`.

    A shipped one is extended by name and imported from; another by its folder, with reference.py and helpers copied.
    """
    shipped = place.parent == SCENARIOS
    case = base.cases[0]
    text = EXTENDING.format(
        base=base.name, name=made.name,
        extends=_quoted(base.name if shipped else os.path.relpath(place, made.resolve())),
        summary=_quoted(f"{base.summary}; as {base.name}"), id=_quoted(case.id), family=case.family,
        dims=", ".join(f"{dim} = {extent}" for dim, extent in case.dims.items()),
    )  # fmt: skip
    source, helpers = place / "reference.py", dict[str, bytes]()
    if shipped:
        wanted = {"make_inputs", "reference"}.union(*(target.baselines for target in base.targets.values()))
        functions, separator = sorted(wanted), ",\n    "
        listed = separator.join(map(_quoted, functions))
        reference = REUSING.format(base=base.name, functions=separator.join(functions), listed=listed).encode()
    elif source.is_file():
        reference = source.read_bytes()
        beside = [file for file in sources(source) if file != source and file.is_relative_to(place)]
        helpers = {file.relative_to(place).as_posix(): file.read_bytes() for file in beside}
    else:
        raise AvoError(f"{source}: missing; a scenario that extends {base.name} needs one")
    return {"scenario.toml": text.encode(), "reference.py": reference, **helpers}


def _quoted(text: str) -> str:
    """Return the text as a string literal of TOML and Python."""
    return json.dumps(text, ensure_ascii=False)
