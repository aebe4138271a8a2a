"""docs/trust.md names functions that exist, in the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from avo.settings import PACKAGE

ROOT = Path(__file__).parents[1]
ROWS = [
    line.split("|")[1:4] for line in (ROOT / "docs" / "trust.md").read_text().splitlines() if line.startswith("| ")
][1:]


def source(name: str) -> str:
    """The text of a file that the table names, below tools/ or the package."""
    places = [PACKAGE / "tools" / name, PACKAGE / "tools" / "score" / name, PACKAGE / name]
    return next(place for place in places if place.is_file()).read_text()


@pytest.mark.parametrize(("cheat", "stopped_by", "files"), ROWS, ids=[row[0].strip() for row in ROWS])
def test_what_stops_a_cheat_is_in_the_code(cheat: str, stopped_by: str, files: str) -> None:
    texts = [source(name) for name in re.findall(r"`([^`]+)`", files)]
    named = [name.rpartition(".")[2] for name in re.findall(r"`([\w.]+)`", stopped_by)]
    assert named, cheat
    for name in named:
        if name not in ("Rejected", "Unfit", "allow", "check", "scenario"):
            assert any(re.search(rf"(def|class) {name}\b", text) for text in texts), name


def test_every_kind_of_cheat_is_in_the_table() -> None:
    assert len(ROWS) > 20
