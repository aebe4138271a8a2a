"""The scenario of a command: the one that it names, or that of its run. Imports nothing heavy."""

from __future__ import annotations

import os
from pathlib import Path

from avo.scenarios.catalog import folder, names
from avo.settings import runs_folder
from avo.types import AvoError

RUN_SETTINGS, FILE = "run.toml", "scenario.toml"


def scenario_place(name: str | None, run: Path | None) -> Path:
    """Return the folder of scenario `name`; by default, and if nothing else has that name, of the scenario of `run`.

    Raises AvoError that says how to name the folder, if it is gone.
    """
    if name is not None and ("/" in name or name == "."):
        return folder(name)
    run = run or _only_run_of(name)
    if run is None or not (run / RUN_SETTINGS).is_file():
        return folder(name or "")
    from avo.memory.archive import settings_in  # only where there is a run: a mistake is answered without it

    found = settings_in(run / RUN_SETTINGS)
    if name not in (None, found["scenario"]):
        return folder(name or "")
    kept = Path(found.get("path") or "/")
    beside = [place / found["scenario"] for place in (run.parent, run.parent.parent)]
    near = [kept, *(place for place in beside if _own(place))]
    places = [place.resolve() for place in near if place.name == found["scenario"] and (place / FILE).is_file()]
    try:
        places.insert(0, folder(found["scenario"]))
    except AvoError as error:
        if not places:
            named = kept.name == found["scenario"]
            lost = f", which was in {kept}, is gone" if named else f" is not found ({error})"
            remedy = f"name its folder once, and the run will know it: avo step begin FOLDER --run {run}"
            raise AvoError(f"{run}: its scenario {found['scenario']}{lost}: {remedy}") from error
    return places[0] if len(set(places)) == 1 else _as_it_was(places, found.get("digest", ""))


def _as_it_was(places: list[Path], digest: str) -> Path:
    """Return the first folder whose scenario has the digest of the run's scores; else the first."""
    from avo.scenarios.loader import load  # pydantic, for a case that is rare

    for place in places:
        try:
            if load(str(place)).digest == digest:
                return place
        except AvoError:  # it is one that the run is not of
            continue
    return places[0]


def _own(place: Path) -> bool:
    """Return True if a folder belongs to the user: another user's, beside a run, is not used as its scenario."""
    return place.is_dir() and place.stat().st_uid in (0, os.getuid())


def _only_run_of(name: str | None) -> Path | None:
    """Return the only run in runs/ of a scenario that is found nowhere else; else None."""
    try:
        folder(name or "")
    except AvoError:
        found = sorted(runs_folder().glob(f"{name}-*/{RUN_SETTINGS}")) if name and name.isidentifier() else []
        return found[0].parent if len(found) == 1 else None
    return None


def as_named(place: Path) -> str:
    """Return a scenario's argument for further commands: its name where that suffices, else its folder."""
    return place.name if place.name in names() and folder(place.name) == place else str(place)
