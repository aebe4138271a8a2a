"""`avo step` and `avo note`: a step of your own by commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from avo.cli.mcp_config import avo_command
from avo.cli.options import (
    AsJson,
    RunFolder,
    SeedFrom,
    Target,
    latest_run,
    print_json,
    printable,
    resolve_target,
    warn_of_seed,
)
from avo.settings import runs_folder

app = typer.Typer(help="Begin and end a step in which you are the agent.", no_args_is_help=True)
COMMANDS = """# Commands
The sources of the work tree lie in {tree}: edit them there. Or write them into a folder of your own, edit that,
and name it after the scenario in what follows.
    {avo} lineage checkout best --to DIR --run {run}
    {avo} eval {scenario} {options} --direction "what you changed, and why"
    {avo} commit {scenario} {options} -m "what you changed, and why"
    {avo} compare {scenario} best {tree} {options}
    {avo} build {scenario} {tree} --target {target}
    {avo} profile {scenario} {tree} --target {target}
    {avo} scenario show {scenario}
    {avo} note "a lesson for those who come later" --run {run}
    {avo} attempts list --run {run}
    {avo} lineage log --run {run}
    {avo} kb search "wait until a copy has landed" "mbarrier.try_wait"
    {avo} step end "why" --run {run}
An attempt that is rejected and a commit that the gate refuses end with exit code 1. The scores of two evaluations may
differ by some percent (a busy CPU: by more than ten); `compare` times both side by side, as the gate does, says within
which interval the ratio lies, and keeps nothing. `attempts show N` reads one
whole, as `lineage show vN` and `lineage diff vA vB` do for versions. A commit that is kept ends the step: begin the
next one. `step end` gives it up: the work tree is the latest version again."""


@app.command("begin")
def begin(
    scenario: Annotated[
        str | None, typer.Argument(help="Name or folder of a scenario [default: the run's].", metavar="SCENARIO")
    ] = None,
    target: Target = "auto",
    run: Annotated[
        Path | None,
        typer.Option(envvar="AVO_RUN", help="Run directory [default: runs/SCENARIO-TARGET, or the latest in runs/]."),
    ] = None,
    seed_from: SeedFrom = "",
    as_json: AsJson = False,
) -> None:
    """Print the brief of your step: task, versions, attempts, notes, rules, commands. Goes on with one that is open.

    A run that is not there is made, with the seed as v0.
    """
    from avo.cli.named import as_named, scenario_place
    from avo.memory.archive import SETTINGS, settings_in

    if scenario is None:
        from avo.run import existing

        run = run or latest_run()
        existing(run)[0].close()
        target = settings_in(run / SETTINGS)["target"]
    place = scenario_place(scenario, run)

    import asyncio

    from avo.cli.external import begin as begun
    from avo.cli.external import told
    from avo.run import open_run, plant_seed
    from avo.scenarios.loader import load

    loaded, scenario = load(str(place)), as_named(place)
    target = resolve_target(target, loaded)
    run = (run or runs_folder() / f"{loaded.name}-{target}").expanduser().resolve()
    with open_run(run, loaded, target, seed_from=seed_from) as bench:
        asyncio.run(plant_seed(bench))
        warn_of_seed(bench)
        begun(bench)
        brief = asyncio.run(told(bench))
        step, tree = bench.step, bench.work_tree
    rules = Path(__file__).with_name("operator.md").read_text()
    commands = COMMANDS.format(
        avo=shlex.join(avo_command()), scenario=shlex.quote(scenario), tree=tree, run=run, target=target,
        options=f"--run {run} --target {target}",
    )  # fmt: skip
    if as_json:
        facts = {"step": step, "run": str(run), "scenario": scenario, "target": target, "work_tree": str(tree)}
        print_json(facts | {"brief": brief, "rules": rules, "commands": commands})
    else:
        print(printable(f"{rules}\n{brief}\n\n{commands}"))


@app.command("end")
def end(
    reason: Annotated[str, typer.Argument(help="Why it is given up.")],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give your step up. The work tree is the latest version again; what was not committed stays in the journal."""
    from avo.cli.external import close_open_calls
    from avo.cli.external import end as close
    from avo.memory.journal import EXTERNAL
    from avo.run import held
    from avo.types import AvoError

    with held(run or latest_run()) as (journal, lineage):
        steps = [step["id"] for step in journal.steps() if step["ended"] is None and step["operator"] == EXTERNAL]
        if not steps:
            raise AvoError("no step of yours is open: avo step begin")
        close_open_calls(journal)
        left = close(journal, lineage, steps[-1], "gave_up", reason)
        best = lineage.best().name
    if as_json:
        print_json({"step": steps[-1], "best": best, "not_committed": left})
    else:
        kept = "; what was not committed stays in the journal: avo memory log --agent external" if left else ""
        print(f"step {steps[-1]} is over, the work tree is {best} again{kept}")


def note(
    text: Annotated[str, typer.Argument(help="What worked, or what did not, and why.")],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down a lesson for later steps; every agent reads it at their beginning. Also while a run is under way."""
    from contextlib import closing

    from avo.cli.external import answered, called, readable
    from avo.memory.archive import JOURNAL
    from avo.memory.journal import Journal
    from avo.tools.answer import Answer
    from avo.types import AvoError

    text = readable(text).strip()
    if not text:
        raise AvoError("a note needs a text")
    with closing(Journal((run or latest_run()) / JOURNAL)) as journal:
        step = journal.steps()[-1]["id"] if journal.count("steps") else 0
        call = called(journal, step, "note", f"note: {text}", {"text": text})
        number = journal.add_note(step, text)
        answered(journal, step, call, "note", Answer(f"noted as {number}"))
    print_json({"note": number, "step": step, "text": text}) if as_json else print(f"noted as {number}")
