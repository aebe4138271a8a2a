"""`avo run scenario`: starts a run, or goes on with it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avo.cli.options import (
    AsJson,
    ScenarioName,
    SeedFrom,
    Target,
    print_last,
    printable,
    resolve_target,
)
from avo.settings import kb_folder, runs_folder
from avo.types import counted

if TYPE_CHECKING:
    from avo.tools.bench import Bench

AGENTS = ("worker", "supervisor")

app = typer.Typer(help="Start or resume a run.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Start or resume a run."""


@app.command("scenario")
def run_scenario(
    name: ScenarioName,
    target: Target = "auto",
    model: Annotated[
        str, typer.Option(envvar="AVO_MODEL", help="tuner, KIND:NAME, or a component file [default: avo.toml, tuner].")
    ] = "",
    supervisor_model: Annotated[
        str, typer.Option(envvar="AVO_SUPERVISOR_MODEL", help="Another model for the supervisor.")
    ] = "",
    base_url: Annotated[
        str, typer.Option(envvar="AVO_BASE_URL", help="Where openai-compatible:NAME and ollama:NAME are.")
    ] = "",
    steps: Annotated[int, typer.Option(envvar="AVO_STEPS", min=0, help="Variation steps in all; 0: no limit.")] = 0,
    minutes: Annotated[float, typer.Option(envvar="AVO_MINUTES", min=0, help="Minutes in all; 0: no limit.")] = 0,
    budget_usd: Annotated[
        float, typer.Option(envvar="AVO_BUDGET_USD", min=0, help="USD for model calls in all; 0: no limit.")
    ] = 0,
    max_attempts: Annotated[
        int, typer.Option(envvar="AVO_MAX_ATTEMPTS", min=0, help="Evaluations in all, with the seed's; 0: no limit.")
    ] = 0,
    goal: Annotated[float, typer.Option(envvar="AVO_GOAL", min=0, help="Stop at this score; 0: no goal.")] = 0,
    run: Annotated[
        Path | None, typer.Option(envvar="AVO_RUN", help="Run directory [default: runs/SCENARIO-TARGET].")
    ] = None,
    seed_from: SeedFrom = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="AVO_DRY_RUN", help="Say what the limits buy; start and write nothing.")
    ] = False,
    unsafe_shell: Annotated[
        bool,
        typer.Option("--unsafe-shell", envvar="AVO_UNSAFE_SHELL", help="Run a model's commands also unprotected."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Evolve SCENARIO's kernel. The same command resumes a run; Ctrl-C stops it after the current tool call."""
    from avo.cli.named import scenario_place

    place = scenario_place(name, run)

    from avo.scenarios.loader import load

    scenario = load(str(place))
    target = resolve_target(target, scenario)
    run = run or runs_folder() / f"{scenario.name}-{target}"

    from avo.agents.models import clients, named
    from avo.agents.prices import model_name, prices
    from avo.configuration import load as settings
    from avo.evolve import Limits

    limits = Limits(steps, minutes, goal, budget_usd, max_attempts)
    specs = named(model or _model_of(run), supervisor_model)
    names, table = (model_name(specs[0]), model_name(specs[1])), prices(settings().prices)
    if budget_usd:
        for agent in names:
            table.needed(agent)
    if dry_run:
        from avo.operators.forecast import begins_from, told
        from avo.operators.forecast import dry_run as forecast

        origin = begins_from(run, scenario, target, seed_from)
        found = forecast(run, limits, names, table) | origin
        print(json.dumps(found) if as_json else printable(told(found)))
        return

    import asyncio

    from avo.agents.tracing import traced
    from avo.operators.progress import Progress
    from avo.operators.seed import warn_of_seed
    from avo.operators.session import Session
    from avo.operators.signals import keep_from_children, too_late
    from avo.run import open_run

    models = clients(*specs, base_url)
    keep_from_children()  # before the first git process, which stays for as long as the run is open
    with traced(), open_run(run, scenario, target, specs[0], seed_from) as bench:
        if not (kb_folder() / "current").exists():
            print("avo: no knowledge base: avo kb build (going on without)", file=sys.stderr)
        warn_of_seed(bench)
        bench.unsafe_shell = unsafe_shell and _warned()
        by_agent = dict(zip(AGENTS, names, strict=True))
        costs = {agent: table.of(name) for agent, name in by_agent.items()}
        session = Session(bench, models, limits, Progress(bench, limits), by_agent, costs)
        reason = asyncio.run(session.run())
        too_late()
        if not bench.lineage.versions():
            print("avo: stopped before the seed was scored; the same command starts over", file=sys.stderr)
            raise typer.Exit(130)
        result = _summary(bench, str(run), specs[0], reason)
    print_last(json.dumps(result) if as_json else printable(_told(result, run)))
    raise typer.Exit({"interrupted": 130, "error": 1}.get(reason, 0))


def _model_of(run: Path) -> str:
    """The language model that a run was begun with, so that one resumed without a word of it does not lose it."""
    from avo.memory.archive import SETTINGS, settings_in

    path = run / SETTINGS
    model = settings_in(path).get("model", "") if path.is_file() else ""
    if not model or model.partition(":")[0] == "tuner":
        return ""
    print(f"avo: going on with the model of this run: {model}", file=sys.stderr)
    return model


def _warned() -> bool:
    """Say what --unsafe-shell means on this system; whether it means anything."""
    from avo.tools.isolation import measures_in_force

    unsafe = "shell" not in measures_in_force()
    meaning = "THE MODEL'S COMMANDS RUN WITH ALL YOUR RIGHTS, ON ALL YOUR FILES" if unsafe else "not needed here"
    print(f"avo: --unsafe-shell: {meaning} (see avo doctor)", file=sys.stderr)
    return unsafe


def _summary(bench: Bench, run: str, model: str, reason: str) -> dict[str, Any]:
    versions = bench.lineage.versions()
    seed, best = versions[0], bench.lineage.champion()
    gain = round(best.score / seed.score, 3)
    from avo.tools.brought import transfer

    rules = bench.lineage.facts(best).get("Rules", "")
    came = transfer(bench.journal, bench.lineage)
    return {
        "run": run, "scenario": bench.scenario.name, "target": bench.target, "model": model, "stop_reason": reason,
        "steps": bench.journal.count("steps"), "attempts": bench.journal.tried(),
        "seed": {"score": seed.score, "unit": seed.unit},
        "best": {"version": best.name, "commit": best.commit, "score": best.score, "gain": gain, "rules": rules},
        "versions": len(versions) - 1, "usd": _usd(bench),
    } | ({"seed_from": came} if came else {})  # fmt: skip


def _usd(bench: Bench) -> float | None:
    """What the models cost; None when a price is not known."""
    unpriced = sum(entry["unpriced"] for entry in bench.journal.spent())
    return None if unpriced else round(bench.journal.usd(), 4)


def _told(result: dict[str, Any], run: Path) -> str:
    from avo.tools.bench import OLDER
    from avo.types import RULES, figure

    best, seed = result["best"], result["seed"]
    older = "" if best["rules"] == RULES else f" ({OLDER})"
    cost = f", {result['usd']:.2f} USD" if result["usd"] else ""
    option = f" --run {run}" if run.parent != runs_folder() else ""

    from avo.tools.brought import transfer_text

    avo = "avo" if shutil.which("avo") or sys.argv[0] == "-c" else sys.argv[0]
    came = f"{transfer_text(result['seed_from'])}\n" if "seed_from" in result else ""
    return (
        f"{result['stop_reason']}: {counted(result['versions'], 'version')} from "
        f"{counted(result['attempts'], 'attempt')} in {counted(result['steps'], 'step')}{cost}\n"
        f"best {best['version']}: {figure(best['score'])} {seed['unit']}{older}, "
        f"x{best['gain']:.2f} of the seed's {figure(seed['score'])}\n{came}"
        f"next: {avo} lineage log{option}    what was kept; {avo} lineage diff v0 {best['version']}{option}\n"
        f"      {avo} memory log{option}    the conversation; {avo} memory stats{option}\n"
        f"      the best sources: {run / 'lineage'}"
    )
