"""`avo lineage export` and `import`: a run in one file, for reading or continuing elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from avo.cli.named import scenario_place
from avo.cli.options import AsJson, NewRun, RunFolder, latest_run, output, print_json, printable
from avo.memory import archive
from avo.run import existing, import_run
from avo.types import AvoError, counted, figure


def export(
    file: Annotated[Path | None, output("File to write [default: SCENARIO-TARGET-vN.avo.zip].")] = None,
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a run into one file: every version, attempt, message and note. The run may be under way meanwhile."""
    folder = run or latest_run()
    _, lineage = existing(folder)
    settings = archive.settings_in(folder / archive.SETTINGS)
    file = file or Path(f"{settings['scenario']}-{settings['target']}-{lineage.best().name}.avo.zip")
    manifest = archive.export(folder, file)
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size} | asdict(manifest))
        return
    print(
        f"{counted(manifest.versions, 'version')} and {counted(manifest.attempts, 'attempt')} of {folder} in {file} "
        f"({file.stat().st_size / 1024:,.0f} KiB)\nelsewhere: avo lineage import {file.name}"
    )


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What avo lineage export wrote.")],
    run: NewRun = None,
    as_json: AsJson = False,
) -> None:
    """Make a run of FILE, or bring one that holds fewer versions of the same lineage forward.

    Scores are those of the machine that measured them. A file that is damaged or made up changes nothing.
    """
    folder, manifest, new = import_run(file, run)
    journal, lineage = existing(folder)
    best = lineage.champion()
    device = lineage.facts(best).get("Device", "")
    if as_json:
        facts = {"scenario": manifest.scenario, "target": manifest.target, "versions": manifest.versions}
        numbers = {"new_versions": new, "attempts": journal.tried()}
        print_json({"run": str(folder)} | facts | numbers | {"best": best.name, "score": best.score, "device": device})
        return
    went_on = f"avo run scenario {manifest.scenario} --target {manifest.target} --run {folder}"
    try:
        scenario_place(None, folder)
    except AvoError:
        went_on += f" (there is no scenario {manifest.scenario} here: name its folder in its place)"
    print(
        printable(
            f"{counted(new, 'new version')} in {folder}, {manifest.versions} in all\n"
            f"best {best.name}: {figure(best.score)} {best.unit} on {device or 'a machine that is not named'}\n"
            f"go on with it: {went_on}"
        )
    )
