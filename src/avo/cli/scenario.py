"""`avo scenario list`, `show` and `new`: the available scenarios, and new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from avo.cli.options import AsJson, ScenarioName, print_json, printable
from avo.scenarios.abi import header
from avo.scenarios.catalog import folder as folder_of
from avo.scenarios.catalog import folders
from avo.scenarios.loader import load
from avo.scenarios.scaffold import create
from avo.settings import SCENARIOS
from avo.types import AvoError


def list_scenarios(as_json: AsJson = False) -> None:
    """List the scenarios: the shipped ones, those of AVO_SCENARIO_PATH, those of installed packages."""
    found = [_listed(place) for place in folders()]
    if as_json:
        print_json(found)
        return
    for entry in found:
        told = entry.get("error") or f"{entry['summary']}  [{', '.join(entry['targets'])}]"
        origin = f"  ({entry['from']})" if "from" in entry else ""
        print(printable(f"{entry['name']:20} {told}{origin}"))


def _listed(place: Path) -> dict[str, Any]:
    """Return a scenario's entry in the list, with the error if it cannot be loaded."""
    origin = {} if place.parent == SCENARIOS else {"from": str(place.parent)}
    try:
        scenario = load(str(place))
    except AvoError as error:
        return {"name": place.name, "error": " ".join(str(error).split())} | origin
    return {"name": scenario.name, "summary": scenario.summary, "targets": list(scenario.targets)} | origin


def show(name: ScenarioName, as_json: AsJson = False) -> None:
    """Show a scenario: task, ABI, targets and cases."""
    scenario = load(str(folder_of(name)))
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


def new(
    name: Annotated[str, typer.Argument(help="What to call it: a letter, then letters, digits and _.", metavar="NAME")],
    folder: Annotated[Path, typer.Argument(help="Where its folder goes.", metavar="DIR")] = Path(),
    like: Annotated[
        str, typer.Option(envvar="AVO_LIKE", help="The scenario to extend [default: a small problem of its own].")
    ] = "",
) -> None:
    """Write the folder of a new scenario, which runs at once; CHANGE marks what is yours. Overwrites nothing."""
    if like:
        folder_of(like)

    made = create(name, folder.expanduser(), like)
    shown = made if made.is_absolute() else f"./{made}"
    print(f"wrote {shown}: {', '.join(sorted(path.name for path in made.iterdir()))}")
    print(f"next:  avo scenario check {shown}\n       avo run scenario {shown}")
