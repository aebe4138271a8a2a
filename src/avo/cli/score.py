"""`avo eval` and `avo build`: what the agent sees, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from avo.cli.options import AsJson, ScenarioName, Sources, Target, print_json, printable, resolve_target

if TYPE_CHECKING:
    from avo.tools.executor import LocalExecutor


def _open(name: str, path: Path | None, target: str) -> tuple[LocalExecutor, dict[str, bytes]]:
    from avo.scenarios.catalog import folder

    folder(name)

    from avo.scenarios.loader import load
    from avo.tools.executor import LocalExecutor
    from avo.tools.seeds import folder_sources, seed_sources
    from avo.types import AvoError

    scenario = load(name)
    target = resolve_target(target, scenario)
    if path and not path.is_dir():
        raise AvoError(f"no folder '{path}'")
    files = folder_sources(path) if path else seed_sources(scenario, target)
    return LocalExecutor(scenario, target), files


def evaluate(scenario: ScenarioName, path: Sources = None, target: Target = "auto", as_json: AsJson = False) -> None:
    """Score a candidate: every case against the reference, then throughput. Exit code 1 when it is rejected."""
    executor, files = _open(scenario, path, target)

    from avo.tools.answers import verdict_text

    verdict = executor.evaluate(files)
    if as_json:
        cases = [
            {"id": c.id, "value": c.value, "median_ms": c.median_ms, "noise": c.noise, "error_ratio": c.error_ratio}
            for c in verdict.cases
        ]
        shown = verdict.as_dict()
        keys = ("status", "reason", "score", "unit", "baselines", "device", "compiler", "cost")
        print_json({key: shown[key] for key in keys} | {"cases": cases})
    else:
        print(
            f"{printable(verdict_text(verdict))}\n{verdict.device}; {verdict.compiler}; {verdict.cost['total']:.1f} s"
        )
    raise typer.Exit(0 if verdict.passed else 1)


def build(scenario: ScenarioName, path: Sources = None, target: Target = "auto", as_json: AsJson = False) -> None:
    """Compile a candidate without running it. Exit code 1 when it does not compile."""
    executor, files = _open(scenario, path, target)

    from dataclasses import asdict

    from avo.tools.answers import build_text
    from avo.tools.score.compilers import compiler_of
    from avo.types import Rejected, Status

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
