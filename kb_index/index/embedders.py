"""Embedders, which turn passages and questions into vectors. The default needs no network and no model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from avo.kb_index.index.lsa import Lsa
from avo.settings import without_secrets
from avo.types import AvoError, Missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Function = Callable[[list[str]], Iterable[NDArray[np.float32]]]
    """Chroma's type of an embedding function: texts -> a vector for each."""

DEFAULT = "lsa-256"
"""Name of the embedder that is fitted to the corpus."""
LSA_FILE = "lsa.npz"
BATCH = 64
"""Number of texts per request."""
SECONDS = 60.0
"""Limit of one request."""
LONGEST_REASON = 200
"""Longest error message of an embedder that is shown, in characters."""


def embedder_of(name: str, folder: Path) -> Lsa | ChromaEmbedder:
    """Return the embedder of that name, with its fitted model in `folder`. Raises AvoError."""
    kind, _, model = name.partition(":")
    if name == DEFAULT:
        return Lsa(folder / LSA_FILE)
    if kind == "openai" and model:
        return ChromaEmbedder(name, lambda: _openai(model))
    if name == "default":
        return ChromaEmbedder(name, _minilm)
    raise AvoError(f"no embedder '{name}'; there are: {DEFAULT}, openai:MODEL or default")


class ChromaEmbedder:
    """One of Chroma's embedding functions, created at first use."""

    def __init__(self, name: str, make: Callable[[], Function]) -> None:
        self.name, self._make = name, make
        self._function: Function | None = None

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors [n, dimension] of the texts; the terms are not looked at. Raises AvoError."""
        import numpy as np

        try:
            self._function = self._function or self._make()
            rows: list[NDArray[np.float32]] = []
            for start in range(0, len(texts), BATCH):
                rows += self._function([text or " " for text in texts[start : start + BATCH]])
            vectors = np.asarray(rows, np.float32)
        except AvoError:
            raise
        except Exception as error:  # of whichever library Chroma asks
            said = " ".join(without_secrets(f"{error} ({error.__cause__})" if error.__cause__ else str(error)).split())
            raise AvoError(f"{self.name}: no embeddings: {said[:LONGEST_REASON]}") from error
        if len(vectors) != len(texts):
            raise AvoError(f"{self.name} answered {len(vectors)} embeddings for {len(texts)} texts")
        return vectors


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
