"""Steering: what people say waits for the worker, in order, and a pause holds until it is ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from avo.memory.journal.journal import Journal
from avo.memory.journal.steering import LONGEST, RECALLED, go_on, mark_seen, pause, paused, recalled, steer, unseen
from avo.types import AvoError


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "avo.db", create=True)) as opened:
        yield opened


def test_texts_of_another_process_wait_in_order_until_they_were_seen(journal: Journal, tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "avo.db")) as other:
        assert [steer(other, text) for text in ("first", " second\n")] == [1, 2]
    waiting = unseen(journal)
    assert [(entry.id, entry.text, entry.seen_at) for entry in waiting] == [(1, "first", None), (2, "second", None)]
    assert recalled(journal) == []
    mark_seen(journal, waiting[:1])
    assert [entry.text for entry in unseen(journal)] == ["second"]
    assert [entry.text for entry in recalled(journal)] == ["first"]


def test_only_the_latest_are_recalled(journal: Journal) -> None:
    for number in range(RECALLED + 2):
        steer(journal, str(number))
    mark_seen(journal, unseen(journal))
    assert [entry.text for entry in recalled(journal)] == [str(number) for number in range(2, RECALLED + 2)]


@pytest.mark.parametrize(("text", "problem"), [("", "nothing to tell"), (" \n", "nothing"), ("x" * 4001, "4001 char")])
def test_what_is_no_text_is_refused(journal: Journal, text: str, problem: str) -> None:
    with pytest.raises(AvoError, match=problem):
        steer(journal, text)
    assert unseen(journal) == []


def test_the_longest_text_and_one_that_is_no_unicode_are_kept(journal: Journal) -> None:
    steer(journal, "x" * LONGEST)
    steer(journal, "odd \udcff end")
    assert [len(entry.text) for entry in unseen(journal)] == [LONGEST, len("odd ? end")]


def test_a_pause_is_one_however_often_it_is_asked_for(journal: Journal, tmp_path: Path) -> None:
    assert paused(journal) == ""
    assert [pause(journal), pause(journal)] == [True, False]
    with closing(Journal(tmp_path / "avo.db")) as other:
        assert paused(other) == paused(journal) != ""
        assert [go_on(other), go_on(other)] == [True, False]
    assert paused(journal) == ""
    assert pause(journal)
