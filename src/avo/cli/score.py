"""`avo eval` and `avo build`: an agent's evaluation and build as commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avo.cli.named import scenario_place
from avo.cli.options import AsJson, Direction, ScenarioName, Sources, Target
from avo.scenarios.catalog import folder


def evaluate(
    scenario: ScenarioName,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="Folder with the candidate's sources [default: the seed; with --run its work tree]."
        ),
    ] = None,
    target: Target = "auto",
    run: Annotated[
        Path | None,
        typer.Option("--run", envvar="AVO_RUN", metavar="DIR", help="Keep the attempt in the journal of this run."),
    ] = None,
    direction: Direction = "",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", envvar="AVO_QUICK", help="Look at one timed case and two tests: no score, and no attempt."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score a candidate: every case against the reference, then throughput. Exit code 1 when it is rejected.

    With --run the attempt is kept in that run's journal, which is made when it is not there.
    """
    place = scenario_place(scenario, run)
    # The judge's side is loaded once the name is known to be right: a mistake is answered without it.
    from avo.cli.scoring import evaluate as carry_out

    carry_out(place, path, target, run, direction, quick, as_json)


def build(scenario: ScenarioName, path: Sources = None, target: Target = "auto", as_json: AsJson = False) -> None:
    """Compile a candidate without running it. Exit code 1 when it does not compile."""
    place = folder(scenario)
    from avo.cli.scoring import build as carry_out  # as above

    carry_out(place, path, target, as_json)
