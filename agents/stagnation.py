"""Detection of a search that is stuck, from the journal alone; one function for each sign."""

from __future__ import annotations

import math
import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from avo.agents.worker import NAME as WORKER
from avo.memory.journal.journal import Attempt, Journal
from avo.tools.payloads import Rejection, payloads_of
from avo.types import Status

MOST = 120
"""Number of latest evaluations that are examined; of tool calls, three times as many."""
NEARER = 1.01
"""Factor by which a score has to exceed all others since the last version to count as progress."""
LIMIT = 3
"""Multiple of the limits on evaluations and minutes at which it is stuck even if scores keep coming nearer."""
MINUTES = 45.0
"""Minutes of work without an improvement at which the search is stuck; builds and measurements do not count."""
SAME_ERROR = 3
"""Number of consecutive evaluations or builds with the same build error at which the search is stuck."""
SAME_LINES = 6
"""Number of consecutive evaluations of changes to the same lines, with the same outcome, at which it is stuck."""
REVISITS = 3
"""Number of returns to sources scored before at which it is stuck."""
MATCHES = 4
"""Number of consecutive versions at which it is stuck if they gain no more than the noise together."""
CALLS = 80
"""Number of tool calls without an evaluation at which it is stuck."""
TEXTS = 2
"""Number of consecutive answers without a tool call at which it is stuck."""
ALIKE = 0.8
"""Smallest Jaccard similarity of two sets of changed lines that count as the same lines."""
SAME = 1.01
"""Largest ratio of two scores that count as the same outcome."""
LONGEST_GAP = 600.0
"""Largest time between two calls that counts as work, in seconds: waiting for a provider or for people is none."""
HUNK = re.compile(r"^@@ -(\d+)", re.MULTILINE)
"""Head of a hunk in a unified diff; the group is its first line in the old file."""


@dataclass(frozen=True)
class Trial:
    """The attempts of one tool call: a single tree, or all trees of a sweep."""

    attempts: Sequence[Attempt]

    @property
    def best(self) -> Attempt:
        """The attempt with the highest score."""
        return max(self.attempts, key=lambda attempt: attempt.verdict.score)

    @property
    def score(self) -> float:
        """The highest score."""
        return self.best.verdict.score

    @property
    def at(self) -> str:
        """The time of the last attempt, as ISO 8601."""
        return self.attempts[-1].at


def stagnation(journal: Journal, patience: int) -> str:
    """Return one line about why the search is stuck, judged since the last improvement or advice; empty when it is not.

    patience: number of evaluations without an improvement that is too many.
    """
    since, revisits, at = journal.progress()
    calls = journal.call_times(WORKER, at, 3 * MOST)
    found = trials(journal.attempts(last=MOST, since=since), calls)
    idle = fruitless(journal, found, at)
    return (
        same_error(journal, found, at)
        or circles(journal, found, revisits)
        or same_lines(found)
        or noise(journal, at)
        or texts(journal)
        or no_evaluation([call for call in calls if not found or call > found[-1].at])
        or no_improvement(patience, found, idle)
        or no_version_in_time(found, idle, calls)
    )


def trials(attempts: Sequence[Attempt], calls: Sequence[str]) -> list[Trial]:
    """Group the attempts by tool call: consecutive ones of a sweep, with no call between them, are one trial."""
    groups: list[list[Attempt]] = []
    for attempt in attempts:
        last = groups[-1][-1] if groups else None
        together = last and attempt.knobs and (last.step, last.direction) == (attempt.step, attempt.direction)
        if last and together and bisect(calls, last.at) == bisect(calls, attempt.at):
            groups[-1].append(attempt)
        else:
            groups.append([attempt])
    return [Trial(group) for group in groups]


def same_error(journal: Journal, found: Sequence[Trial], at: str) -> str:
    """Report consecutive identical build errors, of `build` and `evaluate` alike; empty when there are too few."""
    events = [(trial.at, _build_error(trial)) for trial in found]
    for result in journal.results(WORKER, "build", at, SAME_ERROR):
        failures = [data.reason for data in payloads_of(result).values() if isinstance(data, Rejection)]
        events.append((result.at, failures[-1] if failures else ""))
    reasons = [reason for _, reason in sorted(events)[-SAME_ERROR:]]
    if len(reasons) == SAME_ERROR and all(reasons) and len({*map(_kind, reasons)}) == 1:
        return f"the same build error {SAME_ERROR} times in a row: {reasons[-1]}"
    return ""


def _build_error(trial: Trial) -> str:
    verdicts = [attempt.verdict for attempt in trial.attempts]
    return verdicts[-1].reason if all(v.status is Status.COMPILE_ERROR for v in verdicts) else ""


def _kind(reason: str) -> str:
    """Return a compiler's message without what changes from edit to edit: lines and columns, counts, values."""
    return re.sub(r"[\d.]+(e[-+]\d+)?", "N", " ".join(reason.split()))


def circles(journal: Journal, found: Sequence[Trial], revisits: int) -> str:
    """Report repeated returns to sources scored before; a few new measurements of the best version do not count."""
    returned = journal.returns(revisits, 4 * REVISITS)
    best = journal.best_attempt()
    others = sum(1 for number, _ in returned if number != best)
    if others >= REVISITS or len(returned) >= 3 * REVISITS:
        return f"came back {journal.count('revisits') - revisits} times to sources that were scored before"
    line = sorted([(trial.at, trial.attempts[-1].id) for trial in found] + [(at, number) for number, at in returned])
    last = [number for _, number in line[-4:]]
    if len(last) == 4 and last[:2] == last[2:] and last[0] != last[1]:
        return f"goes back and forth between the sources of attempts {last[0]} and {last[1]}"
    return ""


def same_lines(found: Sequence[Trial]) -> str:
    """Report consecutive changes of the same lines with the same outcome; empty when there are too few."""
    last = found[-SAME_LINES:]
    if len(last) < SAME_LINES or len({trial.best.parent for trial in last}) > 1:
        return ""
    outcomes = {str(t.best.verdict.status) + ("" if t.score else _kind(t.best.verdict.reason)) for t in last}
    scores = [trial.score for trial in last]
    if len(outcomes) > 1 or (min(scores) > 0 and max(scores) > min(scores) * SAME):
        return ""
    changed = [_lines(trial.best.diff) for trial in last]
    if not all(changed) or any(len(a & b) < ALIKE * len(a | b) for a, b in pairwise(changed)):
        return ""
    return f"{len(last)} changes of the same lines in a row came out the same: {last[-1].best.verdict.status}"


def _lines(diff: str) -> set[tuple[str, int]]:
    """File and number, in the version before, of every line that a diff takes away or adds something at."""
    found: set[tuple[str, int]] = set()
    name, number = "", 0
    for line in diff.splitlines():
        if line.startswith("--- "):
            name = line
        elif match := HUNK.match(line):
            number = int(match[1])
        elif line.startswith("+") and not line.startswith("+++ "):
            found.add((name, number))
        else:
            if line.startswith("-"):
                found.add((name, number))
            number += 1
    return found


def noise(journal: Journal, at: str) -> str:
    """Report versions that together gained no more than the noise; empty otherwise."""
    kept = journal.kept(MATCHES, at)
    gain = math.prod(ratio for ratio, _, _ in kept)
    if len(kept) == MATCHES and gain <= 1 + max(noise for _, noise, _ in kept):
        return f"the last {len(kept)} versions gained x{gain:.4f} together, which is within the noise"
    return ""


def texts(journal: Journal) -> str:
    """Report consecutive answers without a tool call; empty when there are too few."""
    count = 0
    for message in reversed(journal.messages(WORKER, last=3 * TEXTS)):
        if message.kind not in ("text", "nudge", "steering"):
            break
        count += message.kind == "text"
    return f"{count} answers in a row without a tool call" if count >= TEXTS else ""


def no_evaluation(calls: Sequence[str]) -> str:
    """Report many tool calls since the last evaluation; empty when there are fewer."""
    return f"no evaluation in {len(calls)} tool calls" if len(calls) >= CALLS else ""


def fruitless(journal: Journal, found: Sequence[Trial], at: str) -> Sequence[Trial]:
    """Return the latest trials, after the last one whose score came nearer to an improvement."""
    kept = journal.kept(MOST, at)
    if kept and math.prod(ratio for ratio, _, _ in kept) > 1 + max(noise for _, noise, _ in kept):
        found = [trial for trial in found if trial.at > kept[-1][2]]  # many small gains add up
    first = next((index for index, trial in enumerate(found) if trial.score), 0)
    record, nearer = found[first].score if found else 0.0, 0
    for index, trial in enumerate(found[first + 1 :], first + 1):
        if trial.score > record * NEARER:
            record, nearer = trial.score, index + 1
    return found[nearer:]


def no_improvement(patience: int, found: Sequence[Trial], idle: Sequence[Trial]) -> str:
    """Report too many evaluations without an improvement; `idle` are those since the last progress."""
    if len(idle) >= patience or len(found) >= LIMIT * patience:
        return f"no improvement in {len(found)} evaluations"
    return ""


def no_version_in_time(found: Sequence[Trial], idle: Sequence[Trial], calls: Sequence[str]) -> str:
    """Report too many minutes of work without an improvement; `idle` are the trials since the last progress."""
    if worked(idle, calls) > MINUTES or worked(found, calls) > LIMIT * MINUTES:
        return f"no improvement in {worked(found, calls):.0f} minutes of work"
    return ""


def worked(found: Sequence[Trial], calls: Sequence[str]) -> float:
    """Return the minutes from the first trial to the last call, without builds, measurements and long gaps."""
    if not found:
        return 0.0
    first = found[0].attempts[0].at
    times = [_seconds(first), *(_seconds(at) for at in calls[bisect(calls, first) :])]
    spent = [(_seconds(attempt.at), attempt.seconds) for trial in found for attempt in trial.attempts][1:]
    total = 0.0
    for start, end in pairwise(times):
        measured = sum(seconds for at, seconds in spent if start < at <= end)
        total += min(max(end - start - measured, 0.0), LONGEST_GAP)
    return total / 60


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
