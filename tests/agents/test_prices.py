"""Prices: a snapshot costs what its model costs, another model is not guessed at, and the user's word comes first."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from avo.agents.prices import Price, Prices, model_name, prices
from avo.types import AvoError

PRICES = Prices(
    {"big": Price(10, 1, 40), "big-mini": Price(1, 0.1, 4), "big-4-1": Price(8, 1, 30)},
    {"mine": Price(2, 2, 2), "big-mini-2025-08-07": Price(3, 3, 3), "ollama:costly": Price(1, 1, 1)},
    "2025-01-01",
)


@pytest.mark.parametrize(
    ("model", "completion"),
    [
        ("big", 40), ("openai:big", 40), ("big-2025-08-07", 40), ("big-20250807", 40), ("big-latest", 40),
        ("big-001", 40), ("big-preview-05-06", 40), ("big@20250807", 40),
        ("big-mini", 4), ("gemini:big-mini-2025-09-01", 4), ("big-4-1-20250805", 30),
        ("big-mini-2025-08-07", 3), ("mine", 2), ("openai-compatible:mine", 2),
        ("tuner", 0), ("tuner:3", 0), ("ollama:qwen3:8b", 0), ("ollama:costly", 1),
        ("big.1", None), ("big-4-5", None), ("big-search", None), ("bigger", None), ("bi", None), ("", None),
    ],
)  # fmt: skip
def test_a_snapshot_costs_what_its_model_costs_and_other_models_are_not_known(
    model: str, completion: float | None
) -> None:
    found = PRICES.of(model)
    assert (found.completion if found else None) == completion


def test_cached_tokens_are_a_part_of_the_prompt() -> None:
    assert Price(10, 1, 40).usd(1000, 400, 100) == pytest.approx((600 * 10 + 400 * 1 + 100 * 40) / 1e6)


def test_the_list_is_dated_and_a_cached_token_never_costs_more_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVO_PRICES", raising=False)
    table = prices()
    assert date.fromisoformat(table.date) <= date.today()
    assert table.own == {}
    assert {"gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro"} <= table.listed.keys()
    for name, price in table.listed.items():
        assert 0 < price.cached <= price.prompt < price.completion, name
        assert table.of(name) == price


def test_the_users_prices_come_first_and_the_file_of_the_variable_before_avo_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.toml").write_text('[prices]\n"gpt-5" = [7, 7, 7]\n')
    monkeypatch.setenv("AVO_PRICES", str(tmp_path / "prices.toml"))
    table = prices({"gpt-5": [9, 9, 9], "own": [1, 0.5, 2]})
    assert table.of("openai:gpt-5") == Price(7, 7, 7)
    assert table.of("own") == Price(1, 0.5, 2)
    assert table.of("gpt-5-mini") == table.listed["gpt-5-mini"]


@pytest.mark.parametrize("entry", ["3", "[1, 2]", "[1, 2, -3]", '[1, 2, "x"]', "[1, 2, true]", "[1, 2, inf]"])
def test_a_price_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    (tmp_path / "prices.toml").write_text(f"[prices]\nodd = {entry}\n")
    monkeypatch.setenv("AVO_PRICES", str(tmp_path / "prices.toml"))
    with pytest.raises(AvoError, match=r"the price of 'odd' is not of the form \"odd\" = \[PROMPT, CACHED, COMPLE"):
        prices()


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVO_PRICES", str(tmp_path / "nothing.toml"))
    with pytest.raises(AvoError, match=r"AVO_PRICES: .*nothing\.toml cannot be read"):
        prices()


def test_a_budget_without_a_price_says_how_to_give_one() -> None:
    with pytest.raises(AvoError, match=r"needs the price of 'big-9', which is not in the list of 2025-01-01"):
        PRICES.needed("big-9")


def test_a_component_file_names_its_model(tmp_path: Path) -> None:
    config = {"provider": "x.Client", "config": {"model_info": {"family": "unknown"}, "model": "gpt-5-mini"}}
    (tmp_path / "model.json").write_text(json.dumps(config))
    (tmp_path / "model.yaml").write_text("provider: x.Client\nconfig:\n  model: claude-haiku-4-5\n")
    (tmp_path / "odd.json").write_text("{}")
    assert model_name(str(tmp_path / "model.json")) == "gpt-5-mini"
    assert model_name(str(tmp_path / "model.yaml")) == "claude-haiku-4-5"
    assert model_name(str(tmp_path / "odd.json")) == str(tmp_path / "odd.json")
    assert model_name("anthropic:claude-haiku-4-5") == "anthropic:claude-haiku-4-5"
