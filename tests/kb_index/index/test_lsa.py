"""LSA: passages about the same lie close together, the same corpus gives the same vectors, and a file is read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avo.kb_index.index.lsa import Lsa
from avo.types import AvoError

PASSAGES = [
    "barrier wait phase pariti", "barrier arriv phase byte", "barrier wait byte", "softmax maximum rescal sum",
    "softmax exponenti maximum row", "rescal accumul softmax", "descriptor swizzl tile", "tile copi descriptor box",
]  # fmt: skip
Vectors = Callable[..., Any]


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    """The vectors of some passages by a model that is fitted to others."""

    def fitted(corpus: Sequence[str], dimension: int, passages: Sequence[str]) -> Any:
        model = Lsa(tmp_path / "lsa.npz", dimension)
        model.fit(corpus)
        return model.embed(passages, passages)

    return fitted


def test_passages_about_the_same_are_near_also_without_a_common_word(vectors: Vectors) -> None:
    barrier, softmax, question = vectors(PASSAGES, 3, ["arriv byte", "row exponenti", "pariti"])
    assert question @ barrier > 0.5 > question @ softmax


def test_vectors_have_length_one_and_an_unknown_passage_is_all_zero(vectors: Vectors) -> None:
    found = vectors(PASSAGES, 4, ["softmax row row", "unheard of", ""])
    assert np.linalg.norm(found[0]) == pytest.approx(1, abs=1e-3)
    assert not found[1:].any()


def test_a_corpus_smaller_than_the_dimension_is_padded(vectors: Vectors) -> None:
    assert vectors(PASSAGES, 256, PASSAGES).shape == (8, 256)
    assert vectors(["alone"], 256, ["alone"]).shape == (1, 256)


def test_the_same_corpus_gives_the_same_model_and_a_file_gives_it_back(vectors: Vectors, tmp_path: Path) -> None:
    first = vectors(PASSAGES, 5, PASSAGES)
    assert np.array_equal(vectors(PASSAGES, 5, PASSAGES), first)
    assert np.array_equal(Lsa(tmp_path / "lsa.npz").embed(PASSAGES, PASSAGES), first)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lsa.npz").write_bytes(content)
    with pytest.raises(AvoError, match="missing or damaged: build it again"):
        Lsa(tmp_path / "lsa.npz").embed(["a"], ["a"])


def test_a_file_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "lsa.npz", terms=np.array([{"a": 1}], object), idf=np.ones(1), rows=np.ones((1, 2)))
    with pytest.raises(AvoError, match="damaged"):
        Lsa(tmp_path / "lsa.npz").embed(["a"], ["a"])
