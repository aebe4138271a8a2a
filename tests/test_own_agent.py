"""docs/own_agent.md: its commands work, in the order in which they stand there, and print what it shows."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from avo.run import existing
from avo.settings import SCENARIOS

pytestmark = pytest.mark.slow
PAGE = (Path(__file__).parents[1] / "docs" / "own_agent.md").read_text()
SMALL = """extends = "mha_causal"
[[cases]]
id = "s256"
dims = { B = 1, S = 256, H = 1, D = 128 }
[[tests]]
id = "S = 33"
dims = { B = 1, S = 33, H = 2, D = 128 }
"""
"""mha_small: the page's scenario with one short case, so that its gate is quick."""


def blocks() -> list[list[str]]:
    """The lines of each console block."""
    return [block.splitlines() for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)]


def test_the_page_from_top_to_bottom(tmp_path: Path, cli: Any) -> None:
    (tmp_path / "mha_small").mkdir()
    (tmp_path / "mha_small" / "scenario.toml").write_text(SMALL)
    shutil.copy(SCENARIOS / "mha_causal" / "reference.py", tmp_path / "mha_small")

    def run(line: str) -> str:
        scenario = "mha_causal" if "--print-config" in line else "mha_small"
        words = [scenario if word == "mha_causal" else word for word in shlex.split(line, comments=True)]
        variables = dict(word.split("=") for word in itertools.takewhile(lambda word: "=" in word, words))
        program, *arguments = words[len(variables) :]
        if program == "avo":
            done = cli(*arguments, **variables, AVO_SCENARIO_PATH=str(tmp_path))
        else:
            done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return str(done.stdout)

    printed = {line: run(line) for block in blocks() for line in block}
    assert len(printed) == 19
    codex = next(text for line, text in printed.items() if line.endswith("codex"))
    shown = re.search(r"    \[mcp_servers\.avo\]\n(?:    .*\n)+", PAGE)
    assert shown
    told = [re.sub(r'"(-c|from avo[^"]*)", ', "", line) for line in codex.splitlines()]
    for line, real in zip(shown.group().splitlines(), told, strict=False):
        pattern = re.escape(line.strip()).replace(re.escape("/…/"), '/[^"]*/').replace("bin/avo", r"[^\"]*")
        assert re.fullmatch(pattern, real), (line, real)
    journal, lineage = existing(tmp_path / "runs" / "mine")
    assert [version.message for version in lineage.versions()][1:] == ["four query rows share a load"]
    assert [step["outcome"] for step in journal.steps()] == ["committed", "gave_up"]
    variables = re.search(r"`(AVO_RUN=.*?)`", PAGE)
    assert variables
    again = run(variables.group(1))
    assert "these sources were scored before, as attempt 2" in again
