"""LSA (latent semantic analysis; Deerwester et al., 1990): vectors by a truncated SVD of the corpus's TF-IDF matrix.

Nothing is downloaded.
"""

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
"""Number of passages below which a term counts even if only one passage has it."""


@dataclass(frozen=True)
class Lsa:
    """A fitted model: a passage's vector is the weighted sum of its terms' rows, normalised to length 1."""

    columns: dict[str, int]
    """Term -> row in `rows`."""
    idf: NDArray[np.float32]
    """Inverse document frequencies [terms], fp32."""
    rows: NDArray[np.float16]
    """Vectors of the terms [terms, dimension], fp16."""

    def vectors(self, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors [passages, dimension], fp32; a row of zeros for a passage without known terms.

        passages: terms separated by spaces.
        """
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
        """Write the model as one npz file without pickle."""
        import numpy as np

        names = np.frombuffer(" ".join(self.columns).encode(), np.uint8)
        with path.open("wb") as file:
            np.savez(file, terms=names, idf=self.idf, rows=self.rows)


def fit(passages: Sequence[str], dimension: int) -> Lsa:
    """Fit a model to passages, each given as terms separated by spaces; deterministic.

    Raises AvoError if no passage has a term.
    """
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
    """Return the model that `save` wrote. Raises AvoError if it is damaged."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            parts: dict[str, Any] = {name: stored[name] for name in ("terms", "idf", "rows")}
        names = bytes(parts["terms"]).decode().split(" ")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise AvoError(f"{path} is missing or damaged: build the knowledge base again: avo kb build") from error
    return Lsa({term: at for at, term in enumerate(names)}, parts["idf"], parts["rows"])
