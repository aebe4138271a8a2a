"""`avo profile` and `avo sanitize`: profilers and sanitizers on a candidate."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from avo.cli.options import AsJson, ScenarioName, Sources, Target, output, print_json, printable
from avo.cli.scoring import opened
from avo.scenarios.catalog import folder
from avo.types import AvoError, Missing, Rejected

Tool = Literal["usual", "memcheck", "racecheck", "initcheck", "synccheck", "address", "undefined", "all"]
"""Tools of compute-sanitizer, and sanitizers of the C++ compiler."""


def profile(
    scenario: ScenarioName,
    path: Sources = None,
    target: Target = "auto",
    case: Annotated[
        str, typer.Option(envvar="AVO_CASE", help="Id of a timed case [default: the one with the most work].")
    ] = "",
    keep: Annotated[Path | None, output("Folder for what ncu or perf printed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what bounds a candidate and where its time goes: by Nsight Compute on a GPU, by perf on the CPU.

    Without them, or without the right to use them, the figures of compiler and machine code alone.
    """
    executor, files = opened(folder(scenario), path, target)
    from avo.tools.profile import profiled, timed_case  # with torch, and so once the arguments are known to be right

    chosen = timed_case(executor.scenario, executor.target, case)
    try:
        found = profiled(executor, files, executor.scenario, executor.target, chosen, keep)
    except Rejected as rejected:
        raise AvoError(f"{rejected.status}: {rejected.reason} (avo build shows the log)") from rejected
    if as_json:
        print_json({"case": chosen.id, "target": executor.target} | dict(found.facts))
    else:
        print(printable(found.text))


def sanitize(
    scenario: ScenarioName,
    path: Sources = None,
    target: Target = "auto",
    tool: Annotated[
        Tool,
        typer.Option(envvar="AVO_SANITIZER", help="Which tool: memcheck to synccheck for CUDA, the others on a CPU."),
    ] = "usual",
    keep: Annotated[Path | None, output("Folder for what the tools printed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look for wrong accesses and races with compute-sanitizer, or with AddressSanitizer and UBSan on a CPU.

    Exit code 1 when they find some.
    """
    executor, files = opened(folder(scenario), path, target)
    # With torch, and so once the arguments are known to be right.
    from avo.tools.instruments.harness import Unread
    from avo.tools.instruments.sanitizer import text
    from avo.tools.sanitize import chosen, sanitized

    try:
        built = executor.build(files)
        found = sanitized(built, files, executor.scenario, executor.target, chosen(tool, executor.target), keep)
    except Rejected as rejected:
        raise AvoError(f"{rejected.status}: {rejected.reason} (avo build shows the log)") from rejected
    except Unread as reason:
        raise Missing(f"not checked: {reason}") from reason
    clean = all(one.clean for one in found)
    if as_json:
        print_json({"clean": clean, "findings": [asdict(one) for one in found]})
    else:
        print(printable(text(found, built.sass)))
    raise typer.Exit(0 if clean else 1)
