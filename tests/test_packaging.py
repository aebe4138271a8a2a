"""What is shipped beside the package: exact versions to install, and a source archive that can be tested."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_constraints_are_one_exact_version_a_line() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[^\s=]+", line)] == []


def test_the_source_archive_holds_tests_documents_and_constraints() -> None:
    lines = (ROOT / "MANIFEST.in").read_text("utf-8").splitlines()
    grafted = {line.split()[1] for line in lines if line.startswith("graft ")}
    included = {name for line in lines if line.startswith("include ") for name in line.split()[1:]}
    assert grafted >= {"tests", "docs"}
    assert included >= {"constraints.txt", "CHANGELOG.md"}
    assert all((ROOT / name).exists() for name in grafted | included)
