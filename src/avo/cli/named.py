"""The scenario of a command: the one that it names, or that of its run. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from avo.scenarios.catalog import folder, names
from avo.types import AvoError

RUN_SETTINGS, FILE = "run.toml", "scenario.toml"


def scenario_place(name: str | None, run: Path | None) -> Path:
    """Return the folder of scenario `name`; by default, and if it is called so, of the scenario of `run`.

    Raises AvoError that says how to name the folder, if it is gone.
    """
    if run is None or not (run / RUN_SETTINGS).is_file():
        return folder(name or "")
    from avo.memory.archive import settings_in  # only where there is a run: a mistake is answered without it

    found = settings_in(run / RUN_SETTINGS)
    scenario, kept = found["scenario"], Path(found.get("path") or "/")
    if name not in (None, scenario):
        return folder(name or "")
    if kept.name == scenario and (kept / FILE).is_file():
        return kept.resolve()
    try:
        return folder(scenario)
    except AvoError as error:
        lost = f", which was in {kept}, is gone" if kept.name == scenario else f" is not found ({error})"
        remedy = f"name its folder once, and the run will know it: avo step begin FOLDER --run {run}"
        raise AvoError(f"{run}: its scenario {scenario}{lost}: {remedy}") from error


def as_named(place: Path) -> str:
    """Return a scenario's argument for further commands: its name where that suffices, else its folder."""
    return place.name if place.name in names() and folder(place.name) == place else str(place)
