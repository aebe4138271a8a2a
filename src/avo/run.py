"""A run's folder: created or reopened by the same command, and held by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from avo.memory.archive import JOURNAL, LINEAGE, SETTINGS, Manifest, settings_in, unpack
from avo.memory.journal.journal import COUNTED, Attempt, Journal
from avo.memory.lineage import Lineage
from avo.scenarios.loader import Scenario, load
from avo.settings import made, printable, runs_folder
from avo.tools.build.seeds import seed_folder, seed_sources
from avo.tools.build.sources import NAME, Sources, digest, write_sources
from avo.tools.origin import brought
from avo.tools.score.executor import LocalExecutor
from avo.tools.transfer import bring, tried
from avo.tools.workspace import Workspace
from avo.types import AvoError, Missing, NothingScored, Version

ARTIFACTS = "artifacts"
"""Subfolder of a run for logs and large outputs."""
LOCK = "lock"
"""File that the process holding a run locks."""
KEPT, PLACE = ("scenario", "target", "model", "digest"), "path"
"""Keys of run.toml, and the key with the path of the scenario's folder on this machine."""


@contextmanager
def open_run(
    folder: Path, scenario: Scenario, target: str, model: str = "", seed_from: str = ""
) -> Iterator[Workspace]:
    """Yield the workspace of the run in `folder`, which is created if missing.

    model: spec to record in run.toml; empty: unchanged.
    seed_from: RUN, RUN@vN or RUN@best, the version with which a new run begins instead of the scenario's seed.
    Raises AvoError if the run belongs to another scenario or target, or another process holds it.
    """
    came = bring(seed_from, folder, target) if seed_from else None
    with _locked(folder):
        _claim(folder, scenario, target, model)
        journal = Journal(folder / JOURNAL, create=True)
        lineage = Lineage(folder / LINEAGE, create=True)
        _recover(journal, lineage)
        if journal.count("steps") and not lineage.versions():
            raise AvoError(f"{folder}: the journal has steps, but the lineage has no version: it was lost or replaced")
        if came:
            journal.keep_brought(came)
        artifacts = folder / ARTIFACTS
        artifacts.mkdir(exist_ok=True)
        workspace = Workspace(scenario, target, lineage, journal, LocalExecutor(scenario, target), artifacts)
        try:
            yield workspace
        finally:
            journal.close()


def _recover(journal: Journal, lineage: Lineage) -> None:
    """Make journal and lineage consistent after a kill: an incomplete lineage, or a journal ahead of it."""
    lineage.repair()
    if versions := lineage.versions():
        journal.settle([version.tree for version in versions])
        advice = journal.interventions(last=1)
        if advice and advice[0].version_before != versions[-1].name:
            journal.record_effect(versions[-1].name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run in `folder` exclusively. Raises AvoError if another process does."""
    made(folder, "--run DIR or AVO_RUNS")
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AvoError(f"{folder} is in use by another avo process") from error
        yield


def _claim(folder: Path, scenario: Scenario, target: str, model: str) -> None:
    """Write run.toml, or check that the existing one is of the same scenario and target. Raises AvoError."""
    found = claimed(folder, scenario, target)
    model = model or found.get("model", "")
    place = str(scenario.path.resolve())
    place = "" if printable(place) != place else place  # TOML holds no name that is no Unicode
    settings = {"scenario": scenario.name, "target": target, "model": model, "digest": scenario.digest}
    settings |= {PLACE: place} if place else {}
    _write_settings(folder / SETTINGS, settings)


def claimed(folder: Path, scenario: Scenario, target: str) -> dict[str, str]:
    """Return the run.toml of the run in `folder`; empty where one can begin.

    Raises AvoError if the run is of another scenario or target, or the scenario has changed.
    """
    path = folder / SETTINGS
    if not path.is_file():
        if any((folder / name).exists() for name in (JOURNAL, LINEAGE)):
            raise AvoError(f"{folder} holds a run without its {SETTINGS}")
        _empty(folder)
        return {}
    found = settings_in(path)
    if (found.get("scenario"), found.get("target")) != (scenario.name, target):
        there = f"{found.get('scenario')} on {found.get('target')}"
        raise AvoError(f"{folder} holds a run of {there}, not of {scenario.name} on {target}: give another --run")
    if found.get("digest") != scenario.digest and (folder / LINEAGE / ".git" / "refs" / "tags" / "v0").is_file():
        changed = f"{scenario.path} is not as it was when this run began, so its scores would not compare"
        remedy = f"begin another --run, --seed-from {folder}@best, or put scenario.toml and reference.py back"
        raise AvoError(f"{changed}: {remedy}")
    return found


def _empty(folder: Path) -> None:
    others = [entry.name for entry in folder.iterdir() if entry.name != LOCK] if folder.is_dir() else []
    if others:
        raise AvoError(f"{folder} is not a run and not empty (it has {others[0]}): give another --run")


def _write_settings(path: Path, settings: Mapping[str, str]) -> None:
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    if not path.is_file() or path.read_text() != text:
        scratch = path.with_suffix(".new")
        with scratch.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)


async def plant_seed(workspace: Workspace) -> None:
    """Commit v0, unless there is one: the imported version if it passes here, else the scenario's seed.

    In an existing run, score the best version and the champion again where the judge or the machine has changed.
    Raises NothingScored if the seed does not pass either.
    """
    if workspace.lineage.versions():
        _mend_work_tree(workspace)
        await _score_anew(workspace)
        return
    came = brought(workspace.journal)
    if came and (attempt := await tried(workspace, came)).verdict.passed:
        files, title, direction = came.files, f"{came.label}, as it is", "brought in"
    else:
        files, attempt = await _seed(workspace)
        title, direction = f"Seed of {workspace.scenario.name}", "the seed"
    trailers = {
        "Target": workspace.target,
        "Direction": direction,
        "Attempts": str(workspace.journal.count("attempts")),
    }
    origin = {"Seed-From": came.origin} if came else {}
    workspace.lineage.commit(files, workspace.added(), attempt.tree, attempt.verdict, title, trailers=trailers | origin)
    workspace.lineage.restore()


async def _score_anew(workspace: Workspace) -> None:
    """Score the best version and the champion, unless this judge did so here. Raises AvoError if one fails."""
    for version in {
        version.name: version for version in (workspace.lineage.champion(), workspace.lineage.best())
    }.values():
        verdict = workspace.lineage.verdict(version)
        attempt = workspace.journal.attempt_of(version.tree)
        if attempt and attempt.verdict.passed:
            verdict = attempt.verdict
        why = workspace.origin(verdict)
        if not why and not (attempt and not attempt.verdict.passed):
            continue
        files = workspace.lineage.files(version)
        workspace.journal.forget(version.tree, "it is tried again", rejected=True)
        attempt, _ = await workspace.evaluate(files, f"{version.name}, scored anew")
        if not attempt.verdict.passed:
            run, problem = workspace.lineage.folder.parent, attempt.verdict
            number = int(version.name[1:])
            other = f"--seed-from {run}@v{number - 1}" if number else f"--seed-from {run}@vN"
            raise AvoError(
                f"{version.name} of {run}, scored {why or 'before'}, does not pass here: {problem.status}: "
                f"{problem.reason}: begin another --run from a version that does, for instance with {other}"
            )


def seed_edited(workspace: Workspace) -> str:
    """Return one line if the scenario's seed was edited since the run began from it; else empty."""
    first = workspace.lineage.version("v0")
    came = brought(workspace.journal)
    if came and digest(came.files) == first.tree:
        return ""  # what was brought in is v0
    with suppress(AvoError):  # a seed that cannot be read any more plays no part either
        if digest(seed_sources(workspace.scenario, workspace.target)) != first.tree:
            place = seed_folder(workspace.scenario, workspace.target)
            how = f"begin another --run, or keep it as a version: avo commit {workspace.scenario.path} {place}"
            how += f" --target {workspace.target} --run {workspace.lineage.folder.parent} -m 'the edited seed'"
            return f"the seed in {place} was edited since this run began from it, and plays no part in it: {how}"
    return ""


async def _seed(workspace: Workspace) -> tuple[Sources, Attempt]:
    """Return the scenario's seed and its evaluation. Raises NothingScored if it does not pass."""
    files = seed_sources(workspace.scenario, workspace.target)
    write_sources(files, workspace.work_tree)
    workspace.journal.forget(
        digest(files), "it is tried again", rejected=True
    )  # the scenario or the machine may have been mended since
    attempt, _ = await workspace.evaluate(files, "the seed")
    if not attempt.verdict.passed:
        verdict = attempt.verdict
        raise NothingScored(f"the seed of {workspace.scenario.name} scores nothing: {verdict.status}: {verdict.reason}")
    return files, attempt


def _mend_work_tree(workspace: Workspace) -> None:
    """Restore the work tree if avo was killed between a commit and the restoration; an open step keeps its edits.

    Such a work tree still has the score file of an older version, which nobody edits.
    """
    best = workspace.lineage.best()
    going = any(step["ended"] is None and step["parent"] == best.name for step in workspace.journal.steps())
    if not going and not workspace.lineage.restored(best):
        workspace.lineage.restore()


@contextmanager
def held(folder: Path) -> Iterator[tuple[Journal, Lineage]]:
    """Yield journal and lineage of an existing run, held exclusively for writing.

    Raises Missing without a run, AvoError if another process holds it.
    """
    existing(folder)[0].close()
    with _locked(folder), closing(Journal(folder / JOURNAL)) as journal:
        lineage = Lineage(folder / LINEAGE)
        _recover(journal, lineage)
        yield journal, lineage


def existing(folder: Path) -> tuple[Journal, Lineage]:
    """Return journal (read-only) and lineage of a run. Raises Missing without one."""
    _there(folder)
    return Journal(folder / JOURNAL, reading=True), Lineage(folder / LINEAGE)


def shared_journal(folder: Path) -> Journal:
    """Return the journal of a run, for writing, though another process may hold the run. Raises Missing without one."""
    _there(folder)
    return Journal(folder / JOURNAL)


def _there(folder: Path) -> None:
    if not (folder / SETTINGS).is_file():
        raise Missing(f"no run in {folder}; start one: avo run scenario mha_causal (or name it with --run DIR)")


def import_run(file: Path, folder: Path | None) -> tuple[Path, Manifest, int]:
    """Create a run from an archive, or extend one that has fewer versions of the same lineage.

    folder: by default runs/SCENARIO-TARGET. Returns the folder, the archive's manifest, and the number of new versions.
    Everything is first unpacked and checked in a temporary folder. Raises AvoError.
    """
    home = made(folder.parent if folder else runs_folder(), "--run DIR or AVO_RUNS")
    with tempfile.TemporaryDirectory(prefix=".avo-import-", dir=home) as scratch:
        staged = Path(scratch) / "run"
        staged.mkdir()
        manifest = unpack(file, staged, _check_sources)
        found = settings_in(staged / SETTINGS)
        place = _own_place(found.get(PLACE, ""), found["digest"])
        kept = {key: found.get(key, "") for key in KEPT} | ({PLACE: place} if place else {})
        _write_settings(staged / SETTINGS, kept)
        folder = folder or home / f"{manifest.scenario}-{manifest.target}"
        if folder.exists() and not (folder / SETTINGS).is_file():
            _empty(folder)
        with _locked(folder):
            if (folder / SETTINGS).is_file():
                return folder, manifest, _forward(folder, staged)
            (staged / LOCK).touch()
            (folder / LOCK).unlink()
            staged.replace(folder)
    return folder, manifest, manifest.versions


def _own_place(place: str, digest: str) -> str:
    """Return the scenario folder named in an archive, if it is here, unchanged, and not another user's; else empty."""
    path = Path(place)
    with suppress(AvoError, OSError, ValueError):
        if place and path.is_absolute() and path.stat().st_uid in (0, os.getuid()) and load(place).digest == digest:
            return place
    return ""


def _forward(folder: Path, staged: Path) -> int:
    """Extend a run to `staged`: versions first, then the journal, so that repeating it after a kill completes it."""
    here, there = settings_in(folder / SETTINGS), settings_in(staged / SETTINGS)
    for key in ("scenario", "target", "digest"):
        if here.get(key) != there[key]:
            raise AvoError(f"{folder} holds a run with {key} {here.get(key)}, not {there[key]}: give another --run")
    lineage, new = Lineage(folder / LINEAGE, create=True), Lineage(staged / LINEAGE)
    lineage.repair()
    kept, coming = ([version.commit for version in side.versions()] for side in (lineage, new))
    if kept != coming[: len(kept)]:
        ahead = kept[: len(coming)] == coming
        problem = "has versions that the archive lacks" if ahead else "is another lineage than the archive's"
        raise AvoError(f"{folder} {problem}: give another --run")
    with closing(Journal(folder / JOURNAL, create=True)) as journal, closing(Journal(staged / JOURNAL)) as other:
        if table := journal.beyond(staged / JOURNAL):
            raise AvoError(f"{folder} went on since the archive was made (its {table} differ): give another --run")
        if kept == coming and all(journal.count(table) == other.count(table) for table in COUNTED):
            return 0
        lineage.take(staged / LINEAGE)
        lineage.repair()
        lineage.restore()
        journal.take(staged / JOURNAL)
    return len(coming) - len(kept)


def _check_sources(version: Version, files: Sources) -> None:
    if odd := [name for name in files if not NAME.match(name)]:
        raise AvoError(f"{version.name} has a file {odd[0]!a}, which is no name for a source")
    if digest(files) != version.tree:
        raise AvoError(f"the sources of {version.name} are not those that were scored")
