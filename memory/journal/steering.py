"""People's control of a run, also from another process: messages to the worker, and pauses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from avo.memory.journal.journal import Journal
from avo.memory.journal.table import now
from avo.types import AvoError

LONGEST = 4000
"""Longest message, in characters."""
RECALLED = 5
"""Number of messages that each step's brief repeats."""


@dataclass(frozen=True)
class Said:
    """A person's message to the worker."""

    id: int
    text: str
    at: str
    seen_at: str | None
    """Time at which the worker was shown it; None while it waits."""


def steer(journal: Journal, text: str) -> int:
    """Store a message to the worker; return its number. Raises AvoError if it is empty or too long."""
    text = text.encode("utf-8", "replace").decode().strip()
    if not text:
        raise AvoError("nothing to tell the worker: avo steer 'what to try, or what to leave alone'")
    if len(text) > LONGEST:
        raise AvoError(f"that text has {len(text)} characters; at most {LONGEST} reach the worker at once")
    return journal.insert("steering", text=text, at=now())


def unseen(journal: Journal) -> list[Said]:
    """Return the messages that the worker has not been shown, in order."""
    return [Said(**row) for row in journal.rows("SELECT * FROM steering WHERE seen_at IS NULL ORDER BY id")]


def mark_seen(journal: Journal, entries: Iterable[Said]) -> None:
    """Record that the worker has been shown these messages."""
    for entry in entries:
        journal.write("UPDATE steering SET seen_at=? WHERE id=?", now(), entry.id)


def recalled(journal: Journal) -> list[Said]:
    """Return the latest messages that the worker has been shown, in order."""
    query = "SELECT * FROM steering WHERE seen_at IS NOT NULL ORDER BY id DESC LIMIT ?"
    return [Said(**row) for row in reversed(journal.rows(query, RECALLED))]


def pause(journal: Journal) -> bool:
    """Pause the run: no further model call. Return False if it was paused already."""
    if paused(journal):
        return False
    journal.insert("pauses", at=now())
    return True


def go_on(journal: Journal) -> bool:
    """End the pause. Return False if there was none."""
    if not paused(journal):
        return False
    journal.write("UPDATE pauses SET ended=? WHERE ended IS NULL", now())
    return True


def paused(journal: Journal) -> str:
    """Return the time since when the run is paused (UTC, ISO 8601); empty if it is not."""
    return journal.value("SELECT at FROM pauses WHERE ended IS NULL ORDER BY id LIMIT 1") or ""
