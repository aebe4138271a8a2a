"""`avo redteam`: a test that the judge refuses what it must refuse."""

from __future__ import annotations

from typing import Annotated

import typer

from avo.cli.options import AsJson, Target, print_json, printable, resolve_target
from avo.scenarios.loader import load
from avo.tools.audit.redteam import SCENARIO, RedTeam, candidates, chosen, summary
from avo.tools.devices.gpu import gpu
from avo.tools.devices.roofline import device

Names = Annotated[list[str] | None, typer.Argument(help="Candidates, * allowed [default: all].", metavar="NAME")]


def redteam(names: Names = None, target: Target = "auto", as_json: AsJson = False) -> None:
    """Judge the shipped candidates that cheat, are wrong, or odd but legal. Exit code 1 unless all is as expected."""
    target = resolve_target(target, load(SCENARIO))
    team = chosen(candidates(target), names or [])
    outcomes = []
    for outcome in RedTeam(target).play(team):
        outcomes.append(outcome)
        line = f"{outcome.fault or 'ok':17} {outcome.name}: expected {outcome.expected}, got {outcome.got}"
        line += f": {outcome.reason}" if outcome.reason else ""
        typer.echo(printable(f"{line} ({outcome.seconds:.1f} s)".replace("\n", " ")), err=as_json)
    told = summary(target, device() if target == "cpu" else gpu(), outcomes)
    faults = [outcome.name for outcome in outcomes if outcome.fault]
    if as_json:
        print_json(told)
    else:
        counts = f"{told['rejected']} of {told['total']} rejected, {len(faults)} not as expected"
        print(f"{target}, {told['device']}: {counts}{': ' if faults else ''}{', '.join(faults)}")
    raise typer.Exit(1 if faults else 0)
