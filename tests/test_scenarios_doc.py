"""docs/scenarios.md does what it says: its code blocks are the files, its commands run, its findings are found."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[1] / "docs" / "scenarios.md"
BLOCK = re.compile(r"(?:^`(?P<file>[\w/.]+)`\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[tuple[str, str, str]]:
    """File or nothing, kind, and text of every block."""
    for match in BLOCK.finditer(PAGE.read_text()):
        yield match["file"] or "", match["kind"], match["text"]


def test_the_page_is_followed_from_top_to_bottom(cli: Any, tmp_path: Path) -> None:
    said, commands = "", 0
    for file, kind, text in blocks():
        if file:
            assert (tmp_path / file).is_file(), "scenario new writes what the page replaces"
            (tmp_path / file).write_text(text)
        elif kind == "console":
            for line in text.splitlines():
                done = cli(*shlex.split(line)[1:])
                assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
                said, commands = said + done.stdout, commands + 1
    assert commands == 5
    assert "swiglu_rows on cpu: sound" in said
    assert "PASSED" in said
    assert "EXP 0 -> 1" in said


def test_the_mistake_that_it_shows_ends_an_evaluation(cli: Any, tmp_path: Path) -> None:
    shown = [text for _, kind, text in blocks() if not kind and text.startswith("…")][1]
    for file, _, text in blocks():
        if file:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(
                text.replace("a * 30 if", "a.double() * 30 if").replace("else a,", "else a.double(),")
            )
    done = cli("eval", "./swiglu_rows", "--target", "cpu")
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("avo: ")
    assert done.stderr.endswith(shown.removeprefix("…"))


def test_the_finding_that_it_shows_is_found(cli: Any, tmp_path: Path) -> None:
    shown = next(text for _, kind, text in blocks() if not kind and text.startswith("…"))
    for file, _, text in blocks():
        if file:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            wider = text.replace("relative = 1e-5", "relative = 2e-2").replace("frobenius = 5e-6", "frobenius = 1e-1")
            (tmp_path / file).write_text(wider)
    done = cli("scenario", "check", "./swiglu_rows", "--target", "cpu")
    assert done.returncode == 1, done.stderr
    assert shown.removeprefix("…").strip() in done.stdout
