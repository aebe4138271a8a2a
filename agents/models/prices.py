"""What model calls cost: the user's own prices first, then the list that the package genai-prices brings."""

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
FREE = ("tuner", "ollama")
"""Kinds of models that no provider sends a bill for."""
PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "azure": "azure"}
"""Kind of a model -> its provider in the list; any other kind is looked up by the model's name alone."""
SNAPSHOT = re.compile(
    r"(-\d{4}-\d{2}-\d{2}|-\d{8}|-\d{4}|-\d{3}|@\d{8})?(-latest)?(-preview(-\d{2}-\d{2,4})?)?(-v\d+:\d+)?"
)
"""What may follow a name of the user's: the date of a snapshot. Anything else is another model."""
MODEL = re.compile(r"""["']?\bmodel["']?\s*:\s*["']?([^\s"',]+)""")
"""Where a component file, JSON or YAML, names its model."""
FORM = '"{}" = [PROMPT, CACHED, COMPLETION]'


@dataclass(frozen=True)
class Price:
    """USD per million tokens, as the user gave it."""

    prompt: float
    cached: float
    completion: float

    @property
    def source(self) -> str:
        """Who says so."""
        return "your own prices"

    def usd(self, prompt: float, cached: float, completion: float, written: float = 0) -> float:
        """Of a call, all in tokens; `cached` and `written` (to the provider's cache) are parts of `prompt`."""
        uncached = max(prompt - cached, 0)
        return (uncached * self.prompt + cached * self.cached + completion * self.completion) / 1e6


@dataclass(frozen=True)
class Listed(Price):
    """A price of the list; the figures are those of a short prompt, a call is reckoned with its tier."""

    provider: Provider = field(repr=False, compare=False)
    model: ModelInfo = field(repr=False, compare=False)

    @property
    def source(self) -> str:
        return listed_by()

    def usd(self, prompt: float, cached: float, completion: float, written: float = 0) -> float:
        return _reckoned(self.provider, self.model, prompt, cached, completion, written)


@dataclass(frozen=True)
class Prices:
    """Prices by model."""

    own: Mapping[str, Price]

    def of(self, model: str) -> Price | None:
        """The price of a model as `model_name` calls it; None when neither the user nor the list knows it.

        A name of the user's stands for its snapshots too (gpt-5-2025-08-07), not for models with another ending.
        """
        kind, _, name = model.partition(":")
        found = _longest(self.own, model) or _longest(self.own, name)
        if found or kind in FREE:
            return found or Price(0, 0, 0)
        return _listed(PROVIDERS.get(kind), name or model)

    def needed(self, model: str) -> Price:
        """The same. Raises AvoError that says how to give a price."""
        if found := self.of(model):
            return found
        raise AvoError(f"--budget-usd needs the price of '{model}', which {how_to_give(model)}")


def prices(own: Mapping[str, Any] | None = None) -> Prices:
    """The user's prices, before the list: the file that AVO_PRICES names, then `own`, [prices] of avo.toml."""
    table = _read(own or {}, "avo.toml")
    if named := os.environ.get("AVO_PRICES"):
        try:
            given = tomllib.loads(Path(named).expanduser().read_text())
        except (OSError, ValueError) as error:
            raise AvoError(f"AVO_PRICES: {named} cannot be read: {error}") from error
        table |= _read(given.get("prices", {}), named)
    return Prices(table)


def listed_by() -> str:
    """The list and its version, which is its date: it is part of the package, and nothing is downloaded."""
    return f"{LIST} {version(LIST)}"


def how_to_give(model: str) -> str:
    """What to say of a model without a price."""
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
