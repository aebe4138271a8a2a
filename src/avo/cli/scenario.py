"""`avo scenario`: which problems there are."""

from __future__ import annotations

import typer

from avo.cli.options import AsJson, ScenarioName, print_json

app = typer.Typer(help="List and show scenarios.", no_args_is_help=True)


@app.command("list")
def list_scenarios(as_json: AsJson = False) -> None:
    """List the scenarios."""
    from avo.scenarios.catalog import names
    from avo.scenarios.loader import load

    found = [load(name) for name in names()]
    if as_json:
        print_json([{"name": s.name, "summary": s.summary, "targets": list(s.targets)} for s in found])
        return
    for scenario in found:
        print(f"{scenario.name:20} {scenario.summary}  [{', '.join(scenario.targets)}]")


@app.command("show")
def show(name: ScenarioName, as_json: AsJson = False) -> None:
    """Show a scenario: task, ABI, targets and cases."""
    from avo.scenarios.catalog import folder

    folder(name)

    from avo.scenarios.abi import header
    from avo.scenarios.loader import load

    scenario = load(name)
    if as_json:
        print_json(scenario.model_dump(mode="json"))
        return
    print(f"{scenario.name}: {scenario.summary}\n{scenario.path}\n\n{scenario.task.strip()}\n\n{header(scenario)}")
    for name, target in scenario.targets.items():
        print(f"target {name}: seed {target.seed}, {' '.join(target.flags)}, baselines {', '.join(target.baselines)}")
    for case in scenario.cases:
        print(f"case {case.id:8} {case.family:5} {case.dims}")
    for case in scenario.tests:
        print(f"test {case.id!r}: {case.dims}, {case.inputs}{', hidden from the agent' if case.hidden else ''}")
