"""The tables below the journal: one SQLite connection, each row written in a transaction of its own."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from avo.faults import fault_of

COUNTED = (
    "steps", "messages", "attempts", "revisits", "comparisons", "interventions", "notes", "consulted", "steering",
    "summaries", "plan",
)  # fmt: skip


class Table:
    """What every part of the journal reads and writes through."""

    _db: sqlite3.Connection
    _session: int = 0
    """Row of this process in `sessions`; 0 before it has begun one."""
    _began: tuple[float, float] = (0.0, 0.0)
    """When it began, by the clock that people read and by the one that nobody sets."""

    def count(self, table: str) -> int:
        """Rows of one of COUNTED."""
        if table not in COUNTED:
            raise ValueError(table)
        return int(self.value(f"SELECT COUNT(*) FROM {table}"))

    def _seen(self) -> None:
        if self._session:
            started, began = self._began
            self.write("UPDATE sessions SET last_seen=? WHERE id=?", started + time.monotonic() - began, self._session)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written inside is on disk as a whole or not at all. Nothing in it may wait for anything."""
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself ends one that a full disk broke
                self.write("ROLLBACK")
            raise

    def insert(self, table: str, **values: object) -> int:
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        return self.write(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *values.values())

    def write(self, statement: str, *values: object) -> int:
        """Number of the row that was inserted. Raises Missing on a full disk, or while another process writes."""
        with blamed():
            return int(self._db.execute(statement, values).lastrowid or 0)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Raises Missing as `write` does, AvoError for a damaged file."""
        with blamed():
            return [dict(row) for row in self._db.execute(query, values)]

    def value(self, query: str) -> Any:
        """The first column of the first row."""
        with blamed():
            return self._db.execute(query).fetchone()[0]


@contextmanager
def blamed() -> Iterator[None]:
    """Errors of SQLite that are the machine's fault, or the file's, become those that end a run with its step open."""
    try:
        yield
    except sqlite3.Error as error:
        if fault := fault_of(error):
            raise fault from error
        raise


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
