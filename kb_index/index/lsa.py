"""LSA: vectors from the corpus itself, by a truncated SVD of its TF-IDF matrix. Nothing is downloaded."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avo.types import AvoError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALL = 100
"""Below so many passages a term counts even when it stands in one of them only."""


@dataclass(frozen=True)
class Lsa:
    """A fitted model: a passage is the sum of its terms' rows, each times its weight, at length 1."""

    columns: dict[str, int]
    """Term -> row."""
    idf: NDArray[np.float32]
    rows: NDArray[np.float16]
    """Terms x dimension."""

    def vectors(self, passages: Sequence[str]) -> NDArray[np.float32]:
        """passages x dimension, of length 1, from terms separated by spaces; a row of zeros where none is known."""
        import numpy as np

        found = np.zeros((len(passages), self.rows.shape[1]), np.float32)
        for vector, passage in zip(found, passages, strict=True):
            counts: dict[int, int] = {}
            for term in passage.split():
                if (at := self.columns.get(term)) is not None:
                    counts[at] = counts.get(at, 0) + 1
            if not counts:
                continue
            known = np.fromiter(counts, np.int64, len(counts))
            weights = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * self.idf[known]
            vector[:] = weights @ self.rows[known].astype(np.float32)
            vector /= max(float(np.linalg.norm(vector)), 1e-12)
        return found

    def save(self, path: Path) -> None:
        """One npz without pickle."""
        import numpy as np

        names = np.frombuffer(" ".join(self.columns).encode(), np.uint8)
        with path.open("wb") as file:
            np.savez(file, terms=names, idf=self.idf, rows=self.rows)


def fit(passages: Sequence[str], dimension: int) -> Lsa:
    """Fit to passages, each its terms separated by spaces. The same passages give the same model."""
    import numpy as np
    from sklearn.decomposition import TruncatedSVD  # type: ignore[import-untyped]
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

    weighing = TfidfVectorizer(analyzer=str.split, sublinear_tf=True, min_df=1 if len(passages) < SMALL else 2)
    try:
        matrix = weighing.fit_transform(passages)
    except ValueError as error:
        raise AvoError("nothing to fit the vectors to: no passage has a term") from error
    kept = min(dimension, *matrix.shape)
    svd = TruncatedSVD(kept, random_state=0).fit(matrix) if kept > 1 else None
    rows = np.zeros((matrix.shape[1], dimension), np.float16)
    rows[:, :kept] = svd.components_.T if svd else 1
    columns = {term: at for at, term in enumerate(weighing.get_feature_names_out())}
    return Lsa(columns, weighing.idf_.astype(np.float32), rows)


def load(path: Path) -> Lsa:
    """The model that `save` wrote. Raises AvoError when it is damaged."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            parts: dict[str, Any] = {name: stored[name] for name in ("terms", "idf", "rows")}
        names = bytes(parts["terms"]).decode().split(" ")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise AvoError(f"{path} is missing or damaged: build the knowledge base again: avo kb build") from error
    return Lsa({term: at for at, term in enumerate(names)}, parts["idf"], parts["rows"])
