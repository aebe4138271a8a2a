"""The lexical index: what stands in a title outweighs the text, and filters hold."""

from __future__ import annotations

import sqlite3

import pytest

from avo.kb_index.index import lexical
from avo.kb_index.index.tokens import query_terms


@pytest.fixture
def db() -> sqlite3.Connection:
    """Four chunks."""
    made = sqlite3.connect(":memory:")
    made.executescript(lexical.SCHEMA)
    chunks = [
        ("other", "", "x.py", "it calls fence once, and then does this and that with the rest"),
        ("fence", "", "y.py", "what orders memory accesses of one thread before those of others"),
        ("copy", "cp_async", "z.py", "moves a tile"),
        ("more", "", "fence.py", "a file about something else"),
    ]
    for number, chunk in enumerate(chunks, 1):
        lexical.add(made, number, *chunk)
    return made


def found(db: sqlite3.Connection, question: str, among: list[int] | None = None, columns: str = "") -> list[int]:
    return lexical.nearest(db, query_terms(question), among, 10, columns or lexical.NAMES_AND_TEXT)


def test_a_title_outweighs_a_path_and_a_path_the_text(db: sqlite3.Connection) -> None:
    assert found(db, "fence") == [2, 4, 1]


def test_any_word_of_a_question_is_enough(db: sqlite3.Connection) -> None:
    assert set(found(db, "how are tiles moved behind a fence")) == {1, 2, 3, 4}


def test_names_alone_leave_the_text_out(db: sqlite3.Connection) -> None:
    assert found(db, "fence", columns=lexical.NAMES) == [2, 4]


def test_a_filter_limits(db: sqlite3.Connection) -> None:
    assert found(db, "fence", [2, 3, 4]) == [2, 4]
    assert found(db, "fence", []) == []


@pytest.mark.parametrize("question", ["", "the of", 'NOT "a" OR (b', "unheard-of word*", "NEAR(", "title:zzz", "\0"])
def test_no_question_is_a_syntax_error(db: sqlite3.Connection, question: str) -> None:
    assert found(db, question) == []


def test_the_terms_of_a_chunk_can_be_had_again(db: sqlite3.Connection) -> None:
    [text] = lexical.terms_of(db, [3])
    assert {"copi", "cp_async", "z_py", "tile"} <= set(text.split())
