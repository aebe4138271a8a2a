"""The dense index: Chroma stores each chunk's vector, and finds the nearest ones among all or some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avo.types import AvoError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLLECTION = "passages"
BATCH = 1000
"""Number of vectors added or deleted per request."""
FARTHEST = 1.0
"""Cosine distance of unrelated passages."""
HNSW: Any = {"space": "cosine", "ef_search": 200, "sync_threshold": BATCH}
"""Chroma's settings of the HNSW index."""


class Vectors:
    """A Chroma collection in a folder; vectors are computed elsewhere, so Chroma loads no model."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Open or create the collection. Raises AvoError if it cannot be read."""
        import chromadb
        from chromadb.config import Settings

        settings = Settings(anonymized_telemetry=False)
        with _told(folder):
            self._client = chromadb.PersistentClient(str(folder), settings)
            self._collection = self._new() if create else self._client.get_collection(COLLECTION, None)
        self._folder = folder

    def _new(self) -> Any:
        return self._client.create_collection(COLLECTION, embedding_function=None, configuration={"hnsw": HNSW})

    def close(self) -> None:
        """Close the database."""
        self._client.close()  # type: ignore[attr-defined]

    def clear(self) -> None:
        """Delete all vectors, so that new ones may have another dimension."""
        with _told(self._folder):
            self._client.delete_collection(COLLECTION)
            self._collection = self._new()

    def numbers(self) -> set[int]:
        """Return the numbers of the chunks that it holds."""
        with _told(self._folder):
            return {int(number) for number in self._collection.get(include=[])["ids"]}

    def add(self, numbers: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Store the vectors [n, dimension] (fp32) of chunks. Raises AvoError."""
        with _told(self._folder):
            for start in range(0, len(numbers), BATCH):
                part = slice(start, start + BATCH)
                self._collection.add(ids=[*map(str, numbers[part])], embeddings=vectors[part])

    def remove(self, numbers: Iterable[int]) -> None:
        """Delete chunks by number. Raises AvoError."""
        ids = [*map(str, numbers)]
        with _told(self._folder):
            for start in range(0, len(ids), BATCH):
                self._collection.delete(ids=ids[start : start + BATCH])

    def nearest(self, vectors: NDArray[np.float32], among: Sequence[int] | None, limit: int) -> list[list[int]]:
        """Return for each vector of [n, dimension] the numbers of the nearest chunks, best first; no unrelated ones.

        among: the chunks to look at; None for all.
        """
        if not len(vectors) or among == []:
            return []
        ids = None if among is None else [*map(str, among)]
        with _told(self._folder):
            # by ids 9 ms, where a condition on metadata took 40
            found: Any = self._collection.query(
                query_embeddings=vectors, ids=ids, n_results=limit, include=["distances"]
            )
        pairs = zip(found["ids"], found["distances"], strict=True)
        return [[int(at) for at, far in zip(*pair, strict=True) if far < FARTHEST] for pair in pairs]


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Raise Chroma's errors as AvoError with one line."""
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, ValueError, OSError) as error:
        text = " ".join(str(error).split())[:200]
        raise AvoError(f"{folder} cannot be used: {text} (avo kb build makes it again)") from error
