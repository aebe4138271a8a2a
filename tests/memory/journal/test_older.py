"""What older versions kept in words is read once, when their journal is brought to this schema."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from avo.memory.journal.journal import Journal, migrate
from avo.memory.journal.rows import Message
from avo.tools.payloads import Begun, Interrupted, Rejection, Tree, payloads_of

BEFORE = 6
TASK = "Make it fast.\nTarget: 2 TFLOPS.\nTarget: any GPU.\n\n# Notes of the author\nBe right."
BRIEF = f"# Step 3 (resumed): it was interrupted\n{TASK}\nTarget: cpu.\n\n# Versions so far\nv0 1 GFLOP/s x1.000  Seed"
BROUGHT = {
    "spec": "runs/x@best", "run": "x", "scenario": "other", "version": "v3", "commit": "0" * 40, "score": 12.5,
    "unit": "GFLOP/s", "abi": "", "task": "", "files": {"a.cpp": base64.b64encode(b"int a;\xff").decode()},
}  # fmt: skip


def answered(call: str) -> str:
    return json.dumps({"content": [{"content": "", "name": "x", "call_id": call, "is_error": True}], "type": "x"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "avo.db", isolation_level=None)) as db:
        migrate(db, 0, BEFORE)
    return tmp_path / "avo.db"


def kept(path: Path, *rows: tuple[str, str, str | None, str, str]) -> list[Message]:
    """The messages as an older avo wrote them (agent, kind, tool, text, payload), read by this one."""
    columns = "step, at, agent, kind, tool, text, payload"
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(f"INSERT INTO messages ({columns}) VALUES (3, 'then', ?, ?, ?, ?, ?)", rows)
    with closing(Journal(path)) as journal:
        return journal.messages()


def told(path: Path, *row: Any) -> Any:
    (message,) = kept(path, row)
    return payloads_of(message)


def test_a_brief_keeps_the_task_with_lines_that_begin_like_a_briefs(path: Path) -> None:
    assert told(path, "worker", "task", None, BRIEF, "{}") == {"task": Begun(3, True, 0, TASK)}


def test_a_call_that_was_interrupted_is_known_as_such(path: Path) -> None:
    text = "[interrupted: the run was stopped during this call; whether it had an effect is not known]"
    assert told(path, "worker", "result", "sweep", text, answered("c7")) == {"c7": Interrupted()}


def test_a_build_that_failed_keeps_its_reason(path: Path) -> None:
    text = "build: COMPILE_ERROR: a.cpp:3: error: x\nlog"
    failed = Rejection("COMPILE_ERROR", "a.cpp:3: error: x")
    assert told(path, "external", "result", "build", text, '{"call": 4}') == {"4": failed}


@pytest.mark.parametrize(
    ("text", "version"),
    [("the work tree is v2 now", "v2"), ("the work tree is what was brought in now: v3 of x (other)", "seed-from")],
)
def test_a_checkout_keeps_what_it_took(path: Path, text: str, version: str) -> None:
    assert told(path, "worker", "result", "checkout", text, answered("c1")) == {"c1": Tree((), version=version)}


@pytest.mark.parametrize("payload", ["", "[]", "{}", "not JSON", '{"content": [3]}', "[" * 100_000])
def test_an_answer_whose_payload_says_nothing_is_left_alone(path: Path, payload: str) -> None:
    assert told(path, "worker", "result", "build", "build: COMPILE_ERROR: x", payload) == {}


def test_other_words_are_left_alone(path: Path) -> None:
    rows = [("worker", kind, "build", "compiled in 0.3 s", answered("c1")) for kind in ("text", "call", "result")]
    assert [message.data for message in kept(path, *rows)] == [None] * 3


def test_what_was_brought_in_moves_into_its_table_byte_for_byte(path: Path) -> None:
    (message,) = kept(path, ("avo", "seed-from", None, "brought in: v3 of x", json.dumps(BROUGHT)))
    assert (message.text, message.payload) == ("brought in: v3 of x", "")
    with closing(Journal(path)) as journal:
        came = journal.brought()
    assert came
    assert came.files == {"a.cpp": b"int a;\xff"}
    assert (came.origin, came.score) == (f"x other, v3, {'0' * 40}", 12.5)


@pytest.mark.parametrize("change", [{"files": 3}, {"files": {"a.cpp": "%%"}}, {"score": "much"}, {}])
def test_a_damaged_record_leaves_one_without_files(path: Path, change: dict[str, Any]) -> None:
    kept(path, ("avo", "seed-from", None, "brought in", json.dumps(BROUGHT | change) if change else "[]"))
    with closing(Journal(path)) as journal:
        came = journal.brought()
    assert came
    assert came.files == {}
