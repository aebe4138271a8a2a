"""What answers at once loads nothing heavy: measured by what a fresh interpreter has imported at its end."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "autogen_core",
    "autogen_agentchat",
    "autogen_ext",
    "chromadb",
    "git",
    "numpy",
    "openai",
    "mcp",
    "opentelemetry",
    "matplotlib",
)
MIDDLING = ("rich", "avo.scenarios.loader", "avo.tools", "avo.memory")
"""Typer itself loads pydantic for any command; avo's own models, which cost more, are loaded by none of these."""
PROBE = """
import sys
from avo.cli import main
try:
    main()
except SystemExit as end:
    code = end.code or 0
print("LOADED", *sys.modules)
sys.exit(code)
"""


def loaded(*arguments: str) -> tuple[int, set[str]]:
    """Exit code of `avo …`, and the modules that it imported."""
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=False)
    _, _, names = done.stdout.rpartition("LOADED ")
    assert names, done.stderr
    return done.returncode, set(names.split())


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ("--help",)),
        (0, ("run", "scenario", "--help")),
        (2, ("run", "scenario", "mha_casual")),
        (2, ("eval", "mha_casual")),
        (2, ("run", "scenario", "mha_causal", "--stepps", "3")),
    ],
)
def test_help_and_a_mistake_load_almost_nothing(code: int, arguments: tuple[str, ...]) -> None:
    ended, names = loaded(*arguments)
    assert ended == code
    assert not names & {*HEAVY, *MIDDLING}


@pytest.mark.parametrize("arguments", [("scenario", "list"), ("scenario", "show", "mha_causal")])
def test_scenarios_are_shown_without_anything_heavy(arguments: tuple[str, ...]) -> None:
    ended, names = loaded(*arguments)
    assert ended == 0
    assert not names & set(HEAVY)


def test_help_does_not_even_load_pydantic() -> None:
    assert "pydantic" not in loaded("--help")[1]


def test_the_list_of_commands_loads_none_of_them() -> None:
    for arguments in (("--help",), ("kb", "--help"), ("lineage", "-h"), ("--version",)):
        ended, names = loaded(*arguments)
        assert ended == 0
        assert {name for name in names if name.startswith("avo.cli.")} == {"avo.cli.group"}


@pytest.mark.parametrize(
    "command",
    [
        *("lineage log", "lineage show", "lineage diff", "lineage checkout", "lineage plot", "attempts list"),
        *("memory log", "memory stats", "memory plan", "kb search", "kb read", "kb sources", "profile", "eval"),
    ],
)
def test_a_command_that_reads_is_there_without_torch_chroma_autogen_or_matplotlib(command: str) -> None:
    ended, names = loaded(*command.split(), "--help")
    assert ended == 0
    assert not names & {"torch", "chromadb", "autogen_core", "autogen_agentchat", "matplotlib", "sklearn", "mcp"}


def test_the_probe_sees_what_a_command_loads() -> None:
    assert {"pydantic", "avo.scenarios.loader"} <= loaded("scenario", "list")[1]
