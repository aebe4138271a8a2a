"""A run directory: made or opened again by the same command, held by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avo.memory.journal import Journal
from avo.memory.lineage import Lineage
from avo.scenarios.loader import Scenario
from avo.tools.bench import Bench
from avo.tools.executor import LocalExecutor
from avo.tools.seeds import seed_sources
from avo.tools.sources import digest, write_sources
from avo.types import AvoError, Missing, NothingScored

SETTINGS = "run.toml"
JOURNAL = "avo.db"
LINEAGE = "lineage"
ARTIFACTS = "artifacts"


@contextmanager
def open_run(folder: Path, scenario: Scenario, target: str, model: str) -> Iterator[Bench]:
    """The bench of the run in `folder`, which is made when it is not there. Raises AvoError when it is another's."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AvoError(f"{folder} is in use by another avo process") from error
        _claim(folder, scenario, target, model)
        journal = Journal(folder / JOURNAL, create=True)
        lineage = Lineage(folder / LINEAGE, create=True)
        lineage.repair()
        if journal.count("steps") and not lineage.versions():
            raise AvoError(f"{folder}: the journal has steps, but the lineage has no version: it was lost or replaced")
        artifacts = folder / ARTIFACTS
        artifacts.mkdir(exist_ok=True)
        bench = Bench(
            scenario, target, lineage, journal, LocalExecutor(scenario, target, artifacts / "builds"), artifacts
        )
        try:
            yield bench
        finally:
            journal.close()


def _claim(folder: Path, scenario: Scenario, target: str, model: str) -> None:
    """Write run.toml, or check that the one there belongs to the same scenario and target."""
    path = folder / SETTINGS
    if path.is_file():
        try:
            found = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise AvoError(f"{path}: {error}") from error
        if "scenario" not in found or "target" not in found:
            raise AvoError(f"{path} is damaged: it has to say scenario = … and target = …, as it did")
        if (found.get("scenario"), found.get("target")) != (scenario.name, target):
            there = f"{found.get('scenario')} on {found.get('target')}"
            raise AvoError(f"{folder} holds a run of {there}, not of {scenario.name} on {target}: give another --run")
        if found.get("digest") != scenario.digest and (folder / LINEAGE / ".git" / "refs" / "tags" / "v0").is_file():
            changed = f"{scenario.path} is not as it was when this run began, so its scores would not compare"
            raise AvoError(f"{changed}: give another --run, or put scenario.toml and reference.py back")
    elif any((folder / name).exists() for name in (JOURNAL, LINEAGE)):
        raise AvoError(f"{folder} holds a run without its {SETTINGS}")
    elif others := [entry.name for entry in folder.iterdir() if entry.name != "lock"]:
        raise AvoError(f"{folder} is not a run and not empty (it has {others[0]}): give another --run")
    settings = {"scenario": scenario.name, "target": target, "model": model, "digest": scenario.digest}
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    if not path.is_file() or path.read_text() != text:
        scratch = path.with_suffix(".new")
        with scratch.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)


async def plant_seed(bench: Bench) -> None:
    """Score the seed and commit it as v0, unless that was done. Raises NothingScored when it does not pass."""
    if bench.lineage.versions():
        return
    files = seed_sources(bench.scenario, bench.target)
    write_sources(files, bench.work_tree)
    bench.journal.forget_rejected(digest(files))  # the scenario or the machine may have been mended since
    attempt, _ = await bench.evaluate(files, "the seed")
    if not attempt.verdict.passed:
        verdict = attempt.verdict
        raise NothingScored(f"the seed of {bench.scenario.name} scores nothing: {verdict.status}: {verdict.reason}")
    bench.lineage.commit(
        files, bench.added(), attempt.tree, attempt.verdict, f"Seed of {bench.scenario.name}",
        trailers={"Target": bench.target, "Direction": "the seed", "Attempts": "1"},
    )  # fmt: skip
    bench.lineage.restore()


def existing(folder: Path) -> tuple[Journal, Lineage]:
    """Journal and lineage of a run, to read. Raises Missing when there is none."""
    if not (folder / SETTINGS).is_file():
        raise Missing(f"no run in {folder}; start one: avo run scenario mha_causal (or name it with --run DIR)")
    return Journal(folder / JOURNAL, reading=True), Lineage(folder / LINEAGE)
