"""`avo compare`: two candidates compared as by the gate, without keeping anything."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from avo.cli.commit import SHOWN
from avo.cli.named import scenario_place
from avo.cli.options import AsJson, RunFolder, ScenarioName, Target, latest_run, print_json, resolve_target
from avo.run import existing
from avo.scenarios.loader import load
from avo.tools.build.seeds import folder_sources
from avo.tools.build.sources import Sources
from avo.tools.origin import sources_of
from avo.tools.score.executor import LocalExecutor
from avo.tools.texts import comparison_text
from avo.types import AvoError, Comparison, Rejected, Unfit

VERSION = re.compile(r"v\d+|best|seed-from")
"""Names of versions; other arguments are folders."""
Side = Annotated[
    str,
    typer.Argument(
        metavar="SIDE", help="A folder with sources, or of the run: v0, v1, … best; seed-from: what was brought in."
    ),
]


def compare(
    scenario: ScenarioName,
    first: Side,
    second: Side,
    target: Target = "auto",
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Time SECOND against FIRST, interleaved in one lease of the device; both are checked. Exit code 1: one is wrong.

    A folder that is called like a version is written ./v1.
    """
    place = scenario_place(scenario, run)

    loaded = load(str(place))
    executor = LocalExecutor(loaded, resolve_target(target, loaded))
    result, rejected = _measured(executor, [(name, _sources(name, run)) for name in (first, second)])
    if result is None:
        print_json({"first": first, "second": second, "rejected": rejected}) if as_json else print(rejected)
        raise typer.Exit(1)
    if as_json:
        print_json({"first": first, "second": second} | {key: getattr(result, key) for key in SHOWN})
        return
    verdict = "faster" if result.improved else "not told apart" if result.matched else "slower"
    print(f"{second} is {comparison_text(result, first)}\n{verdict}")


def _measured(executor: LocalExecutor, sides: list[tuple[str, Sources]]) -> tuple[Comparison | None, str]:
    """Return the comparison and "", or None and the rejected side with the reason."""

    (first, one), (second, other) = sides
    try:
        return executor.compare(one, other), ""
    except Unfit as error:
        return None, f"{first}: {error}"
    except Rejected as error:
        return None, f"{second}: {error}" + (f"\n{error.log}" if error.log else "")


def _sources(name: str, run: Path | None) -> Sources:
    """Return the sources of a version, or in a folder. Raises AvoError."""
    if VERSION.fullmatch(name):
        journal, lineage = existing(run or latest_run())
        with closing(journal):
            return sources_of(journal, lineage, name)[1]
    if not Path(name).is_dir():
        raise AvoError(f"no folder '{name}', and no version: those are called v0, v1, … best; seed-from")
    return folder_sources(Path(name))
