"""The origin of a run: a version of another run, whose sources the journal keeps until they are adapted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from avo.memory.journal.journal import Journal
from avo.memory.journal.origin import Brought
from avo.memory.lineage import Lineage
from avo.tools.build.sources import LARGEST_BYTES, MOST_FILES, NAME, Sources, digest
from avo.tools.payloads import Tree, payloads_of
from avo.types import AvoError, Version

SEED_FROM = "seed-from"
"""Name of the imported origin, beside v0, v1, …"""
ENOUGH = 0.5
"""Part of the origin's own lines that a version must contain to count as its descendant."""


def brought(journal: Journal) -> Brought | None:
    """Return the origin imported into the run; None if it began with its scenario's own seed.

    Raises AvoError if the journal's record is no candidate.
    """
    came = journal.brought()
    if came is None:
        return None
    sizes = [len(content) for content in came.files.values()]
    if not 0 < len(sizes) <= MOST_FILES or max(sizes) > LARGEST_BYTES or not all(map(NAME.match, came.files)):
        raise AvoError("the journal's record of what the run was begun from holds no candidate")
    return came


def sources_of(journal: Journal, lineage: Lineage, name: str) -> tuple[str, Sources]:
    """Return name and sources of a version, or of the imported origin. Raises AvoError."""
    came = brought(journal) if name == SEED_FROM else None
    if came:
        return SEED_FROM, came.files
    version = lineage.version(name)
    return version.name, lineage.files(version)


def first_of_line(journal: Journal, lineage: Lineage, came: Brought) -> Version | None:
    """Return the first version that is the imported origin or descends from it; None so far.

    It descends from it if its step last checked that out, or if it contains enough of the lines that the seed lacks.
    """
    versions = lineage.versions()
    if not versions or versions[0].tree == digest(came.files):
        return versions[0] if versions else None
    own = _lines(came.files) - _lines(lineage.files(versions[0]))
    steps = journal.accepted()
    for version in versions[1:]:
        if version.tree in steps and _checked_out(journal, steps[version.tree]) == SEED_FROM:
            return version
        if len(own & _lines(lineage.files(version))) >= max(ENOUGH * len(own), 1):
            return version
    return None


def _checked_out(journal: Journal, step: int) -> str:
    """Return the version that a step last checked out into the work tree; "" if there is none."""
    answers = [data for told in journal.step_results(step, "checkout") for data in payloads_of(told).values()]
    made = [data.version for data in answers if isinstance(data, Tree) and data.version]
    return made[-1] if made else ""


def transfer(journal: Journal, lineage: Lineage) -> dict[str, Any] | None:
    """Return the run's origin and the time it took from there, for JSON; None if it began with its scenario's own seed.

    Seconds are elapsed run time, in sessions of `avo run`; None if everything was done by commands.
    """
    came = brought(journal)
    if came is None:
        return None
    tried = journal.attempt_of(digest(came.files))
    first = first_of_line(journal, lineage, came)
    best = lineage.champion() if lineage.versions() else None
    facts = {key: getattr(came, key) for key in ("run", "scenario", "version", "commit", "score", "unit")}
    verdict = {"status": str(tried.verdict.status), "reason": tried.verdict.reason} if tried else None
    return facts | {"verdict": verdict, "first_correct": _reached(journal, first), "best": _reached(journal, best)}


def transfer_text(told: Mapping[str, Any]) -> str:
    """Return the result of `transfer` as one line."""

    def reached(entry: Mapping[str, Any] | None) -> str:
        if entry is None:
            return "not yet"
        after = "" if entry["seconds"] is None else f" after {entry['seconds']:.1f} s"
        return f"{entry['version']}{after}"

    status = told["verdict"]["status"] if told["verdict"] else "not tried yet"
    return (
        f"begun from {told['version']} of {told['run']} ({told['scenario']}), {status} here; "
        f"first correct of its line: {reached(told['first_correct'])}; best: {reached(told['best'])}"
    )


def _reached(journal: Journal, version: Version | None) -> dict[str, Any] | None:
    """Return a version, and the elapsed run time in seconds when the gate accepted it (v0: when it was scored)."""
    if version is None:
        return None
    at = datetime.fromisoformat(journal.let_in(version.tree) or version.at).timestamp()
    seconds = journal.elapsed_at(at)
    return {"version": version.name, "seconds": None if seconds is None else round(seconds, 1)}


def _lines(files: Sources) -> set[str]:
    """Return the set of all lines, stripped, without empty ones."""
    text = "\n".join(content.decode("utf-8", "replace") for content in files.values())
    return {line.strip() for line in text.splitlines()} - {""}
