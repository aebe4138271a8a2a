"""Options that several commands share, and what they mean."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avo.settings import child_environment, runs_folder
from avo.settings import printable as printable
from avo.types import Missing

if TYPE_CHECKING:
    from avo.scenarios.loader import Scenario

ScenarioName = Annotated[str, typer.Argument(help="Name of a scenario, or the path of its folder.", metavar="SCENARIO")]
Sources = Annotated[Path | None, typer.Argument(help="Folder with the candidate's sources [default: the seed].")]
Target = Annotated[str, typer.Option(envvar="AVO_TARGET", help="cpu, sm_80, sm_90a, sm_100a, or auto.")]
AsJson = Annotated[bool, typer.Option("--json", envvar="AVO_JSON", help="Print JSON.")]
RunFolder = Annotated[
    Path | None, typer.Option("--run", envvar="AVO_RUN", help="Run directory [default: the latest in runs/].")
]

SeedFrom = Annotated[
    str,
    typer.Option("--seed-from", envvar="AVO_SEED_FROM", help="RUN, RUN@vN or RUN@best: begin from that version."),
]


def latest_run() -> Path:
    """The run that was written to last. Raises Missing when there is none."""
    found = sorted(runs_folder().glob("*/avo.db"), key=_written)
    if not found:
        raise Missing(f"no run in {runs_folder()}/; start one: avo run scenario mha_causal (or name it with --run DIR)")
    return found[-1].parent


def _written(journal: Path) -> float:
    """When a journal was written to: SQLite puts what is new into a file beside it first."""
    beside = journal.with_name(f"{journal.name}-wal")
    return max(path.stat().st_mtime for path in (journal, beside) if path.exists())


def resolve_target(name: str, scenario: Scenario) -> str:
    """`auto` is the GPU that is there, if the scenario has a target for it, else the CPU. Raises AvoError."""
    if name == "auto":
        name = next((target for target in gpu_targets() if target in scenario.targets), "cpu")
    scenario.target(name)
    return name


def gpu_targets() -> list[str]:
    """Targets that the first GPU of this machine runs, the most specific first; none without nvidia-smi."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader", "-i", "0"]
    if not shutil.which(query[0]):
        return []
    done = subprocess.run(query, capture_output=True, text=True, check=False, env=child_environment(Path("/")))
    shown = done.stdout.strip().replace(".", "")
    return [f"sm_{shown}a", f"sm_{shown}"] if shown.isdecimal() else []


def consulted_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Passages of the knowledge base, each once, with the question that found it."""
    found: dict[str, str] = {}
    for row in rows:
        found[row["chunk"]] = found.get(row["chunk"]) or row["query"]
    return printable("\n".join(f"  {chunk}" + (f"  ({query})" if query else "") for chunk, query in found.items()))


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))
