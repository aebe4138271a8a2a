"""`avo scenario check`: the soundness of a scenario."""

from __future__ import annotations

import typer

from avo.cli.options import AsJson, ScenarioName, Target, print_json, printable, resolve_target
from avo.scenarios.catalog import folder
from avo.scenarios.loader import load
from avo.tools.audit.soundness import Report, examine, of_the_files
from avo.types import AvoError


def check(name: ScenarioName, target: Target = "auto", as_json: AsJson = False) -> None:
    """Prove a scenario sound before anyone spends money on it. Exit code 1 with findings."""
    place = folder(name)
    try:
        scenario = load(str(place))
    except AvoError as error:
        report = Report(place.name, target, (of_the_files(error),))
    else:
        report = examine(scenario, resolve_target(target, scenario))
    if as_json:
        print_json(report.as_dict())
    else:
        print(printable("\n".join(report.lines())))
    raise typer.Exit(1 if report.findings else 0)
