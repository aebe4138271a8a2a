"""How this avo came to this machine: what installs an extra of it, and whether another project's avo is in its way."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

DISTRIBUTION = "avo-kernels"
"""Under this name pip knows avo; `avo` is another project's."""
STRANGER = "avo"
OURS = "autogen-agentchat"
"""What avo requires, under whichever name, and the other project does not."""


def checkout() -> Path | None:
    """The folder of the checkout that this avo runs from; None for one that was installed."""
    source = Path(__file__).resolve().parents[1]
    return source.parent if source.name == "src" and (source.parent / "pyproject.toml").is_file() else None


def how_to_install(extra: str) -> str:
    """A command that works here and now: from the checkout, else the packages that the extra stands for.

    It never asks an index for avo itself, which is not published.
    """
    if root := checkout():
        return f"{_pip()} install -e {shlex.quote(f'{root}[{extra}]')}"
    if packages := requirements(extra):
        return f"{_pip()} install {shlex.join(packages)}"
    return f"install what pyproject.toml of avo has under {extra}"


def requirements(extra: str) -> list[str]:
    """What an extra of the installed avo requires on this machine; empty where pip does not know avo."""
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
    """What to do about the other project's `avo`, whose files lie among ours here; empty when it is not installed."""
    try:
        other = distribution(STRANGER)
    except PackageNotFoundError:
        return ""
    if any(line.startswith(OURS) for line in other.requires or []):  # an avo of ours, from before it had a name
        return ""
    anew = f"{_pip()} install -e {shlex.quote(str(root))}" if (root := checkout()) else "install avo's wheel anew"
    return f"another project's avo {other.version} is installed here: {_pip()} uninstall {STRANGER}, then {anew}"


def _pip() -> str:
    """pip as a person types it, where that is this environment's; else by its interpreter."""
    found = shutil.which("pip")
    beside = found and Path(found).parent == Path(sys.executable).parent
    return "pip" if beside else f"{shlex.quote(sys.executable)} -m pip"
