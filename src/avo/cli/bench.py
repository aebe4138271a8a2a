"""`avo bench`: candidates and baselines, interleaved in one lease of the device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from avo.cli.options import AsJson, ScenarioName, Target, output, print_json, printable, resolve_target
from avo.scenarios.catalog import folder
from avo.scenarios.loader import load
from avo.tools.build.compilers import compiler_of
from avo.tools.build.seeds import folder_sources, seed_sources
from avo.tools.build.sources import Sources
from avo.tools.devices.gpu import require_gpu
from avo.tools.score.executor import LocalExecutor
from avo.types import AvoError, Rejected


def bench(
    scenario: ScenarioName,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders with candidates' sources [default: the seed].", metavar="DIR"),
    ] = None,
    target: Target = "auto",
    paper: Annotated[
        bool,
        typer.Option("--paper", envvar="AVO_PAPER", help="Also time by the paper's protocol, which takes minutes."),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline", envvar="AVO_BASELINE", metavar="NAME", help="Only this baseline; repeatable [default: all]."
        ),
    ] = None,
    file: Annotated[Path | None, output("Write the JSON to this file as well.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare candidates with baselines, launch by launch, in one table. Exit code 1 when one is rejected."""
    folder(scenario)

    problem = load(scenario)
    target = resolve_target(target, problem)
    known = problem.target(target).baselines
    if strangers := [name for name in only or () if name not in known]:
        there = f"it has {', '.join(known)}" if known else "it has none"
        raise AvoError(f"--baseline: {target} has no baseline '{strangers[0]}'; {there}")
    if paper and target == "cpu":
        raise AvoError("--paper: the paper's protocol is for GPUs")
    if file and not file.parent.is_dir():
        raise AvoError(f"--output: no folder '{file.parent}'")
    if target != "cpu":
        require_gpu(target)
    trees = _candidates(paths) if paths else {"seed": seed_sources(problem, target)}
    executor = LocalExecutor(problem, target)
    rejected, builds = {}, {}
    for name, files in trees.items():
        try:
            builds[name] = executor.build(files)
        except Rejected as error:
            rejected[name] = str(error)
    with executor.held() as judge:
        # They load torch, as the judge has done by now: what is wrong with the arguments was said without it.
        from avo.tools.bench.contest import contest
        from avo.tools.bench.report import Standings, machine

        result = contest(judge, builds, [name for name in known if name in (only or known)], as_in_paper=paper)
        facts = {**machine(judge), "compiler": compiler_of(target).version}
    standings = Standings(problem, target, replace(result, rejected=rejected | dict(result.rejected)))
    told = {**facts, **standings.as_dict()}
    if as_json:
        print_json(told)
    else:
        versions = [f"{name} {version}" for name, version in facts["versions"].items() if version]
        end = "; ".join([facts["compiler"], *versions])
        print(printable(f"{problem.name}, {target}, {facts['device']}\n{standings.text()}\n{end}"))
    if file:  # last, and whole or not at all: the disk may be full
        scratch = file.with_name(f".{file.name}.new")
        scratch.write_text(json.dumps(told, indent=1) + "\n")
        scratch.replace(file)
    raise typer.Exit(1 if standings.contest.rejected else 0)


def _candidates(paths: list[Path]) -> dict[str, Sources]:
    """Return the sources of each folder, by its name, or by its path if two have the same name. Raises AvoError."""
    if missing := [path for path in paths if not path.is_dir()]:
        raise AvoError(f"no folder '{missing[0]}'")
    names = [path.resolve().name for path in paths]
    return {
        f"./{name}" if names.count(name) == 1 else str(path): folder_sources(path)
        for name, path in zip(names, paths, strict=True)
    }
