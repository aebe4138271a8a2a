"""Embedders, which turn passages and questions into vectors. The default needs no network and no model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from avo.kb_index.index.lsa import Lsa, fit, load
from avo.settings import without_secrets
from avo.types import AvoError, Missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Function = Callable[[list[str]], Iterable[NDArray[np.float32]]]
    """Chroma's type of an embedding function: texts -> a vector for each."""

DEFAULT = "lsa-256"
"""Name of the default embedder."""
NAMES = "lsa-256, openai:MODEL or chroma:default"
"""The possible names, for messages."""
LSA_FILE = "lsa.npz"
BATCH = 64
"""Number of texts per request."""
SECONDS = 60.0
"""Limit of one request."""
LONGEST_REASON = 200
"""Longest error message of an embedder that is shown, in characters."""
MINILM = ("chroma:default", "default", "onnx")
"""Names of Chroma's own model; an index records the first."""


class Embedder(Protocol):
    """An embedder. `texts` are for people, `terms` are the terms of the same texts, separated by spaces."""

    name: str
    learns: bool
    """True if it is fitted to the corpus."""

    def fit(self, terms: Sequence[str]) -> None:
        """Fit it to the whole corpus; does nothing for one that does not learn."""

    def fitted(self) -> bool:
        """Return True if it needs no fitting before use."""
        ...

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors [n, dimension]; a row of zeros for a passage without known terms. Raises AvoError."""


def embedder_of(name: str, folder: Path) -> Embedder:
    """Return the embedder of that name, with its fitted model in `folder`. Raises AvoError."""
    kind, _, model = name.partition(":")
    if name == DEFAULT:
        return LsaEmbedder(folder / LSA_FILE)
    if kind == "openai" and model:
        return ChromaEmbedder(name, lambda: _openai(model))
    if name in MINILM:
        return ChromaEmbedder(MINILM[0], _minilm)
    raise AvoError(f"no embedder '{name}'; there are: {NAMES}")


class LsaEmbedder:
    """LSA (latent semantic analysis) with 256 dimensions."""

    name, learns, dimension = DEFAULT, True, 256

    def __init__(self, path: Path) -> None:
        self._path = path
        self._model: Lsa | None = None

    def fit(self, terms: Sequence[str]) -> None:
        """Fit the model and save it."""
        self._model = fit(terms, self.dimension)
        self._model.save(self._path)

    def fitted(self) -> bool:
        """Return True if there is a saved model."""
        return self._path.is_file()

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors [n, 256] of the terms. Raises AvoError without a readable model."""
        self._model = self._model or load(self._path)
        return self._model.vectors(terms)


class ChromaEmbedder:
    """One of Chroma's embedding functions, created at first use; none of them has to be fitted."""

    learns = False

    def __init__(self, name: str, make: Callable[[], Function]) -> None:
        self.name, self._make = name, make
        self._function: Function | None = None

    def fit(self, terms: Sequence[str]) -> None:
        """Do nothing."""

    def fitted(self) -> bool:
        """Return True."""
        return True

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors [n, dimension] of the texts. Raises AvoError."""
        import numpy as np

        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), BATCH):
            rows += self._rows([text or " " for text in texts[start : start + BATCH]])
        if len({len(row) for row in rows}) > 1:
            raise AvoError(f"{self.name} answered vectors of different lengths")
        return np.asarray(rows, np.float32).reshape(len(texts), -1)

    def _rows(self, texts: list[str]) -> list[NDArray[np.float32]]:
        try:
            self._function = self._function or self._make()
            rows = list(self._function(texts))
        except AvoError:
            raise
        except Exception as error:  # of whichever library Chroma asks
            said = " ".join(without_secrets(f"{error} ({error.__cause__})" if error.__cause__ else str(error)).split())
            raise AvoError(f"{self.name}: no embeddings: {said[:LONGEST_REASON]}") from error
        if len(rows) != len(texts):
            raise AvoError(f"{self.name} answered {len(rows)} embeddings for {len(texts)} texts")
        return rows


def _openai(model: str) -> Function:
    """Return the function of a server with OpenAI's protocol: OPENAI_API_KEY, and optionally OPENAI_BASE_URL."""
    if not os.environ.get("OPENAI_API_KEY"):
        raise Missing(f"openai:{model} needs OPENAI_API_KEY; avo kb build makes an index that needs none ({DEFAULT})")
    from chromadb.utils.embedding_functions import OpenAIEmbeddingFunction

    found = OpenAIEmbeddingFunction(model_name=model, api_base=os.environ.get("OPENAI_BASE_URL") or None)
    found.client = found.client.with_options(timeout=SECONDS)
    return cast("Function", found)


def _minilm() -> Function:
    """Return Chroma's own model, which it downloads at first use."""
    from chromadb.utils.embedding_functions import DefaultEmbeddingFunction

    return cast("Function", DefaultEmbeddingFunction())
