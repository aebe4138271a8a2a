"""What avo says of installing: each command that it or its documents print works, and asks for no stranger's avo."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from avo.installation import DISTRIBUTION, checkout, how_to_install, requirements
from avo.settings import PACKAGE

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("mcp", "tracing", "nvcc", "baselines")
"""Those that avo's own lines name."""
PAGES = [ROOT / "README.md", ROOT / "AGENTS.md", *sorted((ROOT / "docs").glob("*.md"))]
PRINTED = re.compile(r"pip install [^`)\n#]+")
OFFLINE = ("--dry-run", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")


def printed() -> list[str]:
    return sorted({match[0].strip() for page in PAGES for match in PRINTED.finditer(page.read_text())})


def resolved(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What pip says to a printed command, which it resolves without a network and carries out not."""
    words = shlex.split(command)
    arguments = words[words.index("install") + 1 :]
    pip = [sys.executable, "-m", "pip", "install", *OFFLINE, *arguments]
    return subprocess.run(pip, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what a wheel of this checkout installs."""
    folder = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns(".*", "build", "runs", "tests", "docs", "benchmarks", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=left_out)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*build, "-w", folder, folder / "source"], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_distribution_has_a_name_of_its_own_and_the_command_is_avo() -> None:
    assert PROJECT["name"] == DISTRIBUTION != "avo"
    assert PROJECT["scripts"] == {"avo": "avo.__main__:main"}


def test_the_documents_print_commands_that_can_be_looked_at() -> None:
    assert len(printed()) >= 5
    assert not [command for command in printed() if re.search(r"\bavo(-kernels)?\[", command)]


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in printed() if "-e" in line.split()])
def test_a_command_of_the_documents_installs_this_checkout(command: str) -> None:
    done = resolved(command, ROOT)
    assert done.returncode == 0, done.stderr
    assert f"Would install {DISTRIBUTION}" in done.stdout
    assert "does not provide the extra" not in done.stderr + done.stdout


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_checkout_names_itself(extra: str, tmp_path: Path) -> None:
    assert checkout() == ROOT
    done = resolved(how_to_install(extra), tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Would install {DISTRIBUTION}" in done.stdout
    assert "does not provide the extra" not in done.stderr + done.stdout


def test_an_installed_avo_names_the_packages_of_an_extra(installed: Path, tmp_path: Path) -> None:
    ask = f"import json, avo.installation as i; print(json.dumps({{e: i.how_to_install(e) for e in {EXTRAS}}}))"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    run = [sys.executable, "-c", ask]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for extra, command in json.loads(done.stdout).items():
        words = shlex.split(command)
        asked = {Requirement(word) for word in words[words.index("install") + 1 :]}
        wanted = {Requirement(line) for line in PROJECT["optional-dependencies"][extra]}
        assert {each.name for each in asked} <= {each.name for each in wanted}
        assert {str(each) for each in asked} == {
            str(each).partition(";")[0] for each in wanted if each.marker is None or each.marker.evaluate()
        }
        assert asked
        if extra in ("mcp", "tracing"):
            assert resolved(command, tmp_path).returncode == 0


def test_what_there_is_no_extra_for_requires_nothing() -> None:
    assert requirements("no-such-extra") == []


def as_installed(site: Path, requires: str) -> str:
    """A distribution called avo, as pip leaves it: the PYTHONPATH that it is on."""
    info = site / "avo-0.7.4.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: avo\nVersion: 0.7.4\nRequires-Dist: {requires}\n")
    return os.pathsep.join([str(site), str(PACKAGE.parent)])


def test_doctor_notices_another_projects_avo(cli: Any, tmp_path: Path) -> None:
    told = cli("doctor", PYTHONPATH=as_installed(tmp_path / "site", "httpx>=0.27"))
    assert told.returncode == 3
    (line,) = [line for line in told.stdout.splitlines() if line.split()[0] == "avo"]
    assert "MISSING: another project's avo 0.7.4 is installed here: " in line
    assert "uninstall avo, then" in line


def test_doctor_names_this_avo_and_takes_one_of_ours_under_its_former_name_for_no_stranger(
    cli: Any, tmp_path: Path
) -> None:
    told = cli("doctor", "--json", PYTHONPATH=as_installed(tmp_path / "site", "autogen-agentchat<0.8,>=0.7.5"))
    found = json.loads(told.stdout)
    assert "avo" not in found["missing"]
    assert found["avo"].startswith(f"{DISTRIBUTION} ")
