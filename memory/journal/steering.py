"""What people tell a run, also while another process is at it: words for the worker, and to pause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from avo.memory.journal.journal import Journal
from avo.memory.journal.table import now
from avo.types import AvoError

LONGEST = 4000
"""Characters of one text."""
RECALLED = 5
"""Texts that each step's brief repeats."""


@dataclass(frozen=True)
class Said:
    """One text for the worker."""

    id: int
    text: str
    at: str
    seen_at: str | None
    """When it was put before the worker; None while it waits."""


def steer(journal: Journal, text: str) -> int:
    """Leave a text for the worker: its number. Raises AvoError for one that is empty or too long."""
    text = text.encode("utf-8", "replace").decode().strip()
    if not text:
        raise AvoError("nothing to tell the worker: avo steer 'what to try, or what to leave alone'")
    if len(text) > LONGEST:
        raise AvoError(f"that text has {len(text)} characters; at most {LONGEST} reach the worker at once")
    return journal.insert("steering", text=text, at=now())


def unseen(journal: Journal) -> list[Said]:
    """Texts that wait for the worker, in order."""
    return [Said(**row) for row in journal.rows("SELECT * FROM steering WHERE seen_at IS NULL ORDER BY id")]


def mark_seen(journal: Journal, entries: Iterable[Said]) -> None:
    for entry in entries:
        journal.write("UPDATE steering SET seen_at=? WHERE id=?", now(), entry.id)


def recalled(journal: Journal) -> list[Said]:
    """The latest texts that the worker was shown, in order."""
    query = "SELECT * FROM steering WHERE seen_at IS NOT NULL ORDER BY id DESC LIMIT ?"
    return [Said(**row) for row in reversed(journal.rows(query, RECALLED))]


def pause(journal: Journal) -> bool:
    """Let the run make no further model call. False when it was paused already."""
    if paused(journal):
        return False
    journal.insert("pauses", at=now())
    return True


def go_on(journal: Journal) -> bool:
    """End the pause. False when there was none."""
    if not paused(journal):
        return False
    journal.write("UPDATE pauses SET ended=? WHERE ended IS NULL", now())
    return True


def paused(journal: Journal) -> str:
    """Since when the run is paused (UTC, ISO 8601); empty when it is not."""
    rows = journal.rows("SELECT at FROM pauses WHERE ended IS NULL ORDER BY id LIMIT 1")
    return str(rows[0]["at"]) if rows else ""
