"""Access to the journal's tables: one SQLite connection, each row written in a transaction of its own."""

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
"""Tables whose rows `count` counts."""


class Table:
    """The database access shared by all parts of the journal."""

    _db: sqlite3.Connection
    _session: int = 0
    """This process's row in `sessions`; 0 before it has begun one."""
    _began: tuple[float, float] = (0.0, 0.0)
    """Start of the session, by the wall clock and by the monotonic clock, in seconds."""

    def count(self, table: str) -> int:
        """Return the number of rows in one of COUNTED. Raises ValueError for another table."""
        if table not in COUNTED:
            raise ValueError(table)
        return int(self.value(f"SELECT COUNT(*) FROM {table}"))

    def _seen(self) -> None:
        if self._session:
            started, began = self._began
            self.write("UPDATE sessions SET last_seen=? WHERE id=?", started + time.monotonic() - began, self._session)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write everything in the block in one transaction, all or nothing. Nothing in it may wait."""
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself ends one that a full disk broke
                self.write("ROLLBACK")
            raise

    def insert(self, table: str, **values: object) -> int:
        """Insert a row; return its number. Raises as `write` does."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        return self.write(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *values.values())

    def write(self, statement: str, *values: object) -> int:
        """Execute a statement; return the number of the inserted row.

        Raises Missing on a full disk, or when another process keeps the lock.
        """
        with blamed():
            return int(self._db.execute(statement, values).lastrowid or 0)

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of a query. Raises Missing as `write` does, AvoError for a damaged file."""
        with blamed():
            return [dict(row) for row in self._db.execute(query, values)]

    def value(self, query: str, *values: object) -> Any:
        """Return the first column of the first row; None without one."""
        return next((next(iter(row.values())) for row in self.rows(query, *values)), None)


@contextmanager
def blamed() -> Iterator[None]:
    """Turn SQLite's errors that are the machine's or the file's fault into Missing or AvoError."""
    try:
        yield
    except sqlite3.Error as error:
        if fault := fault_of(error):
            raise fault from error
        raise


def now() -> str:
    """Return the current time in UTC, as ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
