"""What is shipped beside the package: exact versions to install, and a source archive that can be tested."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def test_constraints_are_one_exact_version_a_line() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[^\s=]+", line)] == []


def test_every_package_that_avo_itself_asks_for_has_its_version_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [line for name in ("mcp", "tracing", "nvcc", "dev") for line in extras[name]]
    names = {canonicalize_name(Requirement(line).name) for line in [*project["dependencies"], *lines]}
    pinned = {canonicalize_name(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text().split()}
    assert names - {project["name"]} <= pinned


def test_the_source_archive_holds_tests_documents_and_constraints() -> None:
    lines = (ROOT / "MANIFEST.in").read_text("utf-8").splitlines()
    grafted = {line.split()[1] for line in lines if line.startswith("graft ")}
    included = {name for line in lines if line.startswith("include ") for name in line.split()[1:]}
    assert grafted >= {"tests", "docs"}
    assert included >= {"constraints.txt", "CHANGELOG.md"}
    assert all((ROOT / name).exists() for name in grafted | included)


def test_every_file_of_the_package_is_in_the_wheel() -> None:
    """Links apart, which stand for folders whose files are looked at themselves."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = ("agents", "kb_index", "kernels", "memory", "scenarios", "src", "tools")
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.splitlines() if not (ROOT / name).is_symlink()]
    kinds = ("*.py", *settings["package-data"]["*"])
    assert names
    assert [name for name in names if not any(fnmatch(Path(name).name, kind) for kind in kinds)] == []


def test_what_the_knowledge_base_says_of_itself_is_true() -> None:
    import avo.kb_index

    assert "not built yet" not in (avo.kb_index.__doc__ or "")
