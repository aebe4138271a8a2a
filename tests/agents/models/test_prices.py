"""Prices: the user's word comes first, then the list; a snapshot costs what its model costs, nothing is guessed at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from avo.agents.models.prices import Price, Prices, listed_by, model_name, prices
from avo.types import AvoError

PRICES = Prices({
    "big": Price(10, 1, 40), "big-mini": Price(1, 0.1, 4), "big-4-1": Price(8, 1, 30), "mine": Price(2, 2, 2),
    "big-mini-2025-08-07": Price(3, 3, 3), "ollama:costly": Price(1, 1, 1),
})  # fmt: skip


@pytest.fixture(autouse=True)
def _no_file_of_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVO_PRICES", raising=False)


@pytest.mark.parametrize(
    ("model", "completion"),
    [
        ("big", 40), ("openai:big", 40), ("big-2025-08-07", 40), ("big-20250807", 40), ("big-latest", 40),
        ("big-001", 40), ("big-preview-05-06", 40), ("big@20250807", 40),
        ("big-mini", 4), ("gemini:big-mini-2025-09-01", 4), ("big-4-1-20250805", 30),
        ("big-mini-2025-08-07", 3), ("mine", 2), ("openai-compatible:mine", 2),
        ("tuner", 0), ("tuner:3", 0), ("ollama:qwen3:8b", 0), ("ollama:costly", 1), ("ollama:gpt-5", 0),
        ("big.1", None), ("big-4-5", None), ("big-search", None), ("bigger", None), ("bi", None), ("", None),
    ],
)  # fmt: skip
def test_a_name_of_the_users_stands_for_its_snapshots_and_for_no_other_model(
    model: str, completion: float | None
) -> None:
    found = PRICES.of(model)
    assert (found.completion if found else None) == completion


def test_cached_tokens_are_a_part_of_the_prompt() -> None:
    assert Price(10, 1, 40).usd(1000, 400, 100) == pytest.approx((600 * 10 + 400 * 1 + 100 * 40) / 1e6)


@pytest.mark.parametrize(
    ("model", "figures"),
    [
        ("openai:gpt-5", (1.25, 0.125, 10)), ("openai:gpt-5-2025-08-07", (1.25, 0.125, 10)),
        ("gpt-5", (1.25, 0.125, 10)),
        ("azure:gpt-4o", (2.5, 1.25, 10)), ("openai-compatible:gpt-5-mini", (0.25, 0.025, 2)),
        ("openai:gpt-5-pro", (15, 15, 120)), ("anthropic:claude-sonnet-4-5", (3, 0.3, 15)),
        ("anthropic:claude-opus-4-7", (5, 0.5, 25)), ("gemini:gemini-2.5-pro", (1.25, 0.125, 10)),
    ],
)  # fmt: skip
def test_the_list_knows_what_providers_ask(model: str, figures: tuple[float, float, float]) -> None:
    found = prices().of(model)
    assert found
    assert (found.prompt, found.cached, found.completion) == figures
    assert found.usd(1000, 400, 100) == pytest.approx((600 * figures[0] + 400 * figures[1] + 100 * figures[2]) / 1e6)


@pytest.mark.parametrize(
    "model",
    ["openai:gpt-5-unheard-of", "openai:claude-sonnet-4-5", "anthropic:gpt-5", "azure:our-deployment", "openai:", "m"],
)
def test_a_model_that_its_provider_does_not_have_is_not_guessed_at(model: str) -> None:
    assert prices().of(model) is None


def test_a_long_prompt_and_what_is_written_to_a_cache_cost_what_the_list_says() -> None:
    found = prices().of("anthropic:claude-sonnet-4-5")
    assert found
    assert found.usd(200_000, 0, 1000) == pytest.approx((200_000 * 3 + 1000 * 15) / 1e6)
    assert found.usd(300_000, 200_000, 1000) == pytest.approx((100_000 * 6 + 200_000 * 0.6 + 1000 * 22.5) / 1e6)
    assert found.usd(1000, 300, 0, 500) == pytest.approx((200 * 3 + 300 * 0.3 + 500 * 3.75) / 1e6)


def test_a_count_that_cannot_be_is_cut_to_the_prompt() -> None:
    found = prices().of("anthropic:claude-sonnet-4-5")
    assert found
    assert found.usd(100, 150, 0, 50) == pytest.approx(100 * 0.3 / 1e6)


def test_prices_are_read_without_a_network() -> None:
    """An audit hook of the interpreter ends it at the first look at a socket."""
    look = """
import os, sys
def watch(event, arguments):
    if event.startswith("socket."):
        print(event, arguments, file=sys.stderr)
        os._exit(9)
sys.addaudithook(watch)
from avo.agents.models.prices import prices
print(prices().of("openai:gpt-5").usd(1_000_000, 0, 0), prices().of("openai:no-such-model"))
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1.25 None\n"), done.stderr


def test_the_users_prices_come_first_and_the_file_of_the_variable_before_avo_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.toml").write_text('[prices]\n"gpt-5" = [7, 7, 7]\n')
    monkeypatch.setenv("AVO_PRICES", str(tmp_path / "prices.toml"))
    table = prices({"gpt-5": [9, 9, 9], "own": [1, 0.5, 2]})
    assert table.of("openai:gpt-5") == Price(7, 7, 7)
    assert table.of("own") == Price(1, 0.5, 2)
    assert table.of("gpt-5-mini")


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


def test_a_budget_without_a_price_says_in_one_line_how_to_give_one() -> None:
    with pytest.raises(AvoError) as raised:
        prices().needed("openai:big-9")
    assert str(raised.value) == (
        f"--budget-usd needs the price of 'openai:big-9', which {listed_by()} does not list: write \"openai:big-9\" ="
        " [PROMPT, CACHED, COMPLETION] (USD per million tokens) under [prices] in avo.toml, or in a file that"
        " AVO_PRICES names"
    )


def test_a_component_file_names_its_model(tmp_path: Path) -> None:
    config = {"provider": "x.Client", "config": {"model_info": {"family": "unknown"}, "model": "gpt-5-mini"}}
    (tmp_path / "model.json").write_text(json.dumps(config))
    (tmp_path / "model.yaml").write_text("provider: x.Client\nconfig:\n  model: claude-haiku-4-5\n")
    (tmp_path / "odd.json").write_text("{}")
    assert model_name(str(tmp_path / "model.json")) == "gpt-5-mini"
    assert model_name(str(tmp_path / "model.yaml")) == "claude-haiku-4-5"
    assert model_name(str(tmp_path / "odd.json")) == str(tmp_path / "odd.json")
    assert model_name("anthropic:claude-haiku-4-5") == "anthropic:claude-haiku-4-5"
