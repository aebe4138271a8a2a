"""The journal: everything that was said, tried and spent in a run, in one SQLite file (WAL)."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from avo.memory.rows import Attempt, Intervention, Message, attempt_from, intervention_from
from avo.types import AvoError, Comparison, Missing, Verdict

__all__ = ["AGENT", "COUNTED", "EXTERNAL", "SCHEMA", "Attempt", "Intervention", "Journal", "Message"]

MIGRATIONS = sorted((Path(__file__).parent / "migrations").glob("*.sql"))
SCHEMA = len(MIGRATIONS)
AGENT, EXTERNAL = "agent", "external"
"""Operators of a step: avo's own agents, or whoever types `avo eval --run` and `avo commit`."""

COUNTED = ("steps", "messages", "attempts", "revisits", "comparisons", "interventions", "notes", "consulted")
LASTING = {
    "steps": "id, parent, started", "interventions": "id, step, trigger, advice", "sessions": "id, started",
    "consulted": "id, step, chunk, query, at",
    **dict.fromkeys(("messages", "attempts", "revisits", "comparisons", "notes", "ledger"), "*"),
}  # fmt: skip
"""Table -> columns that never change once they are written."""


class Journal:
    """Opens the file, brings it to this schema, and writes each row in a transaction of its own."""

    def __init__(self, path: Path, *, create: bool = False, reading: bool = False) -> None:
        """Raises Missing when there is none and `create` is not asked for. `reading`: nothing is written, ever."""
        if not create and not path.is_file():
            raise Missing(
                f"no run in {path.parent} (there is no {path.name}); start one: avo run scenario NAME --run DIR"
            )
        self._db = _to_read(path) if reading else sqlite3.connect(path, isolation_level=None, timeout=30)
        self._db.row_factory = sqlite3.Row
        self._session = 0
        if not reading:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
        known = self._db.execute("PRAGMA user_version").fetchone()[0]
        if known > SCHEMA:
            raise AvoError(f"{path} was written by a newer avo (schema {known}, this one knows {SCHEMA}): update avo")
        if reading and known < SCHEMA:  # an older one is read through a copy, which can be brought to this schema
            self._db = _copied(self._db)
        migrate(self._db, known)

    def close(self) -> None:
        self._db.close()

    # ---- time and steps ------------------------------------------------------------------------

    def begin_session(self) -> None:
        """From here on, time counts towards `elapsed`."""
        now = time.time()
        self._session = self._insert("sessions", started=now, last_seen=now)

    def elapsed(self) -> float:
        """Seconds that all sessions of this run lasted, as far as they are known to have."""
        self._seen()
        return float(self._value("SELECT COALESCE(SUM(last_seen - started), 0) FROM sessions"))

    def open_step(self, parent: str, operator: str = AGENT) -> tuple[int, bool]:
        """Begin a step, or go on with the operator's own that was interrupted: its number, and whether it is resumed.

        A step whose parent is no longer the best version is over: it was killed after its commit, or another
        operator committed meanwhile. An agent's step from the best version stays open beside an external one.
        """
        resumed = 0
        for row in self._rows("SELECT id, parent, operator FROM steps WHERE ended IS NULL"):
            if row["parent"] == parent and row["operator"] == operator:
                resumed = int(row["id"])
            elif row["parent"] != parent and self._committed_last() in (None, row["id"]):
                self.close_step(row["id"], "committed", f"{parent} (the run was killed right after the commit)")
            elif row["parent"] != parent or row["operator"] != AGENT:
                self.close_step(row["id"], "interrupted", "another operator went on")
        if resumed:
            return resumed, True
        return self._insert("steps", parent=parent, operator=operator, started=_now()), False

    def _committed_last(self) -> int | None:
        """The step of the latest version beyond the seed."""
        rows = self._rows("SELECT step FROM comparisons WHERE accepted ORDER BY id DESC LIMIT 1")
        return int(rows[0]["step"]) if rows else None

    def close_step(self, step: int, outcome: str, summary: str) -> None:
        self._write("UPDATE steps SET ended=?, outcome=?, summary=? WHERE id=?", _now(), outcome, summary, step)

    def steps(self) -> list[dict[str, Any]]:
        return self._rows("SELECT * FROM steps ORDER BY id")

    def count(self, table: str) -> int:
        """Rows of one of COUNTED."""
        if table not in COUNTED:
            raise ValueError(table)
        return int(self._value(f"SELECT COUNT(*) FROM {table}"))

    # ---- other journals ------------------------------------------------------------------------

    def copy_to(self, path: Path) -> None:
        """A copy as of now, in one file, also while another process writes."""
        copy = sqlite3.connect(path, isolation_level=None)
        self._db.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("VACUUM")
        copy.close()

    def beyond(self, path: Path) -> str:
        """The first table with a row that the journal in `path` lacks; empty when that goes on from this one."""
        self._db.execute("ATTACH ? AS other", (str(path),))
        try:
            query = "SELECT 1 FROM (SELECT {0} FROM main.{1} EXCEPT SELECT {0} FROM other.{1}) LIMIT 1"
            return next((table for table, kept in LASTING.items() if self._rows(query.format(kept, table))), "")
        finally:
            self._db.execute("DETACH other")

    def take(self, path: Path) -> None:
        """Become a copy of the journal in `path`, in one transaction."""
        other = sqlite3.connect(path, isolation_level=None)
        other.backup(self._db)
        other.close()

    def close_open_steps(self, summary: str) -> None:
        for row in self._rows("SELECT id FROM steps WHERE ended IS NULL"):
            self.close_step(row["id"], "interrupted", summary)

    # ---- conversation --------------------------------------------------------------------------

    def add_message(self, step: int, agent: str, kind: str, text: str, payload: str, tool: str | None = None) -> int:
        self._seen()
        return self._insert(
            "messages", step=step, agent=agent, kind=kind, tool=tool, text=text, payload=payload, at=_now()
        )

    def messages(self, agent: str | None = None, last: int = -1, before: int | None = None) -> list[Message]:
        """In order; the `last` ones (-1: all) of one agent or of all, with an id below `before`."""
        rows = self._rows(
            "SELECT * FROM messages WHERE (?1 IS NULL OR agent = ?1) AND (?2 IS NULL OR id < ?2)"
            " ORDER BY id DESC LIMIT ?3", agent, before, last,
        )  # fmt: skip
        return [Message(**row) for row in reversed(rows)]

    def message(self, number: int) -> Message:
        rows = self._rows("SELECT * FROM messages WHERE id=?", number)
        if not rows:
            raise AvoError(f"no message {number}; there are {self.count('messages')}")
        return Message(**rows[0])

    def search(self, text: str, last: int = 50) -> list[Message]:
        """The last messages that hold `text`, upper and lower case alike."""
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._rows(
            "SELECT * FROM messages WHERE text LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT ?", pattern, last
        )
        return [Message(**row) for row in reversed(rows)]

    # ---- attempts and the gate -----------------------------------------------------------------

    def add_attempt(
        self, step: int, tree: str, parent: str, direction: str, knobs: Mapping[str, str], verdict: Verdict,
        diff: str, seconds: float,
    ) -> Attempt:  # fmt: skip
        number = self._insert(
            "attempts", step=step, tree=tree, parent=parent, direction=direction, knobs=json.dumps(knobs),
            status=verdict.status, reason=verdict.reason, score=verdict.score, unit=verdict.unit,
            verdict=json.dumps(verdict.as_dict()), diff=diff, seconds=seconds, at=_now(),
        )  # fmt: skip
        return self.attempt(number)

    def attempt(self, number: int) -> Attempt:
        rows = self._rows("SELECT * FROM attempts WHERE id=?", number)
        if not rows:
            raise AvoError(f"no attempt {number}; there are {self.count('attempts')}")
        return attempt_from(rows[0])

    def forget_rejected(self, tree: str) -> None:
        """Let a tree that was rejected be evaluated again."""
        self._write("DELETE FROM attempts WHERE tree=? AND status<>'PASSED'", tree)

    def attempt_of(self, tree: str) -> Attempt | None:
        """The evaluation of a tree, if there was one: no tree is evaluated twice."""
        rows = self._rows("SELECT * FROM attempts WHERE tree=?", tree)
        return attempt_from(rows[0]) if rows else None

    def attempts(self, last: int = -1, since: int = 0) -> list[Attempt]:
        """In order: the `last` ones (-1: all) with an id above `since`."""
        rows = self._rows("SELECT * FROM attempts WHERE id > ? ORDER BY id DESC LIMIT ?", since, last)
        return [attempt_from(row) for row in reversed(rows)]

    def add_revisit(self, step: int, attempt: int) -> None:
        """Sources came back that attempt `attempt` had scored."""
        self._insert("revisits", step=step, attempt=attempt, at=_now())

    def progress(self) -> tuple[int, int, str]:
        """Attempts, revisits and time at the latest version or advice, whichever came last; the seed is no attempt."""
        rows = self._rows(
            "SELECT attempts_before, revisits_before, at FROM comparisons WHERE accepted UNION ALL"
            " SELECT attempts_before, revisits_before, at FROM interventions ORDER BY at DESC LIMIT 1"
        )
        return (
            (rows[0]["attempts_before"], rows[0]["revisits_before"], rows[0]["at"])
            if rows
            else (min(self.count("attempts"), 1), 0, "")
        )

    def calls(self, agent: str, since: str) -> int:
        """Tool calls of an agent after a time."""
        query = "SELECT COUNT(*) AS n FROM messages WHERE agent=? AND kind='call' AND at > ?"
        return int(self._rows(query, agent, since)[0]["n"])

    def add_comparison(self, step: int, tree: str, incumbent: str, result: Comparison, accepted: bool) -> None:
        data = json.dumps(asdict(result) | {"improved": result.improved, "matched": result.matched})
        self._insert(
            "comparisons", step=step, tree=tree, incumbent=incumbent, result=data, accepted=int(accepted),
            **self._so_far(), at=_now(),
        )  # fmt: skip

    def _so_far(self) -> dict[str, int]:
        return {"attempts_before": self.count("attempts"), "revisits_before": self.count("revisits")}

    def comparisons(self) -> list[dict[str, Any]]:
        rows = self._rows("SELECT * FROM comparisons ORDER BY id")
        return [row | {"result": json.loads(row["result"])} for row in rows]

    # ---- knowledge base ------------------------------------------------------------------------

    def add_consulted(self, step: int, chunks: Iterable[str], query: str) -> None:
        """Passages of the knowledge base that a question showed; without a question, one that was read."""
        for chunk in chunks:
            self._insert("consulted", step=step, chunk=chunk, query=query, at=_now())

    def link_consulted(self, step: int, attempt: int) -> None:
        """What was consulted in this step since its attempt before led to this one."""
        self._write("UPDATE consulted SET attempt=? WHERE step=? AND attempt IS NULL", attempt, step)

    def consulted_for(self, tree: str) -> list[dict[str, Any]]:
        """What was consulted in the step of a tree's evaluation up to it, in order."""
        return self._rows(
            "SELECT consulted.* FROM consulted JOIN attempts ON attempts.tree=? AND attempts.step = consulted.step"
            " AND consulted.attempt <= attempts.id ORDER BY consulted.id", tree,
        )  # fmt: skip

    def consulted_before(self, step: int, at: str) -> list[dict[str, Any]]:
        """What was consulted in a step up to a time, in order."""
        return self._rows("SELECT * FROM consulted WHERE step=? AND at <= ? ORDER BY id", step, at)

    # ---- supervisor, notes, spending -----------------------------------------------------------

    def add_intervention(self, step: int, trigger: str, advice: Mapping[str, Any], version: str) -> None:
        self._insert(
            "interventions", step=step, trigger=trigger, advice=json.dumps(advice),
            **self._so_far(), version_before=version, at=_now(),
        )  # fmt: skip

    def interventions(self) -> list[Intervention]:
        return [intervention_from(row) for row in self._rows("SELECT * FROM interventions ORDER BY id")]

    def record_effect(self, version: str) -> None:
        """A version was committed: the latest intervention, if it has no effect yet, led to it."""
        self._write(
            "UPDATE interventions SET effect=? WHERE effect IS NULL AND id=(SELECT MAX(id) FROM interventions)", version
        )

    def add_note(self, step: int, text: str) -> int:
        return self._insert("notes", step=step, text=text, at=_now())

    def notes(self) -> list[dict[str, Any]]:
        return self._rows("SELECT * FROM notes ORDER BY id")

    def spend(self, step: int, agent: str, kind: str, prompt: int = 0, completion: int = 0, seconds: float = 0) -> None:
        """kind: model (tokens) or evaluation (device seconds)."""
        self._insert(
            "ledger", step=step, agent=agent, kind=kind, prompt_tokens=prompt, completion_tokens=completion,
            seconds=seconds, at=_now(),
        )  # fmt: skip

    def spent(self) -> list[dict[str, Any]]:
        """Totals by agent and kind; what was spent in another operator's step is that operator's."""
        return self._rows(
            "SELECT CASE WHEN COALESCE(operator, ?1) = ?1 THEN agent ELSE operator END AS agent, kind,"
            " COUNT(*) AS entries, SUM(prompt_tokens) AS prompt_tokens,"
            " SUM(completion_tokens) AS completion_tokens, ROUND(SUM(seconds), 3) AS seconds"
            " FROM ledger LEFT JOIN steps ON steps.id = ledger.step GROUP BY 1, 2", AGENT,
        )  # fmt: skip

    # ---- SQLite --------------------------------------------------------------------------------

    def _seen(self) -> None:
        if self._session:
            self._write("UPDATE sessions SET last_seen=? WHERE id=?", time.time(), self._session)

    def _insert(self, table: str, **values: object) -> int:
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        return self._write(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *values.values())

    def _write(self, statement: str, *values: object) -> int:
        return int(self._db.execute(statement, values).lastrowid or 0)

    def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute(query, values)]

    def _value(self, query: str) -> Any:
        return self._db.execute(query).fetchone()[0]


def _to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; on a read-only disk one that does not even look for the log."""
    for mode in ("mode=ro", "immutable=1"):
        db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=30)
        try:
            db.execute("PRAGMA user_version")
            return db
        except sqlite3.OperationalError as error:
            db.close()
            failed = error
    raise failed


def _copied(db: sqlite3.Connection) -> sqlite3.Connection:
    """The same database in memory."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    copy.row_factory = sqlite3.Row
    db.backup(copy)
    db.close()
    return copy


def migrate(db: sqlite3.Connection, known: int, last: int = SCHEMA) -> None:
    """Bring a database from schema `known` to schema `last`."""
    for number, migration in enumerate(MIGRATIONS[known:last], known + 1):
        db.executescript(f"BEGIN; {migration.read_text()} PRAGMA user_version={number}; COMMIT;")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
