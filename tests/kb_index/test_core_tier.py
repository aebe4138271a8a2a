"""The knowledge base from the real packages: FlashAttention-4, cuda::ptx, the op docstrings and our notes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avo.kb_index.evaluation import evaluate, questions
from avo.kb_index.index.store import Store
from avo.kb_index.reading import read
from avo.kb_index.search import search

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FLOOR = 0.8
"""Of the questions in kb_index/queries.json that find what they should among the first five hits."""


@pytest.fixture(scope="module")
def store(core_kb: Path) -> Store:
    return Store.open((core_kb / "current").resolve())


def test_most_questions_find_what_they_should(store: Store) -> None:
    result = evaluate(store, questions(ROOT / "kb_index" / "queries.json"))
    assert result["questions"] == len(json.loads((ROOT / "kb_index" / "queries.json").read_text())["queries"])
    assert result["hit@5"] >= FLOOR, result["missed"]


def test_an_instruction_is_found_where_it_is_declared_and_its_lines_can_be_read(store: Store) -> None:
    hits = search(store, "setmaxnreg", source="cuda-ptx")
    assert hits[0].path.endswith("setmaxnreg.h")
    assert "setmaxnreg" in read(store, hits[0].id).text()


def test_conditional_rescaling_is_found_in_flash_attention_4(store: Store) -> None:
    hits = search(store, ["rescale the accumulator only if the row maximum grew", "update_row_max"], source="fa4")
    assert any("softmax.py" in hit.path and "update_row_max" in hit.symbol for hit in hits)
