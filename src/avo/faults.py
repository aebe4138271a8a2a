"""Attribution of unexpected errors: a full disk or a locked database, for instance, is the machine's fault."""

from __future__ import annotations

import errno
import re
import sqlite3
import traceback
from dataclasses import dataclass, field

from avo.types import AvoError, Defect, Missing

MACHINES = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE,
    errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN,
})  # fmt: skip
"""System errors that neither a candidate's sources nor an agent's arguments can cause."""
DATABASES = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL,
})  # fmt: skip
"""SQLite's errors that neither can cause."""
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's errors for a damaged file."""
NO_MEMORY = "this machine has no memory left: end other programs, and give the command again"
FULL = re.compile(r"DefaultCPUAllocator: (?:can't|not enough) |std::bad_alloc")
"""torch's messages about lack of memory."""
MOST_ALIKE = 3
"""Consecutive identical failures of a tool, as defects of avo, that end the run."""


def fault_of(error: BaseException) -> AvoError | None:
    """Return the error that ends the command, or the run with its step open; None for a possible defect of avo."""
    match error:
        case AvoError():
            return error
        case sqlite3.Error():
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # the rest is detail
            if code in DATABASES:
                return Missing(f"the run's database: {error}: nothing was lost, mend that and give the command again")
            return AvoError(f"the run's database: {error}") if code in DAMAGED else None
        case MemoryError():
            return Missing(NO_MEMORY)
        case RuntimeError() if FULL.search(str(error)):
            return Missing(NO_MEMORY)
        case OSError(errno=code) if code in MACHINES:
            where = f" ({error.filename})" if error.filename else ""
            return Missing(f"{error.strerror}{where}: mend that and give the command again")
    return None


@dataclass
class Defects:
    """Counter of each tool's consecutive identical failures."""

    _last: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Tool -> kind and place of its last failure, and the number of consecutive ones."""

    def failed(self, tool: str, error: BaseException) -> Defect | None:
        """Count a failure; return the error that ends the run once there are too many."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        kind = f"{type(error).__name__} {place}"
        last, times = self._last.get(tool, ("", 0))
        self._last[tool] = kind, (times + 1 if kind == last else 1)
        if self._last[tool][1] < MOST_ALIKE:
            return None
        line = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Defect(f"{tool} failed {MOST_ALIKE} times in a row, which is a fault of avo's: {line}")

    def worked(self, tool: str) -> None:
        """Reset the count of a tool that answered, be it with an error of its input."""
        self._last.pop(tool, None)
