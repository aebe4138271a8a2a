"""Begins a run from a version of another run: finds it, imports it, scores it, and describes what to adapt."""

from __future__ import annotations

import difflib
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from avo.memory.archive import JOURNAL, LINEAGE, SETTINGS, settings_in
from avo.memory.journal.journal import EXTERNAL, Attempt, Journal
from avo.memory.journal.origin import Brought
from avo.memory.lineage import Lineage
from avo.sandbox.process import elide
from avo.scenarios.abi import HEADER, header
from avo.tools.build.knobs import settings_of
from avo.tools.build.sources import digest
from avo.tools.origin import SEED_FROM, brought, first_of_line
from avo.tools.payloads import TASK, Begun, payloads_of
from avo.tools.texts import verdict_text
from avo.tools.workspace import Workspace
from avo.types import AvoError, Missing, figure

OPTION = "--seed-from"
"""The option of `avo run`, for messages."""
ANOTHER = "name another version or run, or import it again from an archive"
"""Hint for a damaged run."""
LONGEST_PART = 6_000
"""Maximum length in characters of a verdict or a difference in a brief."""


def bring(spec: str, folder: Path, target: str) -> Brought | None:
    """Return the version that `spec` names, from which the run in `folder` is to begin; None if it already did.

    spec: RUN, RUN@vN or RUN@best; without a version the best. Raises AvoError.
    """
    before, versions = None, []
    if (folder / JOURNAL).is_file():
        with closing(Journal(folder / JOURNAL, reading=True)) as journal:
            before = brought(journal)
        with suppress(AvoError):  # a kill left it half made: who opens the run makes it again
            versions = Lineage(folder / LINEAGE).versions()
    if before and before.spec == spec:
        return None
    came = _read(spec, target)
    if before and before.commit == came.commit:
        return None
    if before or versions:
        began = before.label if before else "its scenario's seed"
        held = f"has versions already (v0 to {versions[-1].name})" if versions else "was begun already"
        raise AvoError(f"{OPTION} {spec}: {folder} {held}, from {began}: give another --run, or leave {OPTION} out")
    return came


def _read(spec: str, target: str) -> Brought:
    """Return a version of another run. Raises AvoError with file, key and remedy."""
    folder, version = _named(spec)
    path = folder / SETTINGS
    if not path.is_file():
        remedy = f"name a run directory, RUN@vN or RUN@best (of an archive: avo lineage import FILE --run {folder})"
        raise AvoError(f"{OPTION} {spec}: no run in {folder}, it has no {SETTINGS}: {remedy}")
    try:
        found = settings_in(path)
        if found["target"] != target:
            remedy = f"name a run for {target}, or give --target {found['target']}"
            raise AvoError(f"{path}: target is {found['target']}, and this run is for {target}: {remedy}")
        lineage = Lineage(folder / LINEAGE)
        chosen = lineage.version(version)
        files = lineage.files(chosen)
        if digest(files) != chosen.tree:
            problem = f"the sources of {chosen.name} are not those that were scored"
            raise AvoError(f"{folder / LINEAGE} is damaged: {problem}; {ANOTHER}")
        abi = lineage.folder / HEADER
        with closing(Journal(folder / JOURNAL, reading=True)) as journal:
            task = _task(journal)
    except Exception as error:  # what git, SQLite and Python say of files that somebody damaged
        cause = error.__cause__ if isinstance(error.__cause__, sqlite3.Error) else error
        if cause is not error and isinstance(error, Missing):
            raise
        if isinstance(cause, AvoError):
            raise AvoError(f"{OPTION} {spec}: {cause}") from error
        problem = f"{type(cause).__name__}: {cause}".partition("\n")[0][:200]
        raise AvoError(f"{OPTION} {spec}: the run in {folder} is damaged ({problem}): {ANOTHER}") from error
    return Brought(
        spec, folder.resolve().name, found["scenario"], chosen.name, chosen.commit, chosen.score, chosen.unit,
        abi.read_text("utf-8", "replace") if abi.is_file() else "", task, files,
    )  # fmt: skip


def _named(spec: str) -> tuple[Path, str]:
    """Return folder and version; a folder's name may contain an @."""
    name, mark, version = spec.rpartition("@")
    if not mark or Path(spec).is_dir():
        return Path(spec).expanduser(), "best"
    return Path(name).expanduser(), version or "best"


def _task(journal: Journal) -> str:
    """Return a run's task, by its latest brief; "" if it has none."""
    for agent in ("worker", EXTERNAL):
        told = journal.latest(agent, "task")
        begun = payloads_of(told).get(TASK) if told else None
        if isinstance(begun, Begun):
            return begun.task
    return ""


async def tried(workspace: Workspace, came: Brought) -> Attempt:
    """Return the attempt that scores the imported origin as it is.

    Its knobs are not kept if it does not pass: a value that fails there means nothing for the seed.
    """
    tree = digest(came.files)
    # the scenario or the machine may have been mended since
    workspace.journal.forget(tree, "it is tried again", rejected=True)
    if known := workspace.known(came.files):
        return known
    verdict = await workspace.blocking(lambda: workspace.verdict(came.files))
    knobs = settings_of(came.files) if verdict.passed else {}
    return workspace.record(came.files, f"brought in: {came.label}", verdict, knobs)


def adaptation(workspace: Workspace) -> list[str]:
    """Return the first task of a run whose origin does not pass, as parts of a brief; empty if there is none."""
    came = brought(workspace.journal)
    if came is None or first_of_line(workspace.journal, workspace.lineage, came):
        return []
    attempt = workspace.journal.attempt_of(digest(came.files))
    verdict = elide(verdict_text(attempt.verdict), LONGEST_PART) if attempt else "it was not tried"
    where = f"`attempts` with number {attempt.id} has all of it" if attempt else "`evaluate` tries it"
    text = (
        f"This run was begun from {came.label}, {figure(came.score)} {came.unit} there. It does not pass here, so v0 "
        "is this scenario's own seed.\nYour first task is to adapt it: `checkout` with the version "
        f'"{SEED_FROM}" puts its sources into the work tree, `read_file` with it shows them (by command: '
        f"avo lineage checkout {SEED_FROM}). Make them right on this scenario and change nothing else; once they pass, "
        f"commit: the gate compares them with the best version, as it does any. Then make them faster.\n"
        f"Verdict on it here ({where}):\n{verdict}"
    )
    abi = _differs(came.abi, header(workspace.scenario), came.scenario, HEADER)
    task = _differs(came.task, workspace.scenario.task, came.scenario, "task")
    return [
        f"# First: adapt what was brought in\n{text}",
        f"# What differs in {HEADER}, there and here\n{abi}",
        f"# What differs in the task, there and here\n{task}",
    ]


def _differs(there: str, here: str, scenario: str, name: str) -> str:
    """Return the unified diff of two texts."""
    if not there:
        return f"(what it was in {scenario} is not known)"
    lines = difflib.unified_diff(
        there.strip().splitlines(), here.strip().splitlines(), f"{scenario}/{name}", f"here/{name}", lineterm=""
    )
    return elide("\n".join(lines), LONGEST_PART) or "nothing"
