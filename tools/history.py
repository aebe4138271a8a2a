"""What was tried and kept so far: versions, differences, attempts, notes."""

from __future__ import annotations

from avo.tools.answers import attempt_line, verdict_text
from avo.tools.bench import Bench
from avo.tools.process import elide
from avo.types import AvoError, ToolError, Version

LONGEST_ANSWER = 30_000
MOST_LISTED = 2_000
LARGEST_NUMBER = 1 << 62
"""SQLite's integers have 64 bits."""


def _version(bench: Bench, name: str) -> Version:
    try:
        return bench.lineage.version(name)
    except AvoError as error:
        raise ToolError(str(error)) from error


async def lineage(bench: Bench) -> str:
    """List the versions kept so far, oldest first: score, gain over the best before it, message."""
    return "\n".join(version_line(version) for version in bench.lineage.versions())


def version_line(version: Version) -> str:
    """One version in one line."""
    kind = "" if version.improved else " (match)"
    title = version.message.partition("\n")[0]
    return f"{version.name} {version.score:.2f} {version.unit} x{version.gain:.3f}{kind}  {title}"


async def read_version(bench: Bench, version: str, path: str = "") -> str:
    """Read a source file of an earlier version (v0, v1 … or best); without path, its message, scores and files."""
    found = _version(bench, version)
    files = bench.lineage.files(found)
    if not path:
        scores = ", ".join(f"{case} {value:.2f}" for case, value in found.scores.items())
        return f"{version_line(found)}\n{found.message}\nscores: {scores}\nfiles: {', '.join(files)}"
    if path not in files:
        raise ToolError(f"{found.name} has no file '{path}'; it has: {', '.join(files)}")
    return elide(files[path].decode("utf-8", "replace"), LONGEST_ANSWER)


async def compare_versions(bench: Bench, first: str, second: str) -> str:
    """Show how two versions differ: their scores by case and the diff of their sources."""
    a, b = _version(bench, first), _version(bench, second)
    cases = "\n".join(
        f"{case:10} {value:10.2f} -> {b.scores[case]:10.2f} {a.unit}  x{b.scores[case] / value:.3f}"
        for case, value in a.scores.items()
        if case in b.scores
    )
    return elide(f"{version_line(a)}\n{version_line(b)}\n{cases}\n{bench.lineage.diff(a, b)}", LONGEST_ANSWER)


async def checkout(bench: Bench, version: str) -> str:
    """Put the sources of a version (v0 … or best) into the work tree; what was not committed is gone."""
    found = _version(bench, version)
    bench.lineage.restore(found)
    return f"the work tree is {found.name} now"


async def attempts(bench: Bench, last: int = 30) -> str:
    """List the latest evaluations of this run (0: 2,000 of them): number, status, score or reason, knobs, direction."""
    listed = bench.journal.attempts(min(last, MOST_LISTED) if last > 0 else MOST_LISTED)
    return "\n".join(map(attempt_line, listed)) or "none yet"


async def read_attempt(bench: Bench, number: int) -> str:
    """Show one evaluation whole: direction, verdict, and its diff against the version it started from."""
    try:
        attempt = bench.journal.attempt(min(abs(number), LARGEST_NUMBER))
    except AvoError as error:
        raise ToolError(str(error)) from error
    text = f"attempt {attempt.id}, from {attempt.parent}: {attempt.direction}\n{verdict_text(attempt.verdict)}"
    return elide(f"{text}\n{attempt.diff}", LONGEST_ANSWER)


async def note(bench: Bench, text: str) -> str:
    """Write down a lesson for later steps: what worked, what did not and why. Notes are shown at every step."""
    bench.journal.add_note(bench.step, text)
    return "noted"


async def notes(bench: Bench) -> str:
    """Read all notes."""
    return "\n".join(f"- {entry['text']}" for entry in bench.journal.notes()) or "none yet"


async def end_step(bench: Bench, reason: str, exhausted: bool = False) -> str:
    """Give this step up without a commit. exhausted: only when you have no direction left that is worth trying."""
    bench.ended, bench.exhausted = reason, exhausted
    return "The step is over: answer with one line that sums it up."
