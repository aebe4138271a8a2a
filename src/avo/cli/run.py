"""`avo run scenario`: starts a run, or goes on with it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avo.cli.options import AsJson, ScenarioName, Target, resolve_target
from avo.settings import kb_folder, runs_folder

if TYPE_CHECKING:
    from avo.tools.bench import Bench

app = typer.Typer(help="Start or resume a run.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Start or resume a run."""


@app.command("scenario")
def run_scenario(
    name: ScenarioName,
    target: Target = "auto",
    model: Annotated[
        str, typer.Option(envvar="AVO_MODEL", help="tuner, tuner:SEED, openai:NAME, or an AutoGen component file.")
    ] = "tuner",
    steps: Annotated[int, typer.Option(envvar="AVO_STEPS", min=0, help="Variation steps in all; 0: no limit.")] = 0,
    minutes: Annotated[float, typer.Option(envvar="AVO_MINUTES", min=0, help="Minutes in all; 0: no limit.")] = 0,
    goal: Annotated[float, typer.Option(envvar="AVO_GOAL", min=0, help="Stop at this score; 0: no goal.")] = 0,
    run: Annotated[
        Path | None, typer.Option(envvar="AVO_RUN", help="Run directory [default: runs/SCENARIO-TARGET].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evolve SCENARIO's kernel. The same command resumes a run; Ctrl-C stops it after the current tool call."""
    from avo.scenarios.catalog import folder

    folder(name)

    from avo.scenarios.loader import load

    scenario = load(name)
    target = resolve_target(target, scenario)
    run = run or runs_folder() / f"{scenario.name}-{target}"

    import asyncio

    from avo.agents.models import clients
    from avo.cli.progress import Progress
    from avo.cli.session import Session, keep_from_children
    from avo.evolve import Limits
    from avo.run import open_run

    models = clients(model)
    keep_from_children()  # before the first git process, which stays for as long as the run is open
    with open_run(run, scenario, target, model) as bench:
        if not (kb_folder() / "current").exists():
            print("avo: no knowledge base: avo kb build (going on without)", file=sys.stderr)
        session = Session(bench, models, Limits(steps, minutes, goal), Progress(bench, minutes))
        reason = asyncio.run(session.run())
        if not bench.lineage.versions():
            print("avo: stopped before the seed was scored; the same command starts over", file=sys.stderr)
            raise typer.Exit(130)
        result = _summary(bench, str(run), model, reason)
    print(json.dumps(result) if as_json else _told(result, run))
    raise typer.Exit({"interrupted": 130, "error": 1}.get(reason, 0))


def _summary(bench: Bench, run: str, model: str, reason: str) -> dict[str, Any]:
    versions = bench.lineage.versions()
    seed, best = versions[0], bench.lineage.champion()
    gain = round(best.score / seed.score, 3)
    return {
        "run": run, "scenario": bench.scenario.name, "target": bench.target, "model": model, "stop_reason": reason,
        "steps": bench.journal.count("steps"), "attempts": bench.journal.count("attempts"),
        "seed": {"score": seed.score, "unit": seed.unit},
        "best": {"version": best.name, "commit": best.commit, "score": best.score, "gain": gain},
        "versions": len(versions) - 1,
    }  # fmt: skip


def _told(result: dict[str, Any], run: Path) -> str:
    best, seed = result["best"], result["seed"]
    option = f" --run {run}" if run.parent != runs_folder() else ""
    avo = "avo" if shutil.which("avo") or sys.argv[0] == "-c" else sys.argv[0]
    return (
        f"{result['stop_reason']}: {result['versions']} versions from {result['attempts']} attempts in "
        f"{result['steps']} steps\n"
        f"best {best['version']}: {best['score']:.2f} {seed['unit']}, "
        f"x{best['gain']:.2f} of the seed's {seed['score']:.2f}\n"
        f"next: {avo} lineage log{option}    what was kept; {avo} lineage diff v0 {best['version']}{option}\n"
        f"      {avo} memory log{option}    the conversation; {avo} memory stats{option}\n"
        f"      the best sources: {run / 'lineage'}"
    )
