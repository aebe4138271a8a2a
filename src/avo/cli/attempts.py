"""`avo attempts`: what was evaluated in a run, kept or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from avo.cli.options import AsJson, RunFolder, latest_run, print_json, printable

if TYPE_CHECKING:
    from avo.memory.journal import Attempt

app = typer.Typer(help="Read what was evaluated in a run, kept or not.", no_args_is_help=True)


@app.command("list")
def list_(
    run: RunFolder = None,
    last: Annotated[int, typer.Option(envvar="AVO_LAST", min=0, help="Only the last N; 0: all.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the evaluations in order: number, status, score or reason, knobs, direction."""
    from avo.run import existing
    from avo.tools.answers import attempt_line

    found = existing(run or latest_run())[0].attempts(last or -1)
    if as_json:
        print_json([_facts(attempt) for attempt in found])
    for attempt in () if as_json else found:
        print(printable(attempt_line(attempt)))


@app.command("show")
def show(
    number: Annotated[int, typer.Argument(min=1, max=1 << 62, help="As `avo attempts list` shows it, without the a.")],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show one evaluation whole: direction, verdict, and its diff against the version it started from."""
    from avo.run import existing
    from avo.tools.answers import verdict_text

    attempt = existing(run or latest_run())[0].attempt(number)
    if as_json:
        print_json(_facts(attempt) | {"verdict": attempt.verdict.as_dict(), "diff": attempt.diff})
        return
    print(f"attempt {attempt.id}, from {attempt.parent or 'nothing'}, step {attempt.step}, {attempt.at}")
    print(printable(f"{attempt.direction}\n{verdict_text(attempt.verdict)}\n{attempt.diff}".rstrip()))


def _facts(attempt: Attempt) -> dict[str, Any]:
    verdict = attempt.verdict
    return {
        "id": attempt.id, "step": attempt.step, "tree": attempt.tree, "parent": attempt.parent,
        "direction": attempt.direction, "knobs": dict(attempt.knobs), "status": str(verdict.status),
        "reason": verdict.reason, "score": verdict.score, "unit": verdict.unit, "seconds": attempt.seconds,
        "at": attempt.at,
    }  # fmt: skip
