"""Embedders: what turns passages and questions into vectors. The default needs no network and no model."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from avo.kb_index.lsa import Lsa, fit, load
from avo.settings import without_secrets
from avo.types import AvoError, Missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT = "lsa-256"
NAMES = "lsa-256, openai:MODEL or chroma:default"
LSA_FILE = "lsa.npz"
BATCH = 64
"""Texts in one request."""
SECONDS = 60.0
"""For one request."""
OPENAI = "https://api.openai.com/v1"


class Embedder(Protocol):
    """`texts` are what a person reads, `terms` the same texts as their terms, separated by spaces."""

    name: str
    learns: bool
    """Whether it is fitted to the corpus."""

    def fit(self, terms: Sequence[str]) -> None:
        """Learn from the whole corpus; nothing for one that does not learn."""

    def fitted(self) -> bool: ...

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        """n x dimension; a row of zeros for a passage of which it knows nothing. Raises AvoError."""


def embedder_of(name: str, folder: Path) -> Embedder:
    """The embedder of that name; what it learns lies in `folder`. Raises AvoError."""
    kind, _, model = name.partition(":")
    if name == DEFAULT:
        return LsaEmbedder(folder / LSA_FILE)
    if kind == "openai" and model:
        return OpenAiEmbedder(model)
    if name == "chroma:default":
        return ChromaEmbedder()
    raise AvoError(f"no embedder '{name}'; there are: {NAMES}")


class LsaEmbedder:
    """LSA with 256 dimensions."""

    name, learns, dimension = DEFAULT, True, 256

    def __init__(self, path: Path) -> None:
        self._path = path
        self._model: Lsa | None = None

    def fit(self, terms: Sequence[str]) -> None:
        self._model = fit(terms, self.dimension)
        self._model.save(self._path)

    def fitted(self) -> bool:
        return self._path.is_file()

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        self._model = self._model or load(self._path)
        return self._model.vectors(terms)


class _Unlearned:
    """An embedder that is ready as it is."""

    learns = False

    def fit(self, terms: Sequence[str]) -> None:
        """Nothing to learn."""

    def fitted(self) -> bool:
        return True


class _Stay(urllib.request.HTTPRedirectHandler):
    """A key is not taken to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


class OpenAiEmbedder(_Unlearned):
    """A server that speaks OpenAI's protocol: OPENAI_API_KEY, and OPENAI_BASE_URL for another than OpenAI's own."""

    def __init__(self, model: str) -> None:
        self.name, self._model = f"openai:{model}", model

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        rows: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            rows += self._rows(list(texts[start : start + BATCH]))
        try:
            return np.asarray(rows, np.float32).reshape(len(texts), -1)
        except (TypeError, ValueError) as error:
            raise AvoError(f"{self.name} answered vectors of different lengths") from error

    def _rows(self, texts: list[str]) -> list[list[float]]:
        key = os.environ.get("OPENAI_API_KEY", "")
        if not key:
            raise Missing(f"{self.name} needs OPENAI_API_KEY; avo kb build makes an index that needs none ({DEFAULT})")
        url = os.environ.get("OPENAI_BASE_URL", OPENAI).rstrip("/") + "/embeddings"
        body = json.dumps({"model": self._model, "input": [text or " " for text in texts]}).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            request = urllib.request.Request(url, body, headers)
            with urllib.request.build_opener(_Stay).open(request, timeout=SECONDS) as reply:
                answer: dict[str, Any] = json.load(reply)
            entries = sorted(answer["data"], key=lambda entry: int(entry["index"]))
            rows = [[float(value) for value in entry["embedding"]] for entry in entries]
        except urllib.error.HTTPError as error:
            said = " ".join(error.read(2000).decode("utf-8", "replace").split())[:200]
            raise AvoError(without_secrets(f"{self.name}: {url} answered {error.code}: {said}")) from error
        except (OSError, ValueError) as error:
            raise AvoError(without_secrets(f"{self.name}: {url}: {error}")) from error
        except (KeyError, TypeError) as error:
            raise AvoError(f"{self.name}: {url} answered no embeddings") from error
        if len(rows) != len(texts):
            raise AvoError(f"{self.name}: {url} answered {len(rows)} embeddings for {len(texts)} texts")
        return rows


class ChromaEmbedder(_Unlearned):
    """Chroma's own model (MiniLM), which Chroma downloads at first use."""

    name = "chroma:default"

    def __init__(self) -> None:
        self._function: Any = None

    def embed(self, texts: Sequence[str], terms: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np
        from chromadb.utils.embedding_functions import DefaultEmbeddingFunction

        self._function = self._function or DefaultEmbeddingFunction()
        try:
            return np.asarray(self._function([*texts]), np.float32)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise Missing(f"{self.name}: its model could not be loaded or downloaded: {reason}") from error
