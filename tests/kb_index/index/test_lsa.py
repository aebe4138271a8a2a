"""LSA: passages about the same lie close together, the same corpus gives the same vectors, and a file is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from avo.kb_index.index.lsa import fit, load
from avo.types import AvoError

PASSAGES = [
    "barrier wait phase pariti", "barrier arriv phase byte", "barrier wait byte", "softmax maximum rescal sum",
    "softmax exponenti maximum row", "rescal accumul softmax", "descriptor swizzl tile", "tile copi descriptor box",
]  # fmt: skip


def test_passages_about_the_same_are_near_also_without_a_common_word() -> None:
    model = fit(PASSAGES, 3)
    barrier, softmax, question = model.vectors(["arriv byte", "row exponenti", "pariti"])
    assert question @ barrier > 0.5 > question @ softmax


def test_vectors_have_length_one_and_an_unknown_passage_is_all_zero() -> None:
    vectors = fit(PASSAGES, 4).vectors(["softmax row row", "unheard of", ""])
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-3)
    assert not vectors[1:].any()


def test_a_corpus_smaller_than_the_dimension_is_padded() -> None:
    assert fit(PASSAGES, 256).vectors(PASSAGES).shape == (8, 256)
    assert fit(["alone"], 256).vectors(["alone"]).shape == (1, 256)


def test_the_same_corpus_gives_the_same_model_and_a_file_gives_it_back(tmp_path: Path) -> None:
    first, second = fit(PASSAGES, 5), fit(PASSAGES, 5)
    assert np.array_equal(first.rows, second.rows)
    first.save(tmp_path / "lsa.npz")
    read = load(tmp_path / "lsa.npz")
    assert read.columns == first.columns
    assert np.array_equal(read.vectors(PASSAGES), first.vectors(PASSAGES))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lsa.npz").write_bytes(content)
    with pytest.raises(AvoError, match="missing or damaged: build the knowledge base again"):
        load(tmp_path / "lsa.npz")


def test_a_file_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "lsa.npz", terms=np.array([{"a": 1}], object), idf=np.ones(1), rows=np.ones((1, 2)))
    with pytest.raises(AvoError, match="damaged"):
        load(tmp_path / "lsa.npz")


def test_a_corpus_without_a_term_is_one_line() -> None:
    with pytest.raises(AvoError, match="no passage has a term"):
        fit(["", ""], 4)
