"""The journal: every message, attempt and cost of a run, in one SQLite file (WAL)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avo.memory.journal import older
from avo.memory.journal.consulted import Consulted
from avo.memory.journal.conversation import Conversation
from avo.memory.journal.guidance import Guidance
from avo.memory.journal.ledger import Ledger
from avo.memory.journal.origin import Origin
from avo.memory.journal.rows import Attempt, Intervention, Message
from avo.memory.journal.table import COUNTED, blamed, now
from avo.types import AvoError, Missing

__all__ = ["AGENT", "COUNTED", "EXTERNAL", "SCHEMA", "Attempt", "Intervention", "Journal", "Message"]

MIGRATIONS = sorted((Path(__file__).parents[1] / "migrations").glob("*.sql"))
"""SQL scripts in order; number n migrates from schema n - 1 to n."""
SCHEMA = len(MIGRATIONS)
"""The current schema."""
AGENT, EXTERNAL = "agent", "external"
"""Operators of a step: avo's own agents, or a user of `avo eval --run` and `avo commit`."""

WAIT, LOOK_AGAIN = 30.0, 0.02
"""Seconds to wait for another process's lock, and between two tries where SQLite itself does not wait."""

LASTING = {
    "steps": "id, parent, started", "interventions": "id, step, trigger, advice", "sessions": "id, started",
    "consulted": "id, step, chunk, query, at", "steering": "id, text, at", "pauses": "id, at",
    "plan": "id, step, text, at", "comparisons": "id, step, tree, incumbent, result, at",
    "brought": "id, spec, run, scenario, version, commit_id, at",
    "attempts": "id, step, tree, parent, direction, knobs, verdict, diff, seconds, at",
    **dict.fromkeys(("messages", "revisits", "notes", "ledger", "summaries", "brought_files"), "*"),
}  # fmt: skip
"""Table -> columns that never change once written."""


class Journal(Conversation, Guidance, Consulted, Ledger, Origin):
    """The database of one run; each row is written in a transaction of its own."""

    def __init__(self, path: Path, *, create: bool = False, reading: bool = False) -> None:
        """Open the file and migrate it to the current schema.

        create: create the file if there is none. reading: never write anything.
        Raises Missing without a file, AvoError for one that a newer avo wrote.
        """
        if not create and not path.is_file():
            raise Missing(
                f"no run in {path.parent} (there is no {path.name}); start one: avo run scenario NAME --run DIR"
            )
        with blamed():
            self._db = _to_read(path) if reading else _to_write(path)
            self._db.row_factory = sqlite3.Row
            known = _schema_of(self._db)
            if reading and known < SCHEMA:  # an older one is read through a copy, which can be brought to this schema
                self._db = _copied(self._db)
            known = migrate(self._db, known)
        if known > SCHEMA:
            self._db.close()
            raise AvoError(f"{path} was written by a newer avo (schema {known}, this one knows {SCHEMA}): update avo")

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # ---- time and steps ------------------------------------------------------------------------

    def begin_session(self) -> None:
        """Start counting time towards `elapsed`."""
        now = time.time()
        self._session = self.insert("sessions", started=now, last_seen=now)
        self._began = (now, time.monotonic())

    def end_session(self) -> None:
        """Stop counting time until the next session."""
        self._seen()
        self._session = 0

    def elapsed(self) -> float:
        """Return the total seconds of all sessions of this run, as far as they are recorded."""
        self._seen()
        return float(self.value("SELECT COALESCE(SUM(last_seen - started), 0) FROM sessions"))

    def elapsed_at(self, at: float) -> float | None:
        """Return the seconds of sessions before the wall-clock time `at` (seconds since 1970); None without any."""
        sessions = self.rows("SELECT started, last_seen FROM sessions")
        seconds = sum(max(min(row["last_seen"], at) - row["started"], 0.0) for row in sessions)
        return seconds if sessions else None

    def open_step(self, parent: str, operator: str = AGENT) -> tuple[int, bool]:
        """Begin a step, or resume the operator's own interrupted one; return its number, and True if resumed.

        A step whose parent is no longer the best version is over: it was killed after its commit, or another
        operator committed meanwhile. An agent's step from the best version stays open beside an external one.
        """
        resumed = 0
        for row in self.rows("SELECT id, parent, operator FROM steps WHERE ended IS NULL"):
            if row["parent"] == parent and row["operator"] == operator:
                resumed = int(row["id"])
            elif row["parent"] != parent and self._committed_last() in (None, row["id"]):
                self.close_step(row["id"], "committed", f"{parent} (the run was killed right after the commit)")
            elif row["parent"] != parent or row["operator"] != AGENT:
                self.close_step(row["id"], "interrupted", "another operator went on")
        if resumed:
            return resumed, True
        return self.insert("steps", parent=parent, operator=operator, started=now()), False

    def _committed_last(self) -> int | None:
        """Return the step of the latest version after the seed; None without one."""
        step: int | None = self.value("SELECT step FROM comparisons WHERE accepted ORDER BY id DESC LIMIT 1")
        return step

    def close_step(self, step: int, outcome: str, summary: str) -> None:
        """End a step with an outcome."""
        self.write("UPDATE steps SET ended=?, outcome=?, summary=? WHERE id=?", now(), outcome, summary, step)

    def steps(self) -> list[dict[str, Any]]:
        """Return all steps in order."""
        return self.rows("SELECT * FROM steps ORDER BY id")

    def finished_steps(self) -> int:
        """Return the number of finished steps of avo's own agents; steps that ended with an error do not count."""
        query = "SELECT COUNT(*) FROM steps WHERE operator=? AND outcome IS NOT NULL AND outcome <> 'error'"
        return int(self.value(query, AGENT))

    # ---- other journals ------------------------------------------------------------------------

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy into one file, also while another process writes."""
        copy = sqlite3.connect(path, isolation_level=None)
        self._db.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("VACUUM")
        copy.close()

    def beyond(self, path: Path) -> str:
        """Return the first table with a row that the journal in `path` lacks; empty if that one continues this one."""
        self._db.execute("ATTACH ? AS other", (str(path),))
        try:
            query = "SELECT 1 FROM (SELECT {0} FROM main.{1} EXCEPT SELECT {0} FROM other.{1}) LIMIT 1"
            return next((table for table, kept in LASTING.items() if self.rows(query.format(kept, table))), "")
        finally:
            self._db.execute("DETACH other")

    def take(self, path: Path) -> None:
        """Replace the contents by those of the journal in `path`, in one transaction."""
        other = sqlite3.connect(path, isolation_level=None)
        other.backup(self._db)
        other.close()

    def close_open_steps(self, summary: str) -> None:
        """End all open steps as interrupted."""
        for row in self.rows("SELECT id FROM steps WHERE ended IS NULL"):
            self.close_step(row["id"], "interrupted", summary)


def _to_read(path: Path) -> sqlite3.Connection:
    """Return a read-only connection; on a read-only disk, one that does not look for a WAL."""
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
    """Copy the database into memory, close it, and return the copy."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    copy.row_factory = sqlite3.Row
    db.backup(copy)
    db.close()
    return copy


def _to_write(path: Path) -> sqlite3.Connection:
    """Return a connection that waits for locks. Switching to WAL needs the file alone: SQLite does not wait for it."""
    db = sqlite3.connect(path, isolation_level=None, timeout=WAIT)
    deadline = time.monotonic() + WAIT
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            # 0.3 ms a row: not to be traded away.
            db.execute("PRAGMA synchronous=FULL")
            return db
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                db.close()
                raise
            time.sleep(LOOK_AGAIN)


def _schema_of(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, known: int, last: int = SCHEMA) -> int:
    """Migrate a database from schema `known` to schema `last`, all or nothing, and return its schema then.

    Another process may migrate it at the same time: the schema is read again under the write lock. A schema newer than
    `last` stays as it is.
    """
    if known >= last:
        return known
    db.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_schema_of(db) + 1, last + 1):
            for statement in _statements(MIGRATIONS[number - 1].read_text("utf-8")):
                db.execute(statement)
            if number == older.SCHEMA:
                older.rewrite(db)
            db.execute(f"PRAGMA user_version={number}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return _schema_of(db)


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one: `executescript` would commit before the first."""
    statement = ""
    for part in script.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
