"""The journal: what was written stays written, in order, through reopening, migration and SIGKILL."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from avo.memory.journal.journal import AGENT, EXTERNAL, SCHEMA, Journal, migrate
from avo.types import AvoError, CaseScore, Clocks, Comparison, Missing, Status, Verdict

PASSED = Verdict(
    Status.PASSED, "", "GFLOP/s", (CaseScore("wide", 4.0, 0.2, 0.1, 1.1, 0.5, (0.1, 0.2)),),
    baselines={"torch": {"wide": 8.0}}, device="a core", compiler="cc", log="warning", cost={"total": 1.5},
)  # fmt: skip
WRITER = """
import sys
from pathlib import Path
from avo.memory.journal.journal import Journal
journal = Journal(Path(sys.argv[1]), create=True)
while True:
    print(journal.add_message(1, "worker", "text", "x" * 2000, "{}"), flush=True)
"""

OPENER = """
import sys
from pathlib import Path
from avo.memory.journal.journal import Journal
print("ready", flush=True)
sys.stdin.readline()
Journal(Path(sys.argv[1])).close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "avo.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path, create=True)
    yield opened
    opened.close()


def say(journal: Journal, *texts: str, agent: str = "worker") -> list[int]:
    return [journal.add_message(1, agent, "text", text, "{}") for text in texts]


def test_rows_of_every_kind_survive_a_reopening(journal: Journal, path: Path) -> None:
    say(journal, "hello")
    attempt = journal.add_attempt(1, "t1", "v0", "wider tiles", {"SUMS": "4"}, PASSED, "-a\n+b", 1.5)
    result = Comparison(1.1, 1.05, 1.15, 0.01, True, {"wide": 1.1}, 12)
    journal.add_comparison(1, "t1", "v0", result, accepted=True)
    journal.add_intervention(1, "stalled", {"directions": ["a", "b"]}, "v0")
    journal.add_note(1, "tiles of 64 spill")
    journal.spend(1, "worker", "model", prompt=10, completion=3)
    journal.spend(1, "worker", "model", prompt=5)
    journal.close()
    reopened = Journal(path)
    assert [message.text for message in reopened.messages()] == ["hello"]
    assert reopened.attempt(attempt.id) == attempt
    assert attempt.verdict == PASSED
    comparison = reopened.comparisons()[0]
    assert (comparison["accepted"], comparison["result"]["ratio"], comparison["result"]["improved"]) == (1, 1.1, True)
    assert reopened.interventions()[0].advice == {"directions": ["a", "b"]}
    assert [note["text"] for note in reopened.notes()] == ["tiles of 64 spill"]
    assert [(row["entries"], row["prompt_tokens"], row["completion_tokens"]) for row in reopened.spent()] == [
        (2, 15, 3)
    ]
    reopened.close()


def test_reading_a_run_that_is_not_there_makes_no_file(path: Path) -> None:
    with pytest.raises(Missing, match=r"no run in .*avo run scenario"):
        Journal(path)
    assert not path.exists()


def test_a_newer_schema_is_refused_in_one_line(journal: Journal, path: Path) -> None:
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={SCHEMA + 1}")
    with pytest.raises(AvoError, match=rf"schema {SCHEMA + 1}, this one knows {SCHEMA}\): update avo") as caught:
        Journal(path)
    assert "\n" not in str(caught.value)


def test_an_empty_database_is_brought_to_this_schema(path: Path) -> None:
    path.touch()
    journal = Journal(path)
    assert say(journal, "works") == [1]
    journal.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_messages_come_in_order(journal: Journal) -> None:
    say(journal, "a", "b", "c")
    say(journal, "other", agent="supervisor")
    say(journal, "d")
    assert [m.text for m in journal.messages()] == ["a", "b", "c", "other", "d"]
    assert [m.text for m in journal.messages("worker")] == ["a", "b", "c", "d"]
    assert [m.text for m in journal.messages("worker", last=2)] == ["c", "d"]
    assert journal.messages("nobody") == []
    assert journal.message(4).agent == "supervisor"
    with pytest.raises(AvoError, match="no message 6; there are 5"):
        journal.message(6)


def test_a_search_takes_percent_and_underscore_as_they_are(journal: Journal) -> None:
    say(journal, "gain of 5 %", "gain of 5 x", "KV_TILE", "KVxTILE", "back\\slash", "Upper")
    assert [m.text for m in journal.search("5 %")] == ["gain of 5 %"]
    assert [m.text for m in journal.search("kv_tile")] == ["KV_TILE"]
    assert [m.text for m in journal.search("k\\s")] == ["back\\slash"]
    assert [m.text for m in journal.search("uPPER")] == ["Upper"]
    assert [m.text for m in journal.search("gain", last=1)] == ["gain of 5 x"]


def test_a_tree_has_one_attempt(journal: Journal) -> None:
    for tree in ("t1", "t2", "t3"):
        journal.add_attempt(1, tree, "v0", "d", {}, PASSED, "", 0)
    found = journal.attempt_of("t2")
    assert found is not None
    assert found.id == 2
    assert journal.attempt_of("t9") is None
    assert [a.tree for a in journal.attempts(last=2)] == ["t2", "t3"]
    assert [a.tree for a in journal.attempts(since=1)] == ["t2", "t3"]
    with pytest.raises(sqlite3.IntegrityError):
        journal.add_attempt(1, "t1", "v0", "d", {}, PASSED, "", 0)


def test_progress_is_the_latest_version_or_advice_and_the_seed_is_no_attempt(journal: Journal) -> None:
    assert journal.progress()[:2] == (0, 0)
    first = journal.add_attempt(1, "t1", "v0", "d", {}, PASSED, "", 0)
    assert journal.progress()[:2] == (1, 0)
    journal.add_revisit(1, first.id)
    journal.add_attempt(1, "t2", "v0", "d", {}, PASSED, "", 0)
    journal.add_comparison(1, "t2", "v0", Comparison(0.9, 0.9, 0.9, 0.01, False, {}, 12), accepted=False)
    assert journal.progress()[:2] == (1, 0)
    journal.add_comparison(1, "t2", "v0", Comparison(1.1, 1.1, 1.1, 0.01, True, {}, 12), accepted=True)
    assert journal.progress()[:2] == (2, 1)


def test_an_interrupted_step_is_resumed(journal: Journal, path: Path) -> None:
    assert journal.open_step("v0") == (1, False)
    journal.close()
    reopened = Journal(path)
    assert reopened.open_step("v0") == (1, True)
    reopened.close_step(1, "gave_up", "nothing found")
    assert reopened.open_step("v0") == (2, False)
    assert [step["outcome"] for step in reopened.steps()] == ["gave_up", None]
    reopened.close()


def test_a_step_killed_after_its_commit_is_closed_as_committed(journal: Journal) -> None:
    journal.open_step("v0")
    journal.add_comparison(1, "t1", "v0", Comparison(1.1, 1.1, 1.1, 0.01, True, {}, 12), accepted=True)
    assert journal.open_step("v1") == (2, False)
    first, second = journal.steps()
    assert first["outcome"] == "committed"
    assert first["summary"].startswith("v1 ")
    assert second["ended"] is None


def test_an_agents_interrupted_step_stays_open_beside_an_external_one(journal: Journal) -> None:
    assert journal.open_step("v0") == (1, False)
    assert journal.open_step("v0", EXTERNAL) == (2, False)
    assert journal.open_step("v0", EXTERNAL) == (2, True)
    assert journal.open_step("v0") == (1, True)
    agents, external = journal.steps()
    assert (agents["operator"], agents["ended"]) == (AGENT, None)
    assert (external["operator"], external["outcome"]) == (EXTERNAL, "interrupted")


def test_a_version_of_another_operators_is_not_counted_for_the_step_that_was_interrupted(journal: Journal) -> None:
    journal.open_step("v0")
    step, _ = journal.open_step("v0", EXTERNAL)
    journal.add_comparison(step, "t1", "v0", Comparison(1.1, 1.1, 1.1, 0.01, True, {}, 12), accepted=True)
    assert journal.open_step("v1") == (3, False)
    assert [row["outcome"] for row in journal.steps()] == ["interrupted", "committed", None]


def test_what_an_external_operator_spent_is_not_the_workers(journal: Journal) -> None:
    journal.spend(0, "worker", "evaluation", seconds=1)
    journal.spend(journal.open_step("v0")[0], "worker", "evaluation", seconds=2)
    journal.spend(journal.open_step("v0", EXTERNAL)[0], "worker", "evaluation", seconds=4)
    assert {row["agent"]: row["seconds"] for row in journal.spent()} == {"worker": 3, EXTERNAL: 4}


def test_an_older_journal_is_read_without_being_changed(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        migrate(db, 0, 1)
        db.execute("INSERT INTO steps (parent, started) VALUES ('v0', 'then')")
    db.close()
    reading = Journal(path, reading=True)
    assert [step["operator"] for step in reading.steps()] == [AGENT]
    assert reading.spent() == []
    reading.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    journal = Journal(path)
    assert journal.open_step("v0") == (1, True)
    journal.close()


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_processes_that_open_an_older_journal_at_once_all_succeed(path: Path, mode: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA journal_mode={mode}")
        migrate(db, 0, 3)
        db.execute("INSERT INTO steps (parent, started) VALUES ('v0', 'then')")
    db.close()
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(8)
    ]  # fmt: skip
    assert all(opener.stdout and opener.stdout.readline() == "ready\n" for opener in openers)
    for opener in openers:
        assert opener.stdin
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate()[1] for opener in openers] == [""] * 8
    assert [opener.returncode for opener in openers] == [0] * 8


def test_a_migration_that_fails_leaves_the_journal_as_it_was(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, 0, 3)
    db.execute("CREATE TABLE plan (id)")  # in the way of the fourth
    tables = db.execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(db, 3)
    assert not db.in_transaction
    assert db.execute("PRAGMA user_version").fetchone() == (3,)
    assert db.execute("SELECT sql FROM sqlite_master").fetchall() == tables
    db.close()


def test_a_full_disk_and_a_lock_are_the_machines_fault_and_what_was_written_stays(journal: Journal, path: Path) -> None:
    say(journal, "before")
    journal.write(f"PRAGMA max_page_count={journal.value('PRAGMA page_count')}")
    with pytest.raises(Missing, match="full"), journal.together():
        say(journal, "x" * 1_000_000)
    journal.write("PRAGMA max_page_count=1000000")
    journal.write("PRAGMA busy_timeout=0")
    other = Journal(path)
    with other.together(), pytest.raises(Missing, match="locked"):
        say(journal, "meanwhile")
    other.close()
    assert [message.text for message in journal.messages()] == ["before"]


def tried(journal: Journal, tree: str, verdict: Verdict = PASSED) -> int:
    return journal.add_attempt(1, tree, "v0", "wider", {}, verdict, "", 1.0).id


def test_a_forgotten_attempt_stays_as_history_and_its_tree_can_be_scored_again(journal: Journal) -> None:
    lost, kept = tried(journal, "t1", Verdict(Status.COMPILE_ERROR, "no compiler", "GFLOP/s")), tried(journal, "t2")
    journal.forget("t1", "by hand")
    assert journal.attempt_of("t1") is None
    assert (journal.count("attempts"), journal.tried()) == (2, 1)
    assert [attempt.id for attempt in journal.attempts()] == [kept]
    assert [attempt.id for attempt in journal.attempts(forgotten=True)] == [lost, kept]
    assert journal.attempt(lost).why_forgotten == "by hand"
    again = tried(journal, "t1")
    found = journal.attempt_of("t1")
    assert found is not None
    assert (found.id, found.forgotten) == (again, None)
    assert journal.best_attempt() == kept


def test_only_what_was_rejected_is_forgotten_on_demand(journal: Journal) -> None:
    tried(journal, "t1")
    journal.forget("t1", "it is tried again", rejected=True)
    assert journal.attempt_of("t1") is not None


def test_attempts_of_an_older_journal_are_kept(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, 0, 5)
    columns = "step, tree, parent, direction, knobs, status, reason, score, unit, verdict, diff, seconds, at"
    row = (1, "t", "v0", "d", "{}", "PASSED", "", 4.0, "GFLOP/s", json.dumps(PASSED.as_dict()), "", 1.0, "then")
    db.execute(f"INSERT INTO attempts (id, {columns}) VALUES (7, {', '.join('?' * 13)})", row)
    db.close()
    journal = Journal(path)
    found = journal.attempt_of("t")
    assert found is not None
    assert (found.id, found.verdict, found.forgotten) == (7, PASSED, None)
    journal.close()


def test_a_comparison_with_its_samples_and_clocks_is_kept(journal: Journal) -> None:
    clocks = {"wide": (Clocks(1980, 690.5, 61, "power cap"),)}
    result = Comparison(1.1, 1.1, 1.1, 0.01, True, {"wide": 1.1}, 1, {"wide": ((2.0, 1.0, 1.0, 2.0),)}, clocks)
    journal.add_comparison(1, "t1", "v0", result, accepted=True)
    kept = journal.comparisons()[0]["result"]
    assert kept["samples_ms"] == {"wide": [[2.0, 1.0, 1.0, 2.0]]}
    assert kept["clocks"]["wide"][0]["sm_mhz"] == 1980


def test_a_copy_of_a_journal_is_whole_while_it_is_written(journal: Journal, path: Path) -> None:
    say(journal, "a", "b")
    reading = Journal(path, reading=True)
    reading.copy_to(path.with_name("copy.db"))
    say(journal, "c")
    copy = Journal(path.with_name("copy.db"))
    assert [message.text for message in copy.messages()] == ["a", "b"]
    assert journal.beyond(path.with_name("copy.db")) == "messages"
    assert copy.beyond(path) == ""
    copy.take(path)
    assert [message.text for message in copy.messages()] == ["a", "b", "c"]
    copy.close()


def test_the_effect_goes_to_the_latest_intervention_and_only_once(journal: Journal) -> None:
    for version in ("v0", "v0"):
        journal.add_intervention(1, "stalled", {}, version)
    journal.record_effect("v1")
    journal.record_effect("v2")
    assert [entry.effect for entry in journal.interventions()] == [None, "v1"]


def test_elapsed_adds_up_over_sessions(journal: Journal, path: Path) -> None:
    journal.begin_session()
    say(journal, "seen")
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE sessions SET started = 1000.0, last_seen = 1060.0")
    reopened = Journal(path)
    assert reopened.elapsed() == 60.0
    reopened.begin_session()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE sessions SET started = started - 30 WHERE id = 2")
    assert 90.0 <= reopened.elapsed() < 150.0
    reopened.close()


def test_a_writer_killed_in_its_midst_leaves_every_acknowledged_row(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        acknowledged = [int(writer.stdout.readline()) for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    journal = Journal(path)
    found = journal.messages()
    assert set(acknowledged) <= {message.id for message in found}
    assert all(message.text == "x" * 2000 for message in found)
    assert say(journal, "and on") == [len(found) + 1]
    journal.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_latest_summary_of_each_agent_is_the_one_that_counts(journal: Journal) -> None:
    assert journal.summary("worker") is None
    journal.add_summary(1, "worker", 10, "first", "", "digest")
    journal.add_summary(1, "supervisor", 3, "another's", "", "digest")
    journal.add_summary(2, "worker", 20, "second", "the plan", "model")
    found = journal.summary("worker")
    assert found is not None
    assert (found.step, found.upto, found.text, found.pinned, found.writer) == (2, 20, "second", "the plan", "model")


def test_messages_after_a_number_are_read(journal: Journal) -> None:
    say(journal, "a", "b", "c")
    say(journal, "other", agent="supervisor")
    say(journal, "d", "e")
    assert [m.text for m in journal.messages("worker", after=2)] == ["c", "d", "e"]
    assert [m.text for m in journal.messages("worker", 2, after=1)] == ["d", "e"]


def test_a_direction_changes_its_state_and_keeps_its_text(journal: Journal, path: Path) -> None:
    number = journal.add_direction(1, "swap the loops", "open", "fewer misses")
    journal.change_direction(number, "tried", "twice as slow")
    with pytest.raises(AvoError, match="no direction 9; it has 1"):
        journal.change_direction(9, "tried", "")
    (kept,) = journal.plan()
    assert (kept.id, kept.step, kept.text, kept.state, kept.why) == (1, 1, "swap the loops", "tried", "twice as slow")


def test_plan_and_summaries_go_along_when_a_run_moves(journal: Journal, path: Path) -> None:
    journal.add_direction(1, "swap the loops", "open", "")
    journal.add_summary(1, "worker", 10, "first", "", "digest")
    journal.copy_to(path.with_name("copy.db"))
    copy = Journal(path.with_name("copy.db"))
    assert [direction.text for direction in copy.plan()] == ["swap the loops"]
    copy.change_direction(1, "tried", "slower")
    assert journal.beyond(path.with_name("copy.db")) == ""
    journal.add_summary(1, "worker", 11, "second", "", "digest")
    assert journal.beyond(path.with_name("copy.db")) == "summaries"
    copy.take(path)
    journal.add_direction(1, "16 sums", "open", "")
    assert journal.beyond(path.with_name("copy.db")) == "plan"
    assert (journal.count("plan"), journal.count("summaries")) == (2, 2)
    copy.close()


def test_a_match_is_a_version_but_no_progress(journal: Journal) -> None:
    for name in ("t1", "t2"):
        journal.add_attempt(1, name, "v0", "d", {}, PASSED, "", 0)
    journal.add_comparison(1, "t1", "v0", Comparison(1.002, 0.99, 1.01, 0.01, False, {}, 12), accepted=True)
    assert journal.progress()[:2] == (1, 0)
    assert [kept[:2] for kept in journal.kept(9, "")] == [(1.002, 0.01)]
    assert journal.best_attempt() == 1
    journal.add_comparison(1, "t2", "v0", Comparison(1.1, 1.09, 1.11, 0.01, True, {}, 12), accepted=True)
    assert journal.progress()[:2] == (2, 0)
    assert journal.best_attempt() == 2


def test_what_came_of_advice_counts_up_to_the_next(journal: Journal) -> None:
    for number in range(3):
        journal.add_intervention(1, f"trigger {number}", {}, "v0")
        for name in range(number):
            journal.add_attempt(1, f"t{number}-{name}", "v0", "d", {}, PASSED, "", 0)
    journal.record_effect("v1")
    assert [(entry.attempts, entry.outcome) for entry in journal.interventions()] == [
        (0, "0 evaluations, no version"),
        (1, "1 evaluation, no version"),
        (2, "v1 followed"),
    ]
    assert [entry.trigger for entry in journal.interventions(last=1)] == ["trigger 2"]
    assert journal.interventions(last=1)[0].attempts == 2


def test_a_clock_that_is_set_meanwhile_does_not_count(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.begin_session()
    later = time.time() + 8 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert journal.elapsed() < 60
