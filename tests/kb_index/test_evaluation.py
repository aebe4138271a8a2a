"""Evaluation: places are counted as they are, and questions about what is not stored do not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.evaluation import evaluate, questions
from avo.kb_index.index.store import Store
from avo.types import AvoError


def question(query: str, path: str, match: str = "", kind: str = "words") -> dict[str, Any]:
    return {"id": query, "kind": kind, "query": query, "expect": [{"path": path, "match": match}]}


def test_a_right_answer_needs_the_path_and_the_name(store: Store) -> None:
    figures = evaluate(store, [
        question("expect_tx", "barrier.py", "announce"),
        question("wgmma.mma_async", "product.py", "no such name", "names"),
        question("anything", "not/stored.py"),
    ])  # fmt: skip
    assert (figures["questions"], figures["hit@1"], figures["mrr"]) == (2, 0.5, 0.5)
    assert figures["by_kind"]["words"] == {"questions": 1, "hit@1": 1.0, "hit@5": 1.0, "mrr": 1.0}
    assert figures["by_kind"]["names"]["hit@5"] == 0
    assert (figures["missed"], figures["unanswerable"]) == (["wgmma.mma_async"], ["anything"])


def test_one_right_answer_of_several_is_enough_and_a_source_is_a_path_too(store: Store) -> None:
    entry = question("announce_bytes", "not/stored.py")
    entry["expect"].append({"path": "kernels", "match": "announce"})
    assert evaluate(store, [entry])["hit@1"] == 1


def test_the_place_is_the_reciprocal_rank(store: Store) -> None:
    figures = evaluate(
        store, [question("read_accumulator tensor memory", "blackwell/product.py", "tensor_memory_product")]
    )
    assert 0 < figures["mrr"] < 1
    assert figures["hit@1"] == 0
    assert figures["hit@5"] == 1


def test_no_answerable_question_is_no_error(store: Store) -> None:
    assert evaluate(store, [])["mrr"] == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]", "has no queries"),
        ("{", "has no queries"),
        ('{"queries": 3}', "has to be a list"),
        ('{"queries": [{"id": "a"}]}', "question 1: KeyError"),
        (json.dumps({"queries": [question("a", "b", "(")]}), "question 1"),
        (json.dumps({"queries": [question("a", "b") | {"query": 3}]}), "question 1"),
    ],
)
def test_a_file_that_is_not_right_is_one_line(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "q.json").write_text(content)
    with pytest.raises(AvoError, match=problem):
        questions(tmp_path / "q.json")


def test_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AvoError, match="No such file"):
        questions(tmp_path / "q.json")
