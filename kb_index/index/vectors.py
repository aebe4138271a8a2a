"""The dense index: Chroma keeps each chunk's vector, text and metadata, and answers which are nearest, by a filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avo.types import AvoError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLLECTION = "passages"
BATCH = 1000
FARTHEST = 1.0
"""Cosine distance of passages that have nothing in common."""
HNSW: Any = {"space": "cosine", "ef_search": 200, "sync_threshold": BATCH}


class Vectors:
    """One Chroma collection in a folder; vectors are made elsewhere, so Chroma loads no model."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Raises AvoError when there is none that can be read."""
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
        self._client.close()  # type: ignore[attr-defined]

    def clear(self) -> None:
        """Forget every vector, and how long they were."""
        with _told(self._folder):
            self._client.delete_collection(COLLECTION)
            self._collection = self._new()

    def count(self) -> int:
        return int(self._collection.count())

    def add(
        self, numbers: Sequence[int], vectors: NDArray[np.float32], texts: Sequence[str],
        facts: Sequence[Mapping[str, Any]],
    ) -> None:  # fmt: skip
        """Store chunks: numbers, n x dimension, texts, and what a filter may ask for."""
        with _told(self._folder):
            for start in range(0, len(numbers), BATCH):
                part = slice(start, start + BATCH)
                self._collection.add(
                    ids=[*map(str, numbers[part])], embeddings=vectors[part], documents=[*texts[part]],
                    metadatas=[dict(entry) for entry in facts[part]],
                )  # fmt: skip

    def remove(self, numbers: Sequence[int]) -> None:
        with _told(self._folder):
            for start in range(0, len(numbers), BATCH):
                self._collection.delete(ids=[*map(str, numbers[start : start + BATCH])])

    def nearest(self, vectors: NDArray[np.float32], where: Mapping[str, Any] | None, limit: int) -> list[list[int]]:
        """For each vector the numbers of the nearest chunks, the best first; none without anything in common."""
        if not len(vectors):
            return []
        with _told(self._folder):
            # With a filter: cold 1.0 s, the import of chromadb included, warm 22 ms; no tricks with imports are needed.
            found: Any = self._collection.query(
                query_embeddings=vectors, n_results=limit, where=dict(where) if where else None, include=["distances"]
            )
        pairs = zip(found["ids"], found["distances"], strict=True)
        return [[int(at) for at, far in zip(*pair, strict=True) if far < FARTHEST] for pair in pairs]


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Chroma's errors as one line."""
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, ValueError, OSError) as error:
        text = " ".join(str(error).split())[:200]
        raise AvoError(f"{folder} cannot be used: {text} (avo kb build makes it again)") from error
