"""Implementation of `avo run scenario`, after its arguments were checked: agents, session and summary."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import typer

from avo.agents.models.prices import model_name, prices
from avo.agents.specs import clients, named
from avo.agents.tracing import traced
from avo.cli.options import print_last, printable, resolve_target
from avo.configuration import load as settings
from avo.evolve import Limits
from avo.mcp.client_config import avo_command
from avo.memory.archive import SETTINGS, settings_in
from avo.memory.trajectory import trajectory
from avo.operators.forecast import begins_from, told
from avo.operators.forecast import dry_run as forecast
from avo.operators.progress import Progress
from avo.operators.seed import warn_of_seed
from avo.operators.session import Session
from avo.operators.signals import keep_from_children, too_late
from avo.run import open_run
from avo.scenarios.loader import load
from avo.settings import kb_folder, runs_folder
from avo.tools.build.sources import write_sources
from avo.tools.origin import transfer, transfer_text
from avo.tools.workspace import OLDER, Workspace
from avo.types import RULES, counted, figure

AGENTS = ("worker", "supervisor")
BEST, PLOT = "best", "trajectory.png"
"""Folder of the best version's sources and file of the plot, in the run's folder."""
Figures = tuple[int, float, float, float, int]
"""The limits: steps, minutes, goal, USD, attempts; 0 for none."""


def start(
    place: Path, run: Path | None, target: str, models: tuple[str, str], base_url: str, figures: Figures, *,
    seed_from: str, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Begin a run of the scenario in `place`, or resume it. Raises AvoError, and typer.Exit with the exit code.

    models: specs of worker and supervisor, as given.
    """
    limits = Limits(*figures)
    scenario = load(str(place))
    target = resolve_target(target, scenario)
    run = run or runs_folder() / f"{scenario.name}-{target}"

    model, supervisor_model = models
    specs = named(model or _model_of(run), supervisor_model)
    names, table = (model_name(specs[0]), model_name(specs[1])), prices(settings().prices)
    if limits.budget_usd:
        for agent in names:
            table.needed(agent)
    if dry_run:
        origin = begins_from(run, scenario, target, seed_from)
        found = forecast(run, limits, names, table) | origin
        print(json.dumps(found) if as_json else printable(told(found)))
        return

    used = clients(*specs, base_url)
    keep_from_children()  # before the first git process, which stays for as long as the run is open
    with traced(), open_run(run, scenario, target, specs[0], seed_from) as workspace:
        if not (kb_folder() / "current").exists():
            print("avo: no knowledge base: avo kb build (going on without)", file=sys.stderr)
        warn_of_seed(workspace)
        by_agent = dict(zip(AGENTS, names, strict=True))
        costs = {agent: table.of(name) for agent, name in by_agent.items()}
        session = Session(workspace, used, limits, Progress(workspace, limits), by_agent, costs)
        reason = asyncio.run(session.run())
        too_late()
        if not workspace.lineage.versions():
            print("avo: stopped before the seed was scored; the same command starts over", file=sys.stderr)
            raise typer.Exit(130)
        result = _summary(workspace, str(run), specs[0], reason) | _shown(workspace, run)
    print_last(json.dumps(result) if as_json else printable(_told(result, run)))
    raise typer.Exit({"interrupted": 130, "error": 1}.get(reason, 0))


def _model_of(run: Path) -> str:
    """Return the language model of an existing run, so that resuming it without --model keeps it; empty without one."""

    path = run / SETTINGS
    model = settings_in(path).get("model", "") if path.is_file() else ""
    if not model or model.partition(":")[0] == "tuner":
        return ""
    print(f"avo: going on with the model of this run: {model}", file=sys.stderr)
    return model


def _summary(workspace: Workspace, run: str, model: str, reason: str) -> dict[str, Any]:
    versions = workspace.lineage.versions()
    seed, best = versions[0], workspace.lineage.champion()
    gain = round(best.score / seed.score, 3)

    rules = workspace.lineage.facts(best).get("Rules", "")
    came = transfer(workspace.journal, workspace.lineage)
    return {
        "run": run, "scenario": workspace.scenario.name, "target": workspace.target, "model": model,
        "stop_reason": reason,
        "steps": workspace.journal.count("steps"), "attempts": workspace.journal.tried(),
        "seed": {"score": seed.score, "unit": seed.unit},
        "best": {"version": best.name, "commit": best.commit, "score": best.score, "gain": gain, "rules": rules},
        "versions": len(versions) - 1, "usd": _usd(workspace),
    } | ({"seed_from": came} if came else {})  # fmt: skip


def _shown(workspace: Workspace, run: Path) -> dict[str, str]:
    """Write the best version's sources and the plot into the run; return their paths, empty if that fails."""
    from avo.cli.picture import draw  # matplotlib takes half a second, and only the end of a run needs it

    sources, plot = run / BEST, run / PLOT
    try:
        shutil.rmtree(sources, ignore_errors=True)
        write_sources(workspace.lineage.files(workspace.lineage.champion()), sources)
        draw(trajectory(workspace.lineage, f"{workspace.scenario.name} on {workspace.target}", "versions"), plot)
    except OSError as error:  # the run itself is on disk, and its last word is worth more
        print(f"avo: {sources} and {plot.name} cannot be written: {error.strerror}", file=sys.stderr)
        return {"sources": "", "plot": ""}
    return {"sources": str(sources), "plot": str(plot)}


def _usd(workspace: Workspace) -> float | None:
    """Return the cost of the models in USD; None if a price is not known."""
    unpriced = sum(entry["unpriced"] for entry in workspace.journal.spent())
    return None if unpriced else round(workspace.journal.usd(), 4)


def _told(result: dict[str, Any], run: Path) -> str:

    best, seed = result["best"], result["seed"]
    older = "" if best["rules"] == RULES else f" ({OLDER})"
    cost = f", {result['usd']:.2f} USD" if result["usd"] else ""
    option = f" --run {run}" if run.parent != runs_folder() else ""
    avo = "avo" if shutil.which("avo") else shlex.join(avo_command())
    came = f"{transfer_text(result['seed_from'])}\n" if "seed_from" in result else ""
    return (
        f"{result['stop_reason']}: {counted(result['versions'], 'version')} from "
        f"{counted(result['attempts'], 'attempt')} in {counted(result['steps'], 'step')}{cost}\n"
        f"best {best['version']}: {figure(best['score'])} {seed['unit']}{older}, "
        f"x{best['gain']:.2f} of the seed's {figure(seed['score'])}\n{came}"
        f"next: {avo} lineage log{option}    what was kept; {avo} lineage diff v0 {best['version']}{option}\n"
        f"      {avo} memory log{option}    the conversation; {avo} memory stats{option}"
        + (f"\nbest: {result['sources']}    its sources; {result['plot']}    the plot" if result["plot"] else "")
    )
