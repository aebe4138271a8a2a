"""The ledger: what was spent, summed without reading it all again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import IntegrityError

import pytest

from avo.memory.journal.journal import Journal
from avo.memory.journal.ledger import LATELY


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "avo.db", create=True)) as opened:
        yield opened


def call(journal: Journal, usd: float | None, step: int = 1, agent: str = "worker") -> None:
    journal.spend(step, agent, "model", 100, 10, 2.0, cached=60, model="m", usd=usd)


def test_totals_by_agent_and_kind_with_what_has_no_price_counted(journal: Journal) -> None:
    call(journal, 0.25)
    call(journal, 0.5)
    call(journal, None)
    call(journal, None, agent="supervisor")
    journal.spend(1, "worker", "evaluation", seconds=4, device=3)
    totals = {(row["agent"], row["kind"]): row for row in journal.spent()}
    worker = totals["worker", "model"]
    assert (worker["entries"], worker["usd"], worker["unpriced"]) == (3, 0.75, 1)
    assert (worker["prompt_tokens"], worker["cached_tokens"], worker["completion_tokens"]) == (300, 180, 30)
    assert (totals["supervisor", "model"]["usd"], totals["supervisor", "model"]["unpriced"]) == (None, 1)
    evaluation = totals["worker", "evaluation"]
    assert (evaluation["seconds"], evaluation["device_seconds"], evaluation["unpriced"]) == (4, 3, 0)


def test_the_sum_of_usd_keeps_up_with_what_others_write(journal: Journal, tmp_path: Path) -> None:
    assert journal.usd() == 0
    call(journal, 0.25)
    assert journal.usd() == 0.25
    with closing(Journal(tmp_path / "avo.db")) as other:
        call(other, 0.5)
        call(other, None)
        assert other.usd() == 0.75
    assert [journal.usd(), journal.usd()] == [0.75, 0.75]


def test_the_next_call_is_expected_to_cost_what_the_dearest_of_the_last_did(journal: Journal) -> None:
    assert journal.next_call() == 0
    call(journal, 3.0)
    for _ in range(LATELY):
        journal.spend(1, "worker", "evaluation", seconds=1)
    assert journal.next_call() == 3.0
    for usd in [None, 0.5] + [0.25] * (LATELY - 2):
        call(journal, usd)
    assert journal.next_call() == 0.5


def test_means_leave_the_seed_out_and_count_the_steps_that_a_model_worked_in(journal: Journal) -> None:
    journal.spend(0, "worker", "evaluation", seconds=100)
    for step in (1, 1, 1, 2):
        call(journal, 0.5, step)
    journal.spend(1, "worker", "evaluation", seconds=3)
    journal.spend(2, "worker", "evaluation", seconds=5)
    means = journal.means()
    assert (means.calls, means.calls_a_step, means.evaluations_a_step) == (4, 2, 1)
    assert (means.prompt, means.cached, means.completion) == (100, 60, 10)
    assert (means.seconds_a_call, means.seconds_an_evaluation) == (2, 4)


def lost_and_refused(journal: Journal) -> None:
    journal.add_note(1, "lost")
    journal.insert("notes", id=1, step=1, text="there is one of this number", at="")


def test_what_is_written_together_is_kept_as_a_whole_or_not_at_all(journal: Journal, tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "avo.db", reading=True)) as other:
        with journal.together():
            call(journal, 1.0)
            assert other.spent() == []
            journal.add_note(1, "kept")
        assert (len(other.spent()), len(other.notes())) == (1, 1)
        with pytest.raises(IntegrityError), journal.together():
            lost_and_refused(journal)
    assert [note["text"] for note in journal.notes()] == ["kept"]


def test_steps_that_an_error_ended_and_those_of_others_are_no_finished_steps(journal: Journal) -> None:
    for outcome, operator in (("gave_up", "agent"), ("error", "agent"), ("committed", "external")):
        journal.close_step(journal.open_step("v0", operator)[0], outcome, "")
    journal.open_step("v0")
    assert journal.finished_steps() == 1
