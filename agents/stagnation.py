"""Is the search stuck? Judged from the journal alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from avo.memory.journal import Attempt, Journal
from avo.types import Status


@dataclass(frozen=True)
class Patience:
    """How much without progress is too much."""

    attempts: int = 8
    """Evaluations without a new version."""
    minutes: float = 45.0
    """Time without a new version, when something was tried in it."""
    same_error: int = 3
    """Evaluations in a row that fail to compile for the same reason."""
    revisits: int = 3
    """Returns to sources that were scored before."""
    calls: int = 80
    """Tool calls without an evaluation."""


def stagnation(journal: Journal, patience: Patience) -> str:
    """What is wrong with the trajectory since the last version or advice, in one line; empty when nothing is."""
    since, revisits, at = journal.progress()
    recent = journal.attempts(last=max(patience.attempts, patience.same_error), since=since)
    if len(recent) >= patience.attempts:
        return f"no new version in {journal.count('attempts') - since} evaluations"
    if recent and _minutes(recent[0]) > patience.minutes:
        return f"no new version in {_minutes(recent[0]):.0f} minutes"
    last = recent[-patience.same_error :]
    reasons = {attempt.verdict.reason for attempt in last if attempt.verdict.status is Status.COMPILE_ERROR}
    if len(last) == patience.same_error and len(reasons) == 1 and not any(a.verdict.passed for a in last):
        return f"the same build error {patience.same_error} times in a row: {reasons.pop()}"
    if (returned := journal.count("revisits") - revisits) >= patience.revisits:
        return f"came back {returned} times to sources that were scored before"
    if (calls := journal.calls("worker", recent[-1].at if recent else at)) >= patience.calls:
        return f"no evaluation in {calls} tool calls"
    return ""


def _minutes(attempt: Attempt) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(attempt.at)).total_seconds() / 60
