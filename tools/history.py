"""The tools on history: versions, differences, attempts, notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from avo.memory.journal.journal import Intervention
from avo.memory.journal.origin import Brought
from avo.memory.lineage import Lineage
from avo.sandbox.process import elide
from avo.tools.answer import Answer
from avo.tools.build.knobs import knobs_of
from avo.tools.build.sources import Sources, digest, read_sources, write_sources
from avo.tools.origin import SEED_FROM, brought
from avo.tools.payloads import Ended, Tree, evaluations
from avo.tools.plan import LARGEST_NUMBER, plan_text
from avo.tools.texts import attempt_line, verdict_text
from avo.tools.workspace import OLDER, Workspace, unified_diff
from avo.types import RULES, ToolError, Unknown, Version, figure

LONGEST_ANSWER = 30_000
"""Maximum length in characters of an answer."""
MOST_LISTED = 2_000
"""Maximum number of attempts in a list."""
SHOWN = 25
"""Maximum number of versions in a brief."""
LONGEST_NOTE = 2_000
"""Maximum length in characters of a note."""
NOTES = 10_000
"""Maximum length in characters of all notes in a brief."""
LONGEST_ADVICE, LONGEST_TITLE = 3_000, 160
"""Maximum length of advice, and of a direction's title, in characters."""


def _version(workspace: Workspace, name: str) -> Version:
    try:
        return workspace.lineage.version(name)
    except Unknown as error:
        more = f", and {SEED_FROM}" if brought(workspace.journal) else ""
        raise ToolError(f"{error}{more}") from error


def _brought(workspace: Workspace) -> Brought:
    if came := brought(workspace.journal):
        return came
    raise ToolError(f"this run was not begun from another, so it has no {SEED_FROM}")


async def lineage(workspace: Workspace) -> str:
    """List the versions kept so far, oldest first: score, gain over the best before it, message."""
    return "\n".join(_line(workspace, version) for version in workspace.lineage.versions())


def _line(workspace: Workspace, version: Version) -> str:
    """Return a version as one line with the score that counts, and the reason if that does not compare."""
    attempt = workspace.journal.attempt_of(version.tree)
    if attempt and attempt.verdict.passed:
        return version_line(workspace.scored(version), workspace.origin(attempt.verdict))
    return version_line(version, scored_by(workspace.lineage, version))


def scored_by(lineage: Lineage, version: Version) -> str:
    """Return OLDER if a version's own score is by an older judge, else ""."""
    return "" if lineage.facts(version).get("Rules") == RULES else OLDER


def shortened(listing: str) -> str:
    """Return the first line and the last ones of a long list."""
    lines = listing.splitlines()
    left = len(lines) - SHOWN
    return "\n".join(lines if left <= 0 else [lines[0], f"[... {left} versions: see lineage ...]", *lines[1 + left :]])


def version_line(version: Version, origin: str = "") -> str:
    """Return a version as one line. origin: why its score does not compare."""
    kind = ("" if version.improved else " (match)") + (f" ({origin})" if origin else "")
    title = version.message.partition("\n")[0]
    return f"{version.name} {figure(version.score)} {version.unit} x{version.gain:.3f}{kind}  {title}"


def read_version(workspace: Workspace, version: str, path: str) -> str:
    """Return a source file of a version or of the imported origin; without a path, message, scores and files.

    Raises ToolError for an unknown version or file.
    """
    if version == SEED_FROM:
        came = _brought(workspace)
        return _read(came.files, path, SEED_FROM, _origin(came))
    found = _version(workspace, version)
    scores = ", ".join(f"{case} {figure(value)}" for case, value in workspace.scored(found).scores.items())
    return _read(
        workspace.lineage.files(found),
        path,
        found.name,
        f"{_line(workspace, found)}\n{found.message}\nscores: {scores}",
    )


def _read(files: Sources, path: str, name: str, head: str) -> str:
    """Return one of the files, or for no path the head and a list of all. Raises ToolError."""
    if not path:
        return f"{head}\nfiles: {', '.join(files)}"
    if path not in files:
        raise ToolError(f"{name} has no file '{path}'; it has: {', '.join(files)}")
    return files[path].decode("utf-8", "replace")


async def compare_versions(workspace: Workspace, first: str, second: str) -> str:
    """Show how two versions (v0 … or best) differ: their scores by case and the diff of their sources."""
    (line, before, old), (other, after, new) = _side(workspace, first), _side(workspace, second)
    unit = workspace.scenario.target(workspace.target).unit
    cases = "".join(
        f"{case:10} {figure(value):>10} -> {figure(after[case]):>10} {unit}  x{after[case] / value:.3f}\n"
        for case, value in before.items()
        if case in after
    )
    return elide(f"{line}\n{other}\n{cases}{unified_diff(old, new)}", LONGEST_ANSWER)


def _side(workspace: Workspace, name: str) -> tuple[str, Mapping[str, float], Sources]:
    """Return line, scores here and sources of a version, or of the imported origin. Raises ToolError."""
    if name != SEED_FROM:
        found = _version(workspace, name)
        return _line(workspace, found), workspace.scored(found).scores, workspace.lineage.files(found)
    came = _brought(workspace)
    tried = workspace.journal.attempt_of(digest(came.files))
    here = f"{tried.verdict.status} here" if tried else "not tried here"
    return f"{_origin(came)}, {here}", tried.verdict.scores if tried else {}, came.files


def _origin(came: Brought) -> str:
    return f"{SEED_FROM}: {came.label}, {figure(came.score)} {came.unit} there"


def tree_of(workspace: Workspace, version: str = "") -> Tree:
    """Return the work tree as data for programs. version: the one that was just checked out."""
    try:
        files = workspace.sources()
        return Tree(tuple(files), tuple(knobs_of(files).values()), version=version)
    except (ToolError, OSError) as error:  # it may change meanwhile by other hands
        return Tree((), problem=str(error), version=version)


async def checkout(workspace: Workspace, version: str) -> Answer:
    """Put the sources of a version (v0 … or best) into the work tree; what was not committed is gone."""
    if version == SEED_FROM:
        came = _brought(workspace)
        workspace.lineage.restore()
        for name in read_sources(workspace.work_tree):
            (workspace.work_tree / name).unlink()
        write_sources(came.files, workspace.work_tree)
        return Answer(f"the work tree is what was brought in now: {came.label}", tree_of(workspace, SEED_FROM))
    found = _version(workspace, version)
    workspace.lineage.restore(found)
    return Answer(f"the work tree is {found.name} now", tree_of(workspace, found.name))


async def attempts(workspace: Workspace, last: int = 30, number: int = 0) -> Answer:
    """List the latest evaluations of this run (0: 2,000 of them): number, status, score or reason, knobs, direction.

    number: shows that one whole, with its verdict and its diff against the version it started from.
    """
    if number:
        return Answer(read_attempt(workspace, number))
    listed = workspace.journal.attempts(min(last, MOST_LISTED) if last > 0 else MOST_LISTED)
    origins = [workspace.origin(entry.verdict) for entry in listed]
    text = "\n".join(attempt_line(entry, origin) for entry, origin in zip(listed, origins, strict=True))
    return Answer(text or "none yet", evaluations(zip(listed, (not origin for origin in origins), strict=True)))


def read_attempt(workspace: Workspace, number: int) -> str:
    """Return an evaluation in full: direction, verdict, diff. Raises Unknown if there is none of that number."""
    attempt = workspace.journal.attempt(min(abs(number), LARGEST_NUMBER))
    text = f"attempt {attempt.id}, from {attempt.parent}: {attempt.direction}\n"
    if attempt.forgotten:
        text += f"(it counts no more: {attempt.why_forgotten})\n"
    elif origin := workspace.origin(attempt.verdict):
        text += f"(scored {origin}; `evaluate` scores these sources anew)\n"
    text += verdict_text(attempt.verdict)
    return elide(f"{text}\n{attempt.diff}", LONGEST_ANSWER)


async def note(workspace: Workspace, text: str) -> str:
    """Write down a lesson for later steps: what worked, what did not and why. Every brief shows the notes."""
    workspace.journal.add_note(workspace.step, elide(text, LONGEST_NOTE))
    return "noted"


def latest_notes(workspace: Workspace) -> str:
    """Return as many of the latest notes as fit, in order; "" if there are none."""
    found, size = workspace.journal.notes(), 0
    lines: list[str] = []
    for entry in reversed(found):
        size += len(entry["text"])
        if size > NOTES:
            break
        lines.append(f"- {entry['text']}")
    left = len(found) - len(lines)
    return "\n".join([*([f"[... {left} older notes: see recall ...]"] if left else []), *reversed(lines)])


def latest_advice(workspace: Workspace) -> str:
    """Return the supervisor's latest advice and its outcome; "" if there is none."""
    found = workspace.journal.interventions(last=1)
    if not found:
        return ""
    lines = [f"- {entry['title']} (start from {entry.get('start_from') or 'best'})" for entry in directions(found[0])]
    return elide("\n".join([f"{found[0].advice.get('diagnosis', '')} [{found[0].outcome}]", *lines]), LONGEST_ADVICE)


def guidance(workspace: Workspace) -> list[str]:
    """Return plan and latest advice as parts of a brief; empty if there are none."""
    parts = {"Plan": plan_text(workspace), "Latest advice of the supervisor": latest_advice(workspace)}
    return [f"# {title}\n{text}" for title, text in parts.items() if text]


def advice_line(advice: Intervention) -> str:
    """Return one advice of the supervisor as a line: trigger, directions, outcome."""
    titles = "; ".join(str(entry["title"])[:LONGEST_TITLE] for entry in directions(advice)) or "nothing left"
    return f"advice {advice.id}, {advice.trigger}: {' '.join(titles.split())} -> {advice.outcome}"


def directions(advice: Intervention) -> list[dict[str, Any]]:
    """Return the directions that an advice names."""
    return [entry for entry in advice.advice.get("directions", ()) if isinstance(entry, dict) and entry.get("title")]


async def end_step(workspace: Workspace, reason: str, exhausted: bool = False) -> Answer:
    """Give this step up without a commit. exhausted: only when you have no direction left that is worth trying."""
    workspace.ended, workspace.exhausted = reason, exhausted
    return Answer("The step is given up.", Ended(reason, exhausted))
