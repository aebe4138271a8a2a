"""`avo mcp`: your own coding agent as the variation operator, over the Model Context Protocol."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from avo.agents.tracing import traced
from avo.cli.named import as_named, scenario_place
from avo.cli.options import NewRun, ScenarioName, SeedFrom, Target, resolve_target
from avo.installation import how_to_install
from avo.mcp.client_config import FILES, Client, snippet
from avo.mcp.stdio import take_stdio
from avo.operators.seed import warn_of_seed
from avo.operators.signals import keep_from_children, too_late
from avo.run import open_run
from avo.scenarios.loader import load
from avo.settings import runs_folder
from avo.types import Missing


def mcp(
    scenario: ScenarioName,
    target: Target = "auto",
    run: NewRun = None,
    seed_from: SeedFrom = "",
    print_config: Annotated[
        Client | None,
        typer.Option(envvar="AVO_PRINT_CONFIG", help="Print what a client's configuration needs, and end."),
    ] = None,
) -> None:
    """Serve the tools of a run to a coding agent that speaks MCP, on standard input and output, until it leaves.

    A run that is not there is made, with the seed as v0. This server alone holds it; the step stays open at its end.
    """
    place = scenario_place(scenario, run)

    loaded = load(str(place))
    target = resolve_target(target, loaded)
    run = (run or runs_folder() / f"{loaded.name}-{target}").expanduser().resolve()
    if print_config:
        print(f"avo: for {FILES[print_config]}", file=sys.stderr)
        origin = ["--seed-from", str(Path(seed_from).absolute())] if seed_from else []
        print(snippet(print_config, [as_named(place), "--target", target, "--run", str(run), *origin]))
        return
    try:  # the SDK is an optional package
        from avo.mcp.server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise Missing(f"avo mcp needs the MCP SDK: {how_to_install('mcp')}") from error

    stdio = take_stdio()
    keep_from_children()  # before the first git process, which stays for as long as the run is open
    with traced(), open_run(run, loaded, target, seed_from=seed_from) as workspace:
        warn_of_seed(workspace)
        left_by = asyncio.run(serve(workspace, stdio))
        too_late()  # what is left to do takes a moment, and a client that ends us meanwhile means no harm
    raise typer.Exit(130 if left_by else 0)
