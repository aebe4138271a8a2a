"""`avo attempts`: the evaluations of a run, kept or not."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from avo.cli.options import AsJson, RunFolder, latest_run, print_json, printable
from avo.memory.journal.journal import Attempt
from avo.run import existing, held
from avo.tools.texts import attempt_line, verdict_text
from avo.tools.workspace import OLDER
from avo.types import RULES, AvoError


def list_(
    run: RunFolder = None,
    last: Annotated[int, typer.Option(envvar="AVO_LAST", min=0, help="Only the last N; 0: all.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the evaluations in order: number, status, score or reason, knobs, direction."""
    found = existing(run or latest_run())[0].attempts(last or -1, forgotten=True)
    if as_json:
        print_json([_facts(attempt) for attempt in found])
    for attempt in () if as_json else found:
        print(printable(attempt_line(attempt, _counts_not(attempt))))


def show(
    number: Annotated[
        int, typer.Argument(min=1, max=1 << 62, metavar="N", help="As `avo attempts list` shows it, without the a.")
    ],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show one evaluation whole: direction, verdict, and its diff against the version it started from."""
    attempt = existing(run or latest_run())[0].attempt(number)
    if as_json:
        print_json(_facts(attempt) | {"verdict": attempt.verdict.as_dict(), "diff": attempt.diff})
        return
    print(f"attempt {attempt.id}, from {attempt.parent or 'nothing'}, step {attempt.step}, {attempt.at}")
    if why := _counts_not(attempt):
        print(printable(why))
    print(printable(f"{attempt.direction}\n{verdict_text(attempt.verdict)}\n{attempt.diff}".rstrip()))


def forget(
    numbers: Annotated[
        list[int], typer.Argument(min=1, max=1 << 62, help="As `avo attempts list` shows them.", metavar="N")
    ],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Let what was scored in attempts N be scored again: for what a fault of the machine wrote down as a candidate's.

    They stay in the journal, marked as forgotten. What was kept as a version is refused, and then none is forgotten.
    """
    with held(run or latest_run()) as (journal, lineage):
        chosen = [journal.attempt(number) for number in dict.fromkeys(numbers)]
        kept = {version.tree: version.name for version in lineage.versions()}
        for attempt in chosen:
            if attempt.tree in kept:
                raise AvoError(f"attempt {attempt.id} is {kept[attempt.tree]}, a version: it cannot be forgotten")
            if attempt.forgotten:
                raise AvoError(f"attempt {attempt.id} was forgotten already: {attempt.why_forgotten}")
        with journal.together():
            for attempt in chosen:
                journal.forget(attempt.tree, "by hand")
        forgotten = [journal.attempt(attempt.id) for attempt in chosen]
    if as_json:
        print_json([_facts(attempt) for attempt in forgotten])
        return
    for attempt in forgotten:
        verdict = attempt.verdict
        print(printable(f"attempt {attempt.id} is forgotten ({verdict.status}): its sources will be scored again"))


def _counts_not(attempt: Attempt) -> str:
    """Return why an attempt does not count, or not beside others; empty if it does."""
    if attempt.forgotten:
        return f"forgotten: {attempt.why_forgotten}"
    return "" if attempt.verdict.rules == RULES else OLDER


def _facts(attempt: Attempt) -> dict[str, Any]:
    verdict = attempt.verdict
    return {
        "id": attempt.id, "step": attempt.step, "tree": attempt.tree, "parent": attempt.parent,
        "direction": attempt.direction, "knobs": dict(attempt.knobs), "status": str(verdict.status),
        "reason": verdict.reason, "score": verdict.score, "unit": verdict.unit, "seconds": attempt.seconds,
        "at": attempt.at, "rules": verdict.rules, "forgotten": attempt.forgotten,
        "why_forgotten": attempt.why_forgotten,
    }  # fmt: skip
