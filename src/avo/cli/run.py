"""`avo run scenario`: begins or resumes a run."""

from __future__ import annotations

from typing import Annotated

import typer

from avo.cli.named import scenario_place
from avo.cli.options import AsJson, BaseUrl, NewRun, ScenarioName, SeedFrom, Target


def scenario(
    name: ScenarioName,
    target: Target = "auto",
    model: Annotated[
        str,
        typer.Option(
            envvar="AVO_MODEL",
            metavar="MODEL",
            help="tuner, KIND:NAME, or a component file [default: avo.toml, tuner].",
        ),
    ] = "",
    supervisor_model: Annotated[
        str, typer.Option(envvar="AVO_SUPERVISOR_MODEL", metavar="MODEL", help="Another model for the supervisor.")
    ] = "",
    base_url: BaseUrl = "",
    steps: Annotated[int, typer.Option(envvar="AVO_STEPS", min=0, help="Variation steps in all; 0: no limit.")] = 0,
    minutes: Annotated[float, typer.Option(envvar="AVO_MINUTES", min=0, help="Minutes in all; 0: no limit.")] = 0,
    budget_usd: Annotated[
        float, typer.Option(envvar="AVO_BUDGET_USD", min=0, help="USD for model calls in all; 0: no limit.")
    ] = 0,
    max_attempts: Annotated[
        int, typer.Option(envvar="AVO_MAX_ATTEMPTS", min=0, help="Evaluations in all, with the seed's; 0: no limit.")
    ] = 0,
    goal: Annotated[float, typer.Option(envvar="AVO_GOAL", min=0, help="Stop at this score; 0: no goal.")] = 0,
    run: NewRun = None,
    seed_from: SeedFrom = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="AVO_DRY_RUN", help="Say what the limits buy; start and write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Evolve SCENARIO's kernel. The same command resumes a run; Ctrl-C stops it after the current tool call."""

    place = scenario_place(name, run)
    # AutoGen, the clients and git take half a second: help, and a mistake in the command, are answered without them.
    from avo.cli.evolution import start

    start(
        place, run, target, (model, supervisor_model), base_url, (steps, minutes, goal, budget_usd, max_attempts),
        seed_from=seed_from, dry_run=dry_run, as_json=as_json,
    )  # fmt: skip
