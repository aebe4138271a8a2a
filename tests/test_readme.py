"""The README's commands do what it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """Lines of the console blocks that start with avo, without their comments."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("avo ")]


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("avo kb ")])
def test_a_command_of_the_readme_finds_what_it_looks_for(command: str, cli: Any, core_kb: Path) -> None:
    done = cli(*shlex.split(command)[1:], AVO_KB=str(core_kb))
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not done.stderr


@pytest.mark.parametrize("command", [line for line in commands() if not line.startswith("avo kb ")])
def test_a_command_of_the_readme_works(command: str, cli: Any, planted_run: Path, tmp_path: Path) -> None:
    shutil.copytree(planted_run, tmp_path / "runs" / "latest")
    done = cli(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stderr
    assert not done.stderr
