"""LSA (latent semantic analysis; Deerwester et al., 1990): vectors by a truncated SVD of the corpus's TF-IDF matrix.

Nothing is downloaded.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avo.types import AvoError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALL = 100
"""Number of passages below which a term counts even if only one passage has it."""


class Lsa:
    """A model in a file: a passage's vector is the weighted sum of its terms' vectors, normalised to length 1."""

    def __init__(self, path: Path, dimension: int = 256) -> None:
        """A model that is read at first use, or fitted."""
        self._path = path
        self._dimension = dimension
        self._columns: dict[str, int] = {}
        """Term -> its place in `_idf` and `_rows`."""
        self._idf: Any = None
        """Inverse document frequencies [terms], fp32."""
        self._rows: Any = None
        """Vectors of the terms [terms, dimension], fp16."""

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors [passages, dimension], fp32; a row of zeros for a passage without known terms.

        terms: those of each passage, separated by spaces; the texts themselves are not looked at.
        Raises AvoError without a readable model.
        """
        import numpy as np

        if not self._columns:
            self._load()
        found = np.zeros((len(terms), self._rows.shape[1]), np.float32)
        for vector, passage in zip(found, terms, strict=True):
            counts = Counter(self._columns[term] for term in passage.split() if term in self._columns)
            if counts:
                known = np.fromiter(counts, np.int64)
                weights = (1 + np.log(np.fromiter(counts.values(), np.float32))) * self._idf[known]
                vector[:] = weights @ self._rows[known].astype(np.float32)
                vector /= max(float(np.linalg.norm(vector)), 1e-12)
        return found

    def fit(self, passages: Sequence[str]) -> None:
        """Fit the model to passages, each given as terms separated by spaces, and save it; deterministic."""
        import numpy as np
        from sklearn.decomposition import TruncatedSVD  # type: ignore[import-untyped]
        from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

        weighing = TfidfVectorizer(analyzer=str.split, sublinear_tf=True, min_df=1 if len(passages) < SMALL else 2)
        matrix = weighing.fit_transform(passages)
        kept = min(self._dimension, *matrix.shape)
        svd = TruncatedSVD(kept, random_state=0).fit(matrix) if kept > 1 else None
        self._rows = np.zeros((matrix.shape[1], self._dimension), np.float16)
        self._rows[:, :kept] = svd.components_.T if svd else 1
        self._idf = weighing.idf_.astype(np.float32)
        names = weighing.get_feature_names_out()
        self._columns = {term: at for at, term in enumerate(names)}
        np.savez(self._path, terms=np.frombuffer(" ".join(names).encode(), np.uint8), idf=self._idf, rows=self._rows)

    def _load(self) -> None:
        import numpy as np

        try:
            with np.load(self._path, allow_pickle=False) as stored:
                names = bytes(stored["terms"]).decode().split(" ")
                self._idf, self._rows = stored["idf"], stored["rows"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise AvoError(f"{self._path} is missing or damaged: build it again: avo kb build") from error
        self._columns = {term: at for at, term in enumerate(names)}
