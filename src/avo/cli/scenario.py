"""`avo scenario`: which problems there are, a new one, and whether one is sound."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avo.cli.options import AsJson, ScenarioName, Target, print_json, printable, resolve_target

if TYPE_CHECKING:
    from avo.scenarios.catalog import Place

app = typer.Typer(help="List, show, make and check scenarios.", no_args_is_help=True)
ScenarioPath = Annotated[
    str,
    typer.Option("--scenario-path", envvar="AVO_SCENARIO_PATH", help="Folders with more scenarios, separated by ':'."),
]


def search_in(scenario_path: ScenarioPath = "") -> None:
    """Evolve fast kernels with an autonomous coding agent as the variation operator."""
    if scenario_path:
        os.environ["AVO_SCENARIO_PATH"] = scenario_path


@app.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """List the scenarios: the shipped ones, those of AVO_SCENARIO_PATH, those of installed packages."""
    from avo.scenarios.catalog import places

    found = [_listed(place) for place in places()]
    if as_json:
        print_json(found)
        return
    for entry in found:
        told = entry.get("error") or f"{entry['summary']}  [{', '.join(entry['targets'])}]"
        origin = f"  ({entry['from']})" if "from" in entry else ""
        print(printable(f"{entry['name']:20} {told}{origin}"))


def _listed(place: Place) -> dict[str, Any]:
    """What is told of one; a mistake in another's scenario is told in its line."""
    from avo.scenarios.catalog import SHIPPED
    from avo.scenarios.loader import load
    from avo.types import AvoError

    origin = {} if place.origin == SHIPPED else {"from": place.origin}
    try:
        scenario = load(str(place.folder))
    except AvoError as error:
        return {"name": place.name, "error": " ".join(str(error).split())} | origin
    return {"name": scenario.name, "summary": scenario.summary, "targets": list(scenario.targets)} | origin


@app.command("show")
def show(name: ScenarioName, as_json: AsJson = False) -> None:
    """Show a scenario: task, ABI, targets and cases."""
    from avo.scenarios.catalog import folder

    folder(name)

    from avo.scenarios.abi import header
    from avo.scenarios.loader import load

    scenario = load(name)
    hidden = [case for case in scenario.tests if case.hidden]
    open_ones = scenario.model_copy(update={"tests": tuple(case for case in scenario.tests if not case.hidden)})
    if as_json:  # what an agent may read: hidden tests are counted only
        print_json(open_ones.model_dump(mode="json") | {"hidden_tests": len(hidden)})
        return
    print(f"{scenario.name}: {scenario.summary}\n{scenario.path}\n\n{scenario.task.strip()}\n\n{header(scenario)}")
    for name, target in scenario.targets.items():
        print(f"target {name}: seed {target.seed}, {' '.join(target.flags)}, baselines {', '.join(target.baselines)}")
    for case in scenario.cases:
        print(f"case {case.id:8} {case.family:5} {case.dims}, {', '.join(open_ones.families(case))}")
    for case in open_ones.tests:
        print(f"test {case.id!r}: {case.dims}, {case.inputs}")
    if hidden:
        print(f"{len(hidden)} hidden {'tests' if len(hidden) > 1 else 'test'}")


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="What to call it: a letter, then letters, digits and _.", metavar="NAME")],
    folder: Annotated[Path, typer.Argument(help="Where its folder goes.", metavar="[DIR]")] = Path(),
    like: Annotated[
        str, typer.Option(envvar="AVO_LIKE", help="The scenario to extend [default: a small problem of its own].")
    ] = "",
) -> None:
    """Write the folder of a new scenario, which runs at once; CHANGE marks what is yours. Overwrites nothing."""
    from avo.scenarios.catalog import folder as folder_of

    if like:
        folder_of(like)

    from avo.scenarios.scaffold import create

    made = create(name, folder.expanduser(), like)
    shown = made if made.is_absolute() else f"./{made}"
    print(f"wrote {shown}: {', '.join(sorted(path.name for path in made.iterdir()))}")
    print(f"next:  avo scenario check {shown}\n       avo run scenario {shown}")


@app.command("check")
def check(name: ScenarioName, target: Target = "auto", as_json: AsJson = False) -> None:
    """Prove a scenario sound before anyone spends money on it. Exit code 1 with findings."""
    from avo.scenarios.catalog import folder

    folder(name)

    from avo.scenarios.loader import load
    from avo.tools.soundness import Report, examine, of_the_files
    from avo.types import AvoError

    try:
        scenario = load(name)
    except AvoError as error:
        report = Report(folder(name).name, target, (of_the_files(str(error)),))
    else:
        report = examine(scenario, resolve_target(target, scenario))
    if as_json:
        print_json(report.as_dict())
    else:
        print(printable("\n".join(report.lines())))
    raise typer.Exit(1 if report.findings else 0)
