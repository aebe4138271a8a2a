"""docs/own_agent.md: its commands work, in the order in which they stand there, and print what it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from avo.run import existing

PAGE = (Path(__file__).parents[1] / "docs" / "own_agent.md").read_text()
AVO = shlex.join([sys.executable, "-c", "from avo.cli import main; main()"])


def blocks() -> list[list[str]]:
    """The lines of each console block."""
    return [block.splitlines() for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)]


def test_the_page_from_top_to_bottom(tmp_path: Path) -> None:
    def run(line: str) -> str:
        words = re.sub(r"\bavo (?=\w)", lambda _: f"{AVO} ", line, count=1)
        done = subprocess.run(["sh", "-c", words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

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
