"""The command line: a table of commands, each imported when it is called, and the handling of their errors."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.main import get_command

import avo
from avo import interrupt
from avo.cli.group import Entry, LazyGroup
from avo.faults import fault_of
from avo.operators.signals import end_alike
from avo.settings import printable

EVOLVE, LOOK, MEASURE, BY_HAND = "Evolve", "Look at a run", "Measure a candidate", "Be the agent yourself"
PROBLEMS, KNOWLEDGE, SET_UP = "Problems", "Knowledge", "Set-up"

COMMANDS = (
    Entry("run", "Start or resume a run.", panel=EVOLVE, commands=(
        Entry("scenario", "Evolve a scenario's kernel, or go on with it.", "avo.cli.run:scenario"),
    )),
    Entry("steer", "Tell the worker of a run something.", "avo.cli.steer:steer", panel=EVOLVE),
    Entry("pause", "Let a run make no further model call.", "avo.cli.steer:pause", panel=EVOLVE),
    Entry("resume", "End the pause of a run.", "avo.cli.steer:resume", panel=EVOLVE),
    Entry("lineage", "Read the versions that a run kept; take a run elsewhere.", panel=LOOK, commands=(
        Entry("log", "List the versions: score, gain, what changed.", "avo.cli.lineage:log"),
        Entry("show", "Show a version: message, scores, sources.", "avo.cli.lineage:show"),
        Entry("diff", "Show how two versions differ.", "avo.cli.lineage:diff"),
        Entry("checkout", "Write a version's sources into a folder.", "avo.cli.checkout:checkout"),
        Entry("plot", "Draw how the best score grew.", "avo.cli.plot:plot"),
        Entry("export", "Write a run into one file.", "avo.cli.archive:export"),
        Entry("import", "Make a run of such a file, or bring one forward.", "avo.cli.archive:import_"),
    )),
    Entry("attempts", "Read what was evaluated in a run, kept or not.", panel=LOOK, commands=(
        Entry("list", "List the evaluations in order.", "avo.cli.attempts:list_"),
        Entry("show", "Show one whole: direction, verdict, diff.", "avo.cli.attempts:show"),
        Entry("forget", "Let what was scored be scored again.", "avo.cli.attempts:forget"),
    )),
    Entry("memory", "Read a run's conversation, plan and costs.", panel=LOOK, commands=(
        Entry("log", "List the messages in order.", "avo.cli.memory:log"),
        Entry("show", "Show one message whole.", "avo.cli.memory:show"),
        Entry("search", "List the messages that hold a text.", "avo.cli.memory:search"),
        Entry("plan", "List the directions of the search.", "avo.cli.memory:plan"),
        Entry("stats", "Count steps, attempts and versions, and what was spent.", "avo.cli.memory:stats"),
    )),
    Entry("eval", "Score a candidate: right, and how fast.", "avo.cli.score:evaluate", panel=MEASURE),
    Entry("compare", "Time two candidates side by side.", "avo.cli.compare:compare", panel=MEASURE),
    Entry("bench", "Time candidates beside the baselines.", "avo.cli.bench:bench", panel=MEASURE),
    Entry("build", "Compile a candidate without running it.", "avo.cli.score:build", panel=MEASURE),
    Entry("profile", "Tell where a candidate's time goes.", "avo.cli.profile:profile", panel=MEASURE),
    Entry("sanitize", "Look for wrong accesses and races.", "avo.cli.profile:sanitize", panel=MEASURE),
    Entry("redteam", "Judge candidates that cheat or are wrong.", "avo.cli.redteam:redteam", panel=MEASURE),
    Entry("mcp", "Serve a run's tools to your own coding agent.", "avo.cli.mcp:mcp", panel=BY_HAND),
    Entry("step", "Begin or end a step of your own.", panel=BY_HAND, commands=(
        Entry("begin", "Open a step, or go on with it: prints the brief.", "avo.cli.step:begin"),
        Entry("end", "Give the step up.", "avo.cli.step:end"),
    )),
    Entry("commit", "Keep a candidate as a version, if it passes the gate.", "avo.cli.commit:commit", panel=BY_HAND),
    Entry("note", "Write down a lesson for later steps.", "avo.cli.step:note", panel=BY_HAND),
    Entry("scenario", "List, show, make and check scenarios.", panel=PROBLEMS, commands=(
        Entry("list", "List the scenarios.", "avo.cli.scenario:list_scenarios"),
        Entry("show", "Show task, ABI, targets and cases.", "avo.cli.scenario:show"),
        Entry("new", "Write the folder of a new scenario.", "avo.cli.scenario:new"),
        Entry("check", "Prove a scenario sound.", "avo.cli.check:check"),
    )),
    Entry("kb", "Build, search and read the knowledge base.", panel=KNOWLEDGE, commands=(
        Entry("search", "Find passages by words or by names.", "avo.cli.kb:search"),
        Entry("read", "Print stored text with line numbers.", "avo.cli.kb:read"),
        Entry("symbols", "List the functions or sections of a document.", "avo.cli.kb:symbols"),
        Entry("sources", "Show what the index is made of.", "avo.cli.kb_build:sources"),
        Entry("build", "Make the index, or bring it up to date.", "avo.cli.kb_build:build"),
        Entry("update", "Build, and fetch anew what may have changed.", "avo.cli.kb_build:update"),
        Entry("eval", "Measure how often the right passage is found.", "avo.cli.kb:evaluate"),
    )),
    Entry("doctor", "Check this machine, or whether a model will do.", "avo.cli.doctor:doctor", panel=SET_UP),
)  # fmt: skip


def _version(wanted: bool) -> None:
    if wanted:
        print(f"avo {avo.__version__}")
        raise typer.Exit


def _root(
    scenario_path: Annotated[
        str,
        typer.Option(
            "--scenario-path", envvar="AVO_SCENARIO_PATH", help="Folders with more scenarios, separated by ':'."
        ),
    ] = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Evolve fast kernels with an autonomous coding agent as the variation operator."""
    if scenario_path:
        os.environ["AVO_SCENARIO_PATH"] = scenario_path


def command() -> LazyGroup:
    """Return the root command `avo`, without importing any command."""
    app = typer.Typer(
        name="avo", cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None,
        context_settings={"help_option_names": ["--help", "-h"]},
    )  # fmt: skip
    app.callback()(_root)
    made = get_command(app)
    assert isinstance(made, LazyGroup)
    return made.take(COMMANDS)


def main() -> None:
    """Run a command: errors end in one line, never in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where the encoding lacks a character, its number is written
            with contextlib.suppress(OSError):  # one whose descriptor was replaced meanwhile
                stream.reconfigure(errors="backslashreplace")
    interrupt.heed()
    end_alike()
    try:
        command()(prog_name="avo")
    except KeyboardInterrupt:
        _end("interrupted", interrupt.CODE)
    except SystemExit as end:
        if _interrupted(end):  # typer turns it into an exit code, without a word
            _end("interrupted", interrupt.CODE)
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if interrupt.pressed():  # a library made an error of its own of it
            _end("interrupted", interrupt.CODE)
        if fault := fault_of(error):
            _end(str(fault), fault.exit_code)
        if isinstance(error, (OSError, sqlite3.Error)):
            _end(f"{error}" if isinstance(error, OSError) else f"the run's database: {error}", 2)
        with tempfile.NamedTemporaryFile("w", prefix="avo-", suffix=".log", delete=False) as file:
            traceback.print_exc(file=file)
        _end(f"internal error: {type(error).__name__}: {error} (details in {Path(file.name)})", 1)


def _interrupted(error: BaseException | None) -> bool:
    """Return True if Ctrl-C led to an exit."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _end(line: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print("avo: " + printable(" ".join(line.split())), file=sys.stderr, flush=True)
    sys.exit(code)
