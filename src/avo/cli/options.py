"""Options that several commands share, and what they mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from avo.settings import runs_folder
from avo.types import Missing

ScenarioName = Annotated[str, typer.Argument(help="Name of a scenario, or the path of its folder.", metavar="SCENARIO")]
Sources = Annotated[Path | None, typer.Argument(help="Folder with the candidate's sources [default: the seed].")]
Target = Annotated[str, typer.Option(envvar="AVO_TARGET", help="auto, cpu, sm_90a or sm_100a.")]
AsJson = Annotated[bool, typer.Option("--json", envvar="AVO_JSON", help="Print JSON.")]
RunFolder = Annotated[
    Path | None, typer.Option("--run", envvar="AVO_RUN", help="Run directory [default: the latest in runs/].")
]


def latest_run() -> Path:
    """The run that was written to last. Raises Missing when there is none."""
    found = sorted(runs_folder().glob("*/avo.db"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise Missing(f"no run in {runs_folder()}/; start one: avo run scenario mha_causal (or name it with --run DIR)")
    return found[-1].parent


def resolve_target(name: str) -> str:
    """`auto` is the CPU until a scenario has a target for the GPU that is there."""
    return "cpu" if name == "auto" else name


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))
