"""The list of commands, help that is whole on a narrow terminal, and what a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import avo
from avo.cli import COMMANDS, command
from avo.cli.group import Entry

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
NARROW, ROOM = 80, 65
"""Characters of a terminal, and those that it leaves beside a command's name."""


def walked(entries: tuple[Entry, ...] = COMMANDS, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, by its words."""
    for entry in entries:
        yield (*before, entry.name)
        yield from walked(entry.commands, (*before, entry.name))


def loaded(words: tuple[str, ...]) -> Any:
    """The command itself."""
    found: Any = command()
    for word in words:
        found = found.get_command(None, word)
    return found


def test_the_commands_stand_under_what_they_are_for_in_the_order_in_which_they_are_needed(cli: Cli) -> None:
    shown = cli("--help").stdout
    panels = [line.rstrip(":") for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert panels[1:] == [
        *("Evolve", "Look at a run", "Measure a candidate", "Be the agent yourself", "Problems", "Knowledge", "Set-up")
    ]
    assert shown.index("  run ") < shown.index("  lineage ") < shown.index("  eval ") < shown.index("  doctor ")


@pytest.mark.parametrize("words", [(), *walked()], ids=" ".join)
def test_help_is_whole_on_a_narrow_terminal_and_short_for_h(words: tuple[str, ...]) -> None:
    context = command().make_context("avo", [*words], resilient_parsing=True)
    found = loaded(words)
    help_ = found.get_help(type(context)(found, info_name="avo", parent=context))
    assert max(map(len, help_.splitlines())) <= NARROW
    assert not [line for line in help_.splitlines()[1:] if line.endswith("...")]
    assert "-h, --help" in help_
    assert found.help


def test_a_line_of_the_list_is_one_line() -> None:
    long = [words for words in walked() if len(loaded(words[:-1])._entries[words[-1]].help) > ROOM]
    assert not long


def test_an_option_is_the_same_thing_everywhere() -> None:
    variables: dict[str, set[object]] = {}
    for words in walked():
        found = loaded(words)
        for option in (option for option in found.params if option.param_type_name == "option"):
            if words != ("doctor",) or option.name != "model":  # there it is called once, and has a variable of its own
                variables.setdefault(max(option.opts, key=len), set()).add((*option.opts, option.envvar))
    assert {name for name, meanings in variables.items() if len(meanings) > 1} == set()
    assert variables["--output"] == {("--output", "-o", "AVO_OUTPUT")}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("evl", "mha_causal"), "'eval'"),
        (("kb", "seach", "wgmma"), "'search'"),
        (("run", "scenaro", "mha_causal"), "'scenario'"),
        (("run", "mha_causal"), "'avo run scenario mha_causal'"),
        (("run", "./mine", "--minutes", "3"), "'avo run scenario ./mine'"),
    ],
)
def test_what_is_mistyped_is_met_with_what_was_meant(cli: Cli, words: tuple[str, ...], meant: str) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert f"Did you mean {meant}?" in done.stderr


def test_what_resembles_nothing_is_met_with_nothing(cli: Cli) -> None:
    done = cli("zzz")
    assert done.returncode == 2
    assert "No such command 'zzz'" in done.stderr
    assert "Did you mean" not in done.stderr


def test_version_and_h(cli: Cli) -> None:
    assert cli("--version").stdout == f"avo {avo.__version__}\n"
    assert cli("-h").stdout == cli("--help").stdout
    assert cli("lineage", "log", "-h").stdout == cli("lineage", "log", "--help").stdout


@pytest.fixture
def bash(tmp_path: Path) -> Callable[[str], str]:
    """Runs lines in a bash that finds `avo` in its PATH; what they print."""
    script = tmp_path / "bin" / "avo"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m avo "$@"\n')
    script.chmod(0o755)
    variables = os.environ | {"PATH": f"{script.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def run(lines: str) -> str:
        done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=False, env=variables)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def tab(*words: str) -> str:
    """Lines that press the key after these words, and print what is offered."""
    return f"""
COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()
_avo_completion avo
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def test_bash_completes_commands_and_options_by_the_script_that_avo_shows(bash: Callable[[str], str]) -> None:
    shown = 'eval "$(avo --show-completion bash)"' if "bash" in bash("avo --show-completion --help") else ""
    boot = shown or 'eval "$(avo --show-completion; true)"'
    assert bash(boot + tab("avo", "lin")).split() == ["lineage"]
    assert {"log", "show", "diff", "plot"} <= set(bash(boot + tab("avo", "lineage", "")).split())
    assert bash(boot + tab("avo", "lineage", "plot", "--out")).split() == ["--output"]


def test_completion_is_installed_for_the_shell_that_asks(bash: Callable[[str], str], tmp_path: Path) -> None:
    assert "bash" in bash("avo --install-completion; true")
    installed = (tmp_path / ".bashrc").read_text()
    assert "avo" in installed
    assert bash(". ~/.bash_completions/avo.sh" + tab("avo", "kb", "sea")).split() == ["search"]


def test_completing_a_command_loads_none_of_them() -> None:
    probe = "from avo.cli import main\nimport sys\ntry: main()\nexcept SystemExit: pass\nprint('LOADED', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True,
        env=os.environ | {"_AVO_COMPLETE": "complete_bash", "COMP_WORDS": "avo ", "COMP_CWORD": "1"},
    )  # fmt: skip
    offered, _, names = done.stdout.partition("LOADED ")
    assert {"run", "kb", "doctor"} <= set(offered.split())
    assert {name for name in names.split() if name.startswith("avo.cli.")} == {"avo.cli.group"}
