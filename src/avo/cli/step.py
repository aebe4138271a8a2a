"""`avo step` and `avo note`: a person's own step by commands."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from avo.cli.named import as_named, scenario_place
from avo.cli.options import AsJson, RunFolder, SeedFrom, Target, latest_run, print_json, printable, resolve_target
from avo.mcp.client_config import avo_command
from avo.memory.archive import JOURNAL, SETTINGS, settings_in
from avo.memory.journal.journal import EXTERNAL, Journal
from avo.operators.external import RULES, answered, called, close_open_calls, readable, told
from avo.operators.external import begin as begun
from avo.operators.external import end as close
from avo.operators.seed import warn_of_seed
from avo.run import existing, held, open_run, plant_seed
from avo.scenarios.loader import load
from avo.settings import runs_folder
from avo.tools.answer import Answer
from avo.types import AvoError

COMMANDS = """# Commands
The sources of the work tree lie in {tree}: edit them there. Or write them into a folder of your own, edit that,
and name it after the scenario in what follows.
    {avo} lineage checkout best -o DIR --run {run}
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
"""Template of the list of commands below a brief."""


def begin(
    scenario: Annotated[
        str | None, typer.Argument(help="Name or folder of a scenario [default: the run's].", metavar="SCENARIO")
    ] = None,
    target: Target = "auto",
    run: Annotated[
        Path | None,
        typer.Option(
            envvar="AVO_RUN",
            metavar="DIR",
            help="Run directory [default: runs/SCENARIO-TARGET, or the latest in runs/].",
        ),
    ] = None,
    seed_from: SeedFrom = "",
    as_json: AsJson = False,
) -> None:
    """Print the brief of your step: task, versions, attempts, notes, rules, commands. Goes on with one that is open.

    A run that is not there is made, with the seed as v0.
    """
    if scenario is None:
        run = run or latest_run()
        existing(run)[0].close()
        target = settings_in(run / SETTINGS)["target"]
    place = scenario_place(scenario, run)

    loaded, scenario = load(str(place)), as_named(place)
    target = resolve_target(target, loaded)
    run = (run or runs_folder() / f"{loaded.name}-{target}").expanduser().resolve()
    with open_run(run, loaded, target, seed_from=seed_from) as workspace:
        asyncio.run(plant_seed(workspace))
        warn_of_seed(workspace)
        begun(workspace)
        brief = asyncio.run(told(workspace))
        step, tree = workspace.step, workspace.work_tree
    rules = RULES.read_text()
    commands = COMMANDS.format(
        avo=shlex.join(avo_command()), scenario=shlex.quote(scenario), tree=tree, run=run, target=target,
        options=f"--run {run} --target {target}",
    )  # fmt: skip
    if as_json:
        facts = {"step": step, "run": str(run), "scenario": scenario, "target": target, "work_tree": str(tree)}
        print_json(facts | {"brief": brief, "rules": rules, "commands": commands})
    else:
        print(printable(f"{rules}\n{brief}\n\n{commands}"))


def end(
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why it is given up.")],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Give your step up. The work tree is the latest version again; what was not committed stays in the journal."""
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
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What worked, or what did not, and why.")],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write down a lesson for later steps; every agent reads it at their beginning. Also while a run is under way."""
    text = readable(text).strip()
    if not text:
        raise AvoError("a note needs a text")
    with closing(Journal((run or latest_run()) / JOURNAL)) as journal:
        step = journal.steps()[-1]["id"] if journal.count("steps") else 0
        call = called(journal, step, "note", f"note: {text}", {"text": text})
        number = journal.add_note(step, text)
        answered(journal, step, call, "note", Answer(f"noted as {number}"))
    print_json({"note": number, "step": step, "text": text}) if as_json else print(f"noted as {number}")
