"""What was tried and kept so far: versions, differences, attempts, notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avo.memory.brought import Brought
from avo.memory.journal import Intervention
from avo.memory.lineage import Lineage
from avo.tools.answer import Answer
from avo.tools.answers import attempt_line, verdict_text
from avo.tools.bench import OLDER, Bench, unified_diff
from avo.tools.brought import SEED_FROM, brought
from avo.tools.knobs import knobs_of
from avo.tools.payloads import Ended, Tree, evaluations
from avo.tools.plan import LARGEST_NUMBER, plan_text
from avo.tools.process import elide
from avo.tools.sources import Sources, digest, read_sources, write_sources
from avo.types import RULES, ToolError, Unknown, Version, figure

LONGEST_ANSWER = 30_000
MOST_LISTED = 2_000
SHOWN = 25
"""Versions in a brief."""
LONGEST_NOTE = 2_000
NOTES = 10_000
"""Characters of notes that are shown."""
LONGEST_ADVICE, LONGEST_TITLE = 3_000, 160


def _version(bench: Bench, name: str) -> Version:
    try:
        return bench.lineage.version(name)
    except Unknown as error:
        more = f", and {SEED_FROM}" if brought(bench.journal) else ""
        raise ToolError(f"{error}{more}") from error


def _brought(bench: Bench) -> Brought:
    if came := brought(bench.journal):
        return came
    raise ToolError(f"this run was not begun from another, so it has no {SEED_FROM}")


async def lineage(bench: Bench) -> str:
    """List the versions kept so far, oldest first: score, gain over the best before it, message."""
    return "\n".join(_line(bench, version) for version in bench.lineage.versions())


def _line(bench: Bench, version: Version) -> str:
    """One version with the score that counts; where it was not scored anew, why that does not compare."""
    attempt = bench.journal.attempt_of(version.tree)
    if attempt and attempt.verdict.passed:
        return version_line(bench.scored(version), bench.origin(attempt.verdict))
    return version_line(version, scored_by(bench.lineage, version))


def scored_by(lineage: Lineage, version: Version) -> str:
    """OLDER where a version's own score is; empty where it is of this judge."""
    return "" if lineage.facts(version).get("Rules") == RULES else OLDER


def shortened(listing: str) -> str:
    """The first line and the last ones of a long list."""
    lines = listing.splitlines()
    left = len(lines) - SHOWN
    return "\n".join(lines if left <= 0 else [lines[0], f"[... {left} versions: see lineage ...]", *lines[1 + left :]])


def version_line(version: Version, origin: str = "") -> str:
    """One version in one line; `origin` of a score that does not compare."""
    kind = ("" if version.improved else " (match)") + (f" ({origin})" if origin else "")
    title = version.message.partition("\n")[0]
    return f"{version.name} {figure(version.score)} {version.unit} x{version.gain:.3f}{kind}  {title}"


def read_version(bench: Bench, version: str, path: str) -> str:
    """A source file of a version, or of what was brought in; without a path, its message, scores and files."""
    if version == SEED_FROM:
        came = _brought(bench)
        return _read(came.files, path, SEED_FROM, _origin(came))
    found = _version(bench, version)
    scores = ", ".join(f"{case} {figure(value)}" for case, value in bench.scored(found).scores.items())
    return _read(
        bench.lineage.files(found), path, found.name, f"{_line(bench, found)}\n{found.message}\nscores: {scores}"
    )


def _read(files: Sources, path: str, name: str, head: str) -> str:
    """One of the files, or what there is to say of all."""
    if not path:
        return f"{head}\nfiles: {', '.join(files)}"
    if path not in files:
        raise ToolError(f"{name} has no file '{path}'; it has: {', '.join(files)}")
    return files[path].decode("utf-8", "replace")


async def compare_versions(bench: Bench, first: str, second: str) -> str:
    """Show how two versions (v0 … or best) differ: their scores by case and the diff of their sources."""
    (line, before, old), (other, after, new) = _side(bench, first), _side(bench, second)
    unit = bench.scenario.target(bench.target).unit
    cases = "".join(
        f"{case:10} {figure(value):>10} -> {figure(after[case]):>10} {unit}  x{after[case] / value:.3f}\n"
        for case, value in before.items()
        if case in after
    )
    return elide(f"{line}\n{other}\n{cases}{unified_diff(old, new)}", LONGEST_ANSWER)


def _side(bench: Bench, name: str) -> tuple[str, Mapping[str, float], Sources]:
    """A version, or what was brought in: its line, its scores here, its sources."""
    if name != SEED_FROM:
        found = _version(bench, name)
        return _line(bench, found), bench.scored(found).scores, bench.lineage.files(found)
    came = _brought(bench)
    tried = bench.journal.attempt_of(digest(came.files))
    here = f"{tried.verdict.status} here" if tried else "not tried here"
    return f"{_origin(came)}, {here}", tried.verdict.scores if tried else {}, came.files


def _origin(came: Brought) -> str:
    return f"{SEED_FROM}: {came.label}, {figure(came.score)} {came.unit} there"


def tree_of(bench: Bench, version: str = "") -> Tree:
    """The work tree as programs read it; `version`: what was checked out just now."""
    try:
        files = bench.sources()
        return Tree(tuple(files), tuple(knobs_of(files).values()), version=version)
    except (ToolError, OSError) as error:  # it may change meanwhile by other hands
        return Tree((), problem=str(error), version=version)


async def checkout(bench: Bench, version: str) -> Answer:
    """Put the sources of a version (v0 … or best) into the work tree; what was not committed is gone."""
    if version == SEED_FROM:
        came = _brought(bench)
        bench.lineage.restore()
        for name in read_sources(bench.work_tree):
            (bench.work_tree / name).unlink()
        write_sources(came.files, bench.work_tree)
        return Answer(f"the work tree is what was brought in now: {came.label}", tree_of(bench, SEED_FROM))
    found = _version(bench, version)
    bench.lineage.restore(found)
    return Answer(f"the work tree is {found.name} now", tree_of(bench, found.name))


async def attempts(bench: Bench, last: int = 30, number: int = 0) -> Answer:
    """List the latest evaluations of this run (0: 2,000 of them): number, status, score or reason, knobs, direction.

    number: shows that one whole, with its verdict and its diff against the version it started from.
    """
    if number:
        return Answer(read_attempt(bench, number))
    listed = bench.journal.attempts(min(last, MOST_LISTED) if last > 0 else MOST_LISTED)
    origins = [bench.origin(entry.verdict) for entry in listed]
    text = "\n".join(attempt_line(entry, origin) for entry, origin in zip(listed, origins, strict=True))
    return Answer(text or "none yet", evaluations(zip(listed, (not origin for origin in origins), strict=True)))


def read_attempt(bench: Bench, number: int) -> str:
    """One evaluation whole. Raises ToolError when there is none of that number."""
    try:
        attempt = bench.journal.attempt(min(abs(number), LARGEST_NUMBER))
    except Unknown as error:
        raise ToolError(str(error)) from error
    text = f"attempt {attempt.id}, from {attempt.parent}: {attempt.direction}\n"
    if attempt.forgotten:
        text += f"(it counts no more: {attempt.why_forgotten})\n"
    elif origin := bench.origin(attempt.verdict):
        text += f"(scored {origin}; `evaluate` scores these sources anew)\n"
    text += verdict_text(attempt.verdict)
    return elide(f"{text}\n{attempt.diff}", LONGEST_ANSWER)


async def note(bench: Bench, text: str) -> str:
    """Write down a lesson for later steps: what worked, what did not and why. Every brief shows the notes."""
    bench.journal.add_note(bench.step, elide(text, LONGEST_NOTE))
    return "noted"


def latest_notes(bench: Bench) -> str:
    """As many of the latest notes as fit, in order; empty when there is none."""
    found, size = bench.journal.notes(), 0
    lines: list[str] = []
    for entry in reversed(found):
        size += len(entry["text"])
        if size > NOTES:
            break
        lines.append(f"- {entry['text']}")
    left = len(found) - len(lines)
    return "\n".join([*([f"[... {left} older notes: see recall ...]"] if left else []), *reversed(lines)])


def latest_advice(bench: Bench) -> str:
    """What the supervisor said last, and what came of it; empty when it said nothing."""
    found = bench.journal.interventions(last=1)
    if not found:
        return ""
    lines = [f"- {entry['title']} (start from {entry.get('start_from') or 'best'})" for entry in directions(found[0])]
    return elide("\n".join([f"{found[0].advice.get('diagnosis', '')} [{found[0].outcome}]", *lines]), LONGEST_ADVICE)


def guidance(bench: Bench) -> list[str]:
    """Plan and latest advice, as parts of a brief; none when there are none."""
    parts = {"Plan": plan_text(bench), "Latest advice of the supervisor": latest_advice(bench)}
    return [f"# {title}\n{text}" for title, text in parts.items() if text]


def advice_line(advice: Intervention) -> str:
    """One time that the supervisor had the floor: why, what it named, what came of it."""
    titles = "; ".join(str(entry["title"])[:LONGEST_TITLE] for entry in directions(advice)) or "nothing left"
    return f"advice {advice.id}, {advice.trigger}: {' '.join(titles.split())} -> {advice.outcome}"


def directions(advice: Intervention) -> list[dict[str, Any]]:
    """What it named."""
    return [entry for entry in advice.advice.get("directions", ()) if isinstance(entry, dict) and entry.get("title")]


async def end_step(bench: Bench, reason: str, exhausted: bool = False) -> Answer:
    """Give this step up without a commit. exhausted: only when you have no direction left that is worth trying."""
    bench.ended, bench.exhausted = reason, exhausted
    return Answer("The step is given up.", Ended(reason, exhausted))
