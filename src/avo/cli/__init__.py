"""The command line. Each command parses, makes one call and prints; heavy imports stay inside the commands."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

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
from avo.faults import fault_of
from avo.operators.signals import end_alike

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
app.command("redteam", hidden=not redteam.there())(redteam.redteam)
app.command("mcp")(mcp.mcp)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run a command: mistakes end in one line, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where the encoding lacks a character, its number is written
            with contextlib.suppress(OSError):  # one whose descriptor was replaced meanwhile
                stream.reconfigure(errors="backslashreplace")
    end_alike()
    try:
        app()
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except SystemExit as end:
        if _interrupted(end):  # typer turns it into an exit code, without a word
            _end("interrupted", 130)
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if fault := fault_of(error):
            _end(str(fault), fault.exit_code)
        if isinstance(error, (OSError, sqlite3.Error)):
            _end(f"{error}" if isinstance(error, OSError) else f"the run's database: {error}", 2)
        with tempfile.NamedTemporaryFile("w", prefix="avo-", suffix=".log", delete=False) as file:
            traceback.print_exc(file=file)
        _end(f"internal error: {type(error).__name__}: {error} (details in {Path(file.name)})", 1)


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is what led to an exit."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _end(line: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print("avo: " + printable(" ".join(line.split())), file=sys.stderr, flush=True)
    sys.exit(code)
