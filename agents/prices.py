"""What model calls cost: a dated table of list prices, and the user's own before it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avo.types import AvoError

TABLE = Path(__file__).parent / "prices.toml"
FREE = ("tuner", "ollama")
"""Kinds of models that no provider sends a bill for."""
SNAPSHOT = re.compile(
    r"(-\d{4}-\d{2}-\d{2}|-\d{8}|-\d{4}|-\d{3}|@\d{8})?(-latest)?(-preview(-\d{2}-\d{2,4})?)?(-v\d+:\d+)?"
)
"""What may follow a listed name: the date of a snapshot. Anything else is another model, at a price of its own."""
MODEL = re.compile(r"""["']?\bmodel["']?\s*:\s*["']?([^\s"',]+)""")
"""Where a component file, JSON or YAML, names its model."""
FORM = '"{}" = [PROMPT, CACHED, COMPLETION]'


@dataclass(frozen=True)
class Price:
    """USD per million tokens."""

    prompt: float
    cached: float
    completion: float

    def usd(self, prompt: float, cached: float, completion: float) -> float:
        """Of a call; `cached` is a part of `prompt`. All in tokens."""
        uncached = max(prompt - cached, 0)
        return (uncached * self.prompt + cached * self.cached + completion * self.completion) / 1e6


@dataclass(frozen=True)
class Prices:
    """Prices by model."""

    listed: Mapping[str, Price]
    own: Mapping[str, Price]
    date: str
    """Of the list."""

    def of(self, model: str) -> Price | None:
        """The price of a model as `model_name` calls it, by the longest name that it begins with; None when not known.

        A snapshot (gpt-5-2025-08-07) costs what its model costs; a model with another ending is not known.
        """
        kind, _, name = model.partition(":")
        found = _longest(self.own, model) or _longest(self.own, name)
        if found or kind in FREE:
            return found or Price(0, 0, 0)
        return _longest(self.listed, name or model)

    def needed(self, model: str) -> Price:
        """The same. Raises AvoError that says how to give a price."""
        if found := self.of(model):
            return found
        raise AvoError(
            f"--budget-usd needs the price of '{model}', which is not in the list of {self.date}: write"
            f" {FORM.format(model)} (USD per million tokens) under [prices] in avo.toml,"
            " or in a file that AVO_PRICES names"
        )


def prices(own: Mapping[str, Any] | None = None) -> Prices:
    """avo's list, and the user's prices before it: the file that AVO_PRICES names, then `own`, [prices] of avo.toml."""
    listed = tomllib.loads(TABLE.read_text())
    table = _read(own or {}, "avo.toml")
    if named := os.environ.get("AVO_PRICES"):
        try:
            given = tomllib.loads(Path(named).expanduser().read_text())
        except (OSError, ValueError) as error:
            raise AvoError(f"AVO_PRICES: {named} cannot be read: {error}") from error
        table |= _read(given.get("prices", {}), named)
    return Prices(_read(listed["prices"], TABLE.name), table, listed["date"])


def _longest(table: Mapping[str, Price], model: str) -> Price | None:
    names = [name for name in table if model.startswith(name) and SNAPSHOT.fullmatch(model[len(name) :])]
    return table[max(names, key=len)] if names else None


def _read(table: Any, where: str) -> dict[str, Price]:
    """Raises AvoError for what is no table of prices."""
    if not isinstance(table, Mapping):
        raise AvoError(f"{where}: [prices] is no table; it holds lines like {FORM.format('MODEL')}")
    found = {}
    for name, entry in table.items():
        if not (isinstance(entry, list) and len(entry) == 3 and all(map(_amount, entry))):
            raise AvoError(f"{where}: the price of '{name}' is not of the form {FORM.format(name)}")
        found[name] = Price(*map(float, entry))
    return found


def _amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def model_name(spec: str) -> str:
    """The model that `--model SPEC` names, as ledger and prices have it: the spec, or what a component file says."""
    try:
        found = MODEL.search(Path(spec).read_text()) if Path(spec).is_file() else None
    except (OSError, ValueError):
        return spec
    return found[1] if found else spec
