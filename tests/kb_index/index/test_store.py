"""The store: what was put is there, what only moved keeps its vector, and bad stores are one line."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.index.chunk import Chunk, Document, Parsed
from avo.kb_index.index.store import DATABASE, REFIT, Store
from avo.kb_index.search import search
from avo.types import AvoError, Missing

TWO = "def first(a):\n    # waits on a barrier\ndef second(b):\n    # copies a tile\n"


@pytest.fixture
def own(tmp_path: Path, knowledge_base: Path) -> Path:
    """A copy of the knowledge base that a test may write to."""
    return Path(shutil.copytree(knowledge_base / "store-1", tmp_path / "own"))


def rows(store: Store) -> dict[str, int]:
    """Chunk -> number."""
    return {row["name"]: row["id"] for row in store.rows("SELECT id, name FROM chunks")}


def test_documents_and_sources_are_known(store: Store) -> None:
    assert ("kernels", "hopper/barrier.py") in store.documents()
    assert store.counts("lessons") == (2, 3)
    assert store.sources()["lessons"]["licence"] == "Apache-2.0"


def test_chroma_holds_every_chunk(store: Store) -> None:
    assert store.vectors.numbers() == {*rows(store).values()}
    assert len(rows(store)) == 9


def test_equal_chunks_of_one_document_have_names_of_their_own(own: Path) -> None:
    chunks = tuple(Chunk(1, 2, "same", "the same text", "doc") for _ in range(3))
    with Store.open(own, writing=True) as store:
        for _ in range(2):
            store.put(Document("a", "x.md", b"x", "markdown"), Parsed("the\nsame\n", chunks))
            store.finish()
            assert sorted(name for name in rows(store) if name.startswith("a:")) == [
                "a:x.md#L1-2", "a:x.md#L1-2~2", "a:x.md#L1-2~3",
            ]  # fmt: skip
        assert len(store.vectors.numbers()) == 12


def test_a_removed_document_is_gone_from_both_indexes(own: Path) -> None:
    with Store.open(own, writing=True) as store:
        store.remove("kernels", "hopper/barrier.py")
        store.finish()
    with Store.open(own) as store:
        assert ("kernels", "hopper/barrier.py") not in store.documents()
        assert len(store.vectors.numbers()) == 7
        assert all("barrier.py" not in hit.path for hit in search(store, "wait_for_copy mbarrier try_wait parity"))


def test_what_was_not_finished_is_forgotten(own: Path, cut: Any) -> None:
    with Store.open(own, writing=True) as store:
        store.put(*cut("kernels:new.py", TWO))
    with Store.open(own) as store:
        assert ("kernels", "new.py") not in store.documents()


def test_a_few_new_chunks_are_projected_and_many_make_it_learn_anew(own: Path, cut: Any) -> None:
    learned = (own / "lsa.npz").read_bytes()
    with Store.open(own, writing=True) as store:
        store.put(*cut("kernels:one.py", "def one(a):\n    # a tile of the table\n"))
        store.finish()
        assert (own / "lsa.npz").read_bytes() == learned
        many = int(10 * REFIT) + 1
        store.put(*cut("kernels:many.py", "".join(f"def f{at}(a):\n    # unseen{at}\n" for at in range(many))))
        store.finish()
        assert (own / "lsa.npz").read_bytes() != learned
        assert len(store.vectors.numbers()) == 10 + many


def test_no_store_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no knowledge base yet: avo kb build"):
        Store.open(tmp_path)


def test_an_index_made_by_other_tables_or_rules_for_terms_is_refused(own: Path) -> None:
    db = sqlite3.connect(own / DATABASE)
    db.execute("UPDATE facts SET value='other' WHERE key='rules'")
    db.commit()
    db.close()
    with pytest.raises(AvoError, match="built by another avo: avo kb build"):
        Store.open(own)


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 40, b""])
def test_a_damaged_database_is_one_line(own: Path, content: bytes) -> None:
    (own / DATABASE).write_bytes(content)
    with pytest.raises(AvoError, match="damaged"):
        Store.open(own)


@pytest.mark.parametrize("broken", ["chroma", "lsa.npz"])
def test_a_missing_half_is_one_line(own: Path, broken: str) -> None:
    part = own / broken
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    with Store.open(own) as store, pytest.raises(AvoError, match="avo kb build"):
        search(store, "barrier")


def test_an_opened_store_cannot_be_written(own: Path) -> None:
    with Store.open(own) as store, pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.record("kernels", {})
