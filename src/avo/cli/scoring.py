"""Implementation of `avo eval` and `avo build`, once the scenario is known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from avo.cli.options import print_json, printable, resolve_target
from avo.operators.external import answer, external_step
from avo.scenarios.loader import load
from avo.tools.build.compilers import compiler_of
from avo.tools.build.seeds import folder_sources, seed_sources
from avo.tools.build.sources import digest
from avo.tools.evaluate import evaluate as tool
from avo.tools.score.executor import LocalExecutor
from avo.tools.texts import build_text, look_text, verdict_text
from avo.types import AvoError, Rejected, Status, Verdict


def opened(place: Path, path: Path | None, target: str) -> tuple[LocalExecutor, dict[str, bytes]]:
    """Return the executor of the scenario in `place`, and the sources in `path` (default: the seed).

    Raises AvoError.
    """
    scenario = load(str(place))
    target = resolve_target(target, scenario)
    if path and not path.is_dir():
        raise AvoError(f"no folder '{path}'")
    files = folder_sources(path) if path else seed_sources(scenario, target)
    return LocalExecutor(scenario, target), files


def evaluate(
    place: Path, path: Path | None, target: str, run: Path | None, direction: str, quick: bool, as_json: bool
) -> None:  # fmt: skip
    """Score a candidate, in the journal of `run` if given, and print the verdict. Raises typer.Exit and AvoError."""
    kept: dict[str, Any] = {}
    if quick and run:
        raise AvoError("--quick keeps nothing: leave out --run, or --quick")
    if run:
        verdict, text, kept = _kept(place, path, target, run, direction)
    elif direction:
        raise AvoError("--direction is kept in the journal of a run: name it with --run DIR")
    else:
        executor, files = opened(place, path, target)
        verdict = executor.look(files) if quick else executor.evaluate(files)
        text = look_text(verdict) if quick else verdict_text(verdict)
    if as_json:
        cases = [
            {
                "id": c.id,
                "value": c.value,
                "median_ms": c.median_ms,
                "noise": c.noise,
                "error_ratio": c.error_ratio,
                "seconds": c.seconds,
            }
            for c in verdict.cases
        ]
        shown = verdict.as_dict()
        keys = ("status", "reason", "score", "unit", "baselines", "device", "compiler", "cost", "unisolated")
        print_json({key: shown[key] for key in keys} | {"cases": cases, "quick": quick} | kept)
    else:
        print(f"{printable(text)}\n{verdict.device}; {verdict.compiler}; {verdict.cost['total']:.1f} s")
    raise typer.Exit(0 if verdict.passed else 1)


def _kept(
    place: Path, path: Path | None, target: str, run: Path, direction: str
) -> tuple[Verdict, str, dict[str, Any]]:  # fmt: skip
    """Evaluate by the agents' tool in an external operator's step; return verdict, answer, and facts for JSON."""
    scenario = load(str(place))
    direction = direction or f"{path or 'the work tree'}, by hand"
    with external_step(run, scenario, resolve_target(target, scenario), path) as workspace:
        tried = workspace.journal.count("attempts")
        made = answer(workspace, "evaluate", direction, lambda: tool(workspace, direction))
        attempt = workspace.journal.attempt_of(digest(workspace.sources())) if made.worked else None
        if attempt is None:
            raise AvoError(made.text)
        new = workspace.journal.count("attempts") > tried
    return attempt.verdict, made.text, {"attempt": attempt.id, "new": new, "run": str(run)}


def build(place: Path, path: Path | None, target: str, as_json: bool) -> None:
    """Compile a candidate, and print the compiler's output. Raises typer.Exit and AvoError."""
    executor, files = opened(place, path, target)
    status, reason, log, built = Status.PASSED, "", "", None
    try:
        built = executor.build(files)
        log = built.log
    except Rejected as rejected:
        status, reason, log = rejected.status, rejected.reason, rejected.log
    if as_json:
        facts = {"status": status, "reason": reason, "log": log, "compiler": compiler_of(executor.target).version}
        shown = {"seconds": round(built.seconds, 3), "sass": built.sass} if built else {}
        print_json(facts | shown | {"kernels": [asdict(kernel) for kernel in built.kernels] if built else []})
    else:
        print(printable(build_text(built) if built else f"{status}: {reason}\n{log}"))
    raise typer.Exit(0 if status is Status.PASSED else 1)
