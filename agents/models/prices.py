"""Prices of model calls: the user's own first, then the list in the package genai-prices."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avo.types import AvoError

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

LIST = "genai-prices"
"""Package with the list of prices."""
FREE = ("tuner", "ollama")
"""Kinds of models that cost nothing."""
PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "azure": "azure"}
"""Kind of a model -> its provider in the list; any other kind is looked up by the model's name alone."""
SNAPSHOT = re.compile(
    r"(-\d{4}-\d{2}-\d{2}|-\d{8}|-\d{4}|-\d{3}|@\d{8})?(-latest)?(-preview(-\d{2}-\d{2,4})?)?(-v\d+:\d+)?"
)
"""Suffixes by which a snapshot's name may differ from the user's name for a model; any other is another model."""
MODEL = re.compile(r"""["']?\bmodel["']?\s*:\s*["']?([^\s"',]+)""")
"""The model's name in a component file, JSON or YAML."""
FORM = '"{}" = [PROMPT, CACHED, COMPLETION]'
"""Line of a price in [prices], with a place for the model's name."""


@dataclass(frozen=True)
class Price:
    """A price given by the user, in USD per million tokens."""

    prompt: float
    cached: float
    completion: float

    def usd(self, prompt: float, cached: float, completion: float, written: float = 0) -> float:
        """Return the cost of a call in USD, from token counts.

        `cached` and `written` (to the provider's cache) are parts of `prompt`; `written` is charged as uncached prompt.
        """
        uncached = max(prompt - cached, 0)
        return (uncached * self.prompt + cached * self.cached + completion * self.completion) / 1e6


@dataclass(frozen=True)
class Listed(Price):
    """A price from the list; the fields are those of a short prompt, but a call is charged by its tier."""

    provider: Provider = field(repr=False, compare=False)
    model: ModelInfo = field(repr=False, compare=False)

    def usd(self, prompt: float, cached: float, completion: float, written: float = 0) -> float:
        """Return the cost of a call in USD, from token counts, by the list's tiers."""
        return _reckoned(self.provider, self.model, prompt, cached, completion, written)


@dataclass(frozen=True)
class Prices:
    """Prices by model."""

    own: Mapping[str, Price]

    def of(self, model: str) -> Price | None:
        """Return the price of a model, named as by `model_name`; None when neither the user nor the list has it.

        A user's price also holds for a model's snapshots (gpt-5-2025-08-07), not for names with another ending.
        """
        kind, _, name = model.partition(":")
        found = _longest(self.own, model) or _longest(self.own, name)
        if found or kind in FREE:
            return found or Price(0, 0, 0)
        return _listed(PROVIDERS.get(kind), name or model)

    def needed(self, model: str) -> Price:
        """Return the price of a model. Raises AvoError that says how to give one."""
        if found := self.of(model):
            return found
        raise AvoError(f"--budget-usd needs the price of '{model}', which {how_to_give(model)}")


def prices(own: Mapping[str, Any] | None = None) -> Prices:
    """Return the user's prices and the list: first the file named by AVO_PRICES, then `own`, [prices] of avo.toml.

    Raises AvoError for a file or table that cannot be read.
    """
    table = _read(own or {}, "avo.toml")
    if named := os.environ.get("AVO_PRICES"):
        try:
            given = tomllib.loads(Path(named).expanduser().read_text())
        except (OSError, ValueError) as error:
            raise AvoError(f"AVO_PRICES: {named} cannot be read: {error}") from error
        table |= _read(given.get("prices", {}), named)
    return Prices(table)


def listed_by() -> str:
    """Return the list's name and version, which is its date: it is part of the package, and nothing is downloaded."""
    return f"{LIST} {version(LIST)}"


def how_to_give(model: str) -> str:
    """Return the advice for a user whose model has no price."""
    return (
        f"{listed_by()} does not list: write {FORM.format(model)} (USD per million tokens) under [prices] in avo.toml,"
        " or in a file that AVO_PRICES names"
    )


def _listed(provider: str | None, name: str) -> Price | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        seller, model = get_snapshot().find_provider_model(name, None, provider, None)
        million = [_reckoned(seller, model, *tokens) * 1e6 for tokens in ((1, 0, 0), (1, 1, 0), (0, 0, 1))]
    except (LookupError, ValueError):  # ValueError: it is not paid by such tokens
        return None
    prompt, cached, completion = (round(usd, 6) for usd in million)
    return Listed(prompt, cached, completion, seller, model) if prompt or completion else None


def _reckoned(
    provider: Provider, model: ModelInfo, prompt: float, cached: float, completion: float, written: float = 0
) -> float:
    from genai_prices import Usage

    whole, read = round(prompt), min(round(cached), round(prompt))
    tokens = Usage(
        input_tokens=whole, cache_read_tokens=read, cache_write_tokens=min(round(written), whole - read),
        output_tokens=round(completion),
    )  # fmt: skip
    return float(model.calc_price(tokens, provider).total_price)


def _longest(table: Mapping[str, Price], model: str) -> Price | None:
    names = [name for name in table if model.startswith(name) and SNAPSHOT.fullmatch(model[len(name) :])]
    return table[max(names, key=len)] if names else None


def _read(table: Any, where: str) -> dict[str, Price]:
    """Return the prices in a table. Raises AvoError if it is not a table of prices."""
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
    """Return the model's name for ledger and prices, from `--model SPEC`: the spec, or the name in a component file."""
    try:
        found = MODEL.search(Path(spec).read_text()) if Path(spec).is_file() else None
    except (OSError, ValueError):
        return spec
    return found[1] if found else spec
