"""Options shared by several commands, and their interpretation."""

from __future__ import annotations

import errno
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avo.settings import printable as printable
from avo.settings import runs_folder
from avo.types import Missing

if TYPE_CHECKING:
    from avo.scenarios.loader import Scenario

ScenarioName = Annotated[str, typer.Argument(help="Name of a scenario, or the path of its folder.", metavar="SCENARIO")]
Sources = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="Folder with the candidate's sources [default: the seed].")
]
Target = Annotated[
    str, typer.Option("--target", envvar="AVO_TARGET", metavar="TARGET", help="cpu, sm_80, sm_90a, sm_100a, or auto.")
]
AsJson = Annotated[bool, typer.Option("--json", envvar="AVO_JSON", help="Print JSON.")]
RunFolder = Annotated[
    Path | None,
    typer.Option("--run", envvar="AVO_RUN", metavar="DIR", help="Run directory [default: the latest in runs/]."),
]

NewRun = Annotated[
    Path | None,
    typer.Option("--run", envvar="AVO_RUN", metavar="DIR", help="Run directory [default: runs/SCENARIO-TARGET]."),
]
BaseUrl = Annotated[
    str,
    typer.Option(
        "--base-url", envvar="AVO_BASE_URL", metavar="URL", help="Address of openai-compatible and ollama models."
    ),
]


def output(meaning: str) -> Any:
    """Return the option `--output`, the same in every command that writes a file or a folder."""
    return typer.Option("--output", "-o", envvar="AVO_OUTPUT", metavar="PATH", help=meaning)


SeedFrom = Annotated[
    str,
    typer.Option(
        "--seed-from", envvar="AVO_SEED_FROM", metavar="RUN", help="RUN, RUN@vN or RUN@best: begin from that version."
    ),
]
Direction = Annotated[
    str,
    typer.Option(
        "--direction", envvar="AVO_DIRECTION", metavar="TEXT", help="What was changed, and why it should be faster."
    ),
]
Source = Annotated[
    list[str] | None,
    typer.Option("--source", envvar="AVO_SOURCE", metavar="NAME", help="This source alone; again for more."),
]
DRIVERS_DEVICES = ("/dev/nvidiactl", "/dev/dxg")
"""Files of which one exists where a GPU driver is loaded: on Linux, and in WSL."""


def latest_run() -> Path:
    """Return the folder of the run written to last. Raises Missing without one."""
    found = sorted(runs_folder().glob("*/avo.db"), key=_written)
    if not found:
        raise Missing(f"no run in {runs_folder()}/; start one: avo run scenario mha_causal (or name it with --run DIR)")
    return found[-1].parent


def _written(journal: Path) -> float:
    """Return the time of the last write to a journal or its write-ahead log, in seconds since 1970."""
    beside = journal.with_name(f"{journal.name}-wal")
    return max(path.stat().st_mtime for path in (journal, beside) if path.exists())


def resolve_target(name: str, scenario: Scenario) -> str:
    """Return the target; for `auto` one that a GPU here runs, if the scenario has one, else cpu. Raises AvoError."""
    if name == "auto":
        name = max(_run_by_gpus(scenario), key=lambda target: (len(target), target), default="cpu")
    scenario.target(name)
    return name


def _run_by_gpus(scenario: Scenario) -> list[str]:
    """Return the scenario's targets that one of the GPUs visible to this process can run."""
    if not any(Path(device).exists() for device in DRIVERS_DEVICES):
        return []  # to ask CUDA takes its time
    from avo.tools.devices.gpu import gpus  # every command reads its options, few of them ask for a GPU

    found = gpus()
    return [name for name in scenario.targets if name != "cpu" and any(gpu.runs(name) for gpu in found)]


def consulted_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the consulted passages as lines, each once, with the query that found it."""
    found: dict[str, str] = {}
    for row in rows:
        found[row["chunk"]] = found.get(row["chunk"]) or row["query"]
    return printable("\n".join(f"  {chunk}" + (f"  ({query})" if query else "") for chunk, query in found.items()))


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=1))


def print_last(text: str) -> None:
    """Print a command's last output; a terminal closed meanwhile does not change the exit code."""
    try:
        print(text, flush=True)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        sys.stdout = io.StringIO()  # what could not be written is not tried again
