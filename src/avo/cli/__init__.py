"""The command line. Each command parses, makes one call and prints; heavy imports stay inside the commands."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import traceback
from pathlib import Path

import typer

from avo.cli import (
    attempts,
    bench,
    commit,
    compare,
    doctor,
    kb,
    lineage,
    mcp,
    memory,
    profile,
    redteam,
    run,
    scenario,
    score,
    steer,
    step,
)
from avo.cli.options import printable
from avo.types import AvoError

app = typer.Typer(
    name="avo",
    help="Evolve fast kernels with an autonomous coding agent as the variation operator.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.callback()(scenario.search_in)
app.add_typer(run.app, name="run")
app.command("eval")(score.evaluate)
app.command("build")(score.build)
app.command("bench")(bench.bench)
app.command("commit")(commit.commit)
app.command("compare")(compare.compare)
app.command("note")(step.note)
app.add_typer(step.app, name="step")
app.add_typer(attempts.app, name="attempts")
app.command("profile")(profile.profile)
app.command("sanitize")(profile.sanitize)
app.add_typer(scenario.app, name="scenario")
app.add_typer(lineage.app, name="lineage")
app.add_typer(memory.app, name="memory")
app.add_typer(kb.app, name="kb")
app.command("steer")(steer.steer)
app.command("pause")(steer.pause)
app.command("resume")(steer.resume)
app.command("redteam")(redteam.redteam)
app.command("mcp")(mcp.mcp)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run a command: mistakes end in one line, never in a traceback."""
    try:
        app()
    except AvoError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except (OSError, sqlite3.Error) as error:
        _end(f"{error}" if isinstance(error, OSError) else f"the run's database: {error}", 2)
    except Exception as error:
        with tempfile.NamedTemporaryFile("w", prefix="avo-", suffix=".log", delete=False) as file:
            traceback.print_exc(file=file)
        _end(f"internal error: {type(error).__name__}: {error} (details in {Path(file.name)})", 1)


def _end(line: str, code: int) -> None:
    print("avo: " + printable(" ".join(line.split())), file=sys.stderr)
    sys.exit(code)
