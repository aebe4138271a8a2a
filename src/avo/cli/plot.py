"""`avo lineage plot`: the growth of the best score, version by version, beside the baselines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from avo.cli.options import AsJson, RunFolder, latest_run, output, print_json
from avo.memory.archive import SETTINGS, settings_in
from avo.memory.trajectory import trajectory
from avo.run import existing
from avo.types import AvoError


class By(StrEnum):
    """Unit of the horizontal axis."""

    VERSIONS = "versions"
    ATTEMPTS = "attempts"
    HOURS = "hours"


def plot(
    file: Annotated[Path | None, output("A .png or .svg [default: trajectory.png].")] = None,
    run: RunFolder = None,
    by: Annotated[By, typer.Option(envvar="AVO_BY", help="Unit of the horizontal axis.")] = By.VERSIONS,
    as_json: AsJson = False,
) -> None:
    """Draw the scores of the versions: running best, each case, and the baselines. --json alone prints the figures."""
    folder = run or latest_run()
    if file is not None and file.suffix not in (".png", ".svg"):
        raise AvoError(f"a picture is a .png or an .svg, not '{file.name}'")

    _, lineage = existing(folder)
    settings = settings_in(folder / SETTINGS)
    found = trajectory(lineage, f"{settings['scenario']} on {settings['target']}", by)
    told: dict[str, Any] = found.as_dict()
    if file is not None or not as_json:
        from avo.cli.picture import draw  # matplotlib takes half a second: --help and --json do without it

        file = file or Path("trajectory.png")
        draw(found, file)
        told["file"] = str(file)
    print_json(told) if as_json else print(file)
