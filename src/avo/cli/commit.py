"""`avo commit`: the gate as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from avo.cli.named import scenario_place
from avo.cli.options import (
    AsJson,
    Direction,
    NewRun,
    ScenarioName,
    SeedFrom,
    Target,
    print_json,
    printable,
    resolve_target,
)
from avo.operators.external import answer, begun, external_step, keep_unsaved, unsaved
from avo.scenarios.loader import load
from avo.settings import runs_folder
from avo.tools.answer import Answer
from avo.tools.build.sources import digest
from avo.tools.commit import commit as gate
from avo.tools.workspace import Workspace
from avo.types import AvoError, ToolError

SHOWN = ("ratio", "low", "high", "noise", "improved", "matched", "cases", "blocks")
"""Keys of a comparison to print; its samples are in the journal."""
LEFT = "\nWhat the work tree held that no version has stays in the journal: avo memory log --agent external"
"""Printed where the work tree had uncommitted edits."""


def commit(
    scenario: ScenarioName,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder with the candidate's sources [default: the run's work tree]."),
    ] = None,
    message: Annotated[
        str,
        typer.Option(
            "--message", "-m", envvar="AVO_MESSAGE", metavar="TEXT", help="First line what changed; then why."
        ),
    ] = "",
    target: Target = "auto",
    run: NewRun = None,
    direction: Direction = "",
    seed_from: SeedFrom = "",
    as_json: AsJson = False,
) -> None:
    """Keep a candidate as a new version, if it passes and is not slower than the best one. Exit code 1 when refused.

    A run that is not there is made, with the seed as v0. The attempt is in its journal either way. The work tree is the
    new version then; edits that lay there stay in the journal.
    """
    place = scenario_place(scenario, run)
    message, direction = (text.encode("utf-8", "replace").decode() for text in (message, direction))
    if not message.strip():
        raise AvoError("a commit needs a message: -m 'what changed, and why'")

    loaded = load(str(place))
    target = resolve_target(target, loaded)
    run = run or runs_folder() / f"{loaded.name}-{target}"
    with external_step(run, loaded, target, path, seed_from) as workspace:

        async def work() -> Answer:
            if direction:
                await workspace.evaluate(workspace.sources(), direction)
            return await gate(workspace, message)

        best, left = workspace.lineage.best().name, unsaved(workspace.lineage) if path else ""
        compared = workspace.journal.count("comparisons")
        made = answer(workspace, "commit", f"{path or 'the work tree'}: {message}", work)
        text, kept = made.text, made.worked
        if kept:
            keep_unsaved(workspace.journal, workspace.step, best, left)
            text += LEFT if left else ""
            workspace.lineage.restore()
        title = f"{workspace.lineage.best().name}: {message.partition(chr(10))[0]}" if kept else text.partition("\n")[0]
        if kept or not begun(workspace):
            workspace.journal.close_step(workspace.step, "committed" if kept else "refused", title)
        result = _result(workspace, kept, compared) | {"run": str(run), "text": text}
    print_json(result) if as_json else print(printable(text))
    raise typer.Exit(0 if kept else 1)


def _result(workspace: Workspace, kept: bool, compared: int) -> dict[str, Any]:
    """Return version, attempt and comparison; None for those that the gate did not reach."""
    try:
        attempt = workspace.journal.attempt_of(digest(workspace.sources()))
    except ToolError:
        attempt = None
    found = workspace.journal.comparisons()[compared:]
    best = workspace.lineage.best()
    return {
        "accepted": kept, "version": best.name if kept else None, "commit": best.commit if kept else None,
        "attempt": attempt.id if attempt else None, "status": attempt.verdict.status if attempt else None,
        "score": attempt.verdict.score if attempt else 0.0, "unit": best.unit,
        "against": found[-1]["incumbent"] if found else None,
        "comparison": {key: found[-1]["result"][key] for key in SHOWN} if found else None,
    }  # fmt: skip
