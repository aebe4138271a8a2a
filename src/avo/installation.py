"""The installation of this avo: how to install its extras, and whether another project's avo overlaps it."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

DISTRIBUTION = "avo-kernels"
"""avo's name for pip; `avo` belongs to another project."""
STRANGER = "avo"
"""The other project's name for pip."""
OURS = "autogen-agentchat"
"""A requirement of this avo, under any name, but not of the other project."""


def checkout() -> Path | None:
    """Return the folder of the checkout that this avo runs from; None for an installed one."""
    source = Path(__file__).resolve().parents[1]
    return source.parent if source.name == "src" and (source.parent / "pyproject.toml").is_file() else None


def how_to_install(extra: str) -> str:
    """Return a working command that installs an extra: from the checkout, else its packages.

    It never requests avo itself from an index, where it is not published.
    """
    if root := checkout():
        return f"{_pip()} install -e {shlex.quote(f'{root}[{extra}]')}"
    if packages := requirements(extra):
        return f"{_pip()} install {shlex.join(packages)}"
    return f"install what pyproject.toml of avo has under {extra}"


def requirements(extra: str) -> list[str]:
    """Return the packages of an extra of the installed avo on this machine; empty if pip does not know avo."""
    from packaging.requirements import Requirement

    try:
        lines = distribution(DISTRIBUTION).requires or []
    except PackageNotFoundError:
        return []
    found = []
    for line in lines:
        wanted = Requirement(line)
        marker, wanted.marker = wanted.marker, None
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            found.append(str(wanted))
    return found


def stranger() -> str:
    """Return the remedy if the other project's `avo` is installed over this one; empty if it is not."""
    try:
        other = distribution(STRANGER)
    except PackageNotFoundError:
        return ""
    if any(line.startswith(OURS) for line in other.requires or []):  # an avo of ours, from before it had a name
        return ""
    anew = f"{_pip()} install -e {shlex.quote(str(root))}" if (root := checkout()) else "install avo's wheel anew"
    return f"another project's avo {other.version} is installed here: {_pip()} uninstall {STRANGER}, then {anew}"


def _pip() -> str:
    """Return the command of pip: plain if that is this environment's, else through its interpreter."""
    found = shutil.which("pip")
    beside = found and Path(found).parent == Path(sys.executable).parent
    return "pip" if beside else f"{shlex.quote(sys.executable)} -m pip"
