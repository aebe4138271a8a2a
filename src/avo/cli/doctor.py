"""`avo doctor`: the state of this machine, and whether a model can do the work."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from avo import __version__
from avo.cli.options import AsJson, BaseUrl, print_json, printable
from avo.installation import DISTRIBUTION, checkout, stranger
from avo.sandbox.isolation import MEASURES, measures_in_force
from avo.sandbox.seccomp import REMEDY, lacking
from avo.sandbox.syscalls import MACHINE
from avo.settings import cache_place, unsafe_runner
from avo.tools.build.compilers import cxx, nvcc
from avo.tools.devices.gpu import names
from avo.tools.devices.roofline import device
from avo.types import AvoError, Missing

PACKAGES = ("autogen-agentchat", "autogen-ext", "torch", "cuda-bindings", "chromadb", "gitpython", "typer")
"""Required packages."""


def doctor(
    model: Annotated[
        str | None,
        typer.Option(
            envvar="AVO_DOCTOR_MODEL", metavar="MODEL", help="Make one cheap call to this model; '' for avo.toml's."
        ),
    ] = None,
    base_url: BaseUrl = "",
    as_json: AsJson = False,
) -> None:
    """Check compiler, git, packages, device and the isolation of candidates. Exit code 3 when something is missing."""
    if model is not None:
        _model(model, base_url, as_json)

    found: dict[str, object] = {"cpu": device(), "architecture": MACHINE, "git": shutil.which("git") or ""}
    try:
        found["compiler"] = cxx().version
    except Missing:
        found["compiler"] = ""
    try:
        found["nvcc"] = f"{nvcc('sm_90a').version} {nvcc('sm_90a').path}"
    except Missing as lack:
        found["nvcc"] = f"none (only CUDA targets need it): {lack}"
    found["gpus"] = "; ".join(names()) or "none (candidates for a GPU can be built here, not scored)"
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    problems = dict[str, str]()
    if problem := stranger():
        problems["avo"] = problem
    found["avo"] = "" if problem else f"{DISTRIBUTION} {__version__}, {checkout() or 'installed'}"
    if reason := lacking():
        problems["filters"] = f"{reason}; {REMEDY}"
    found["filters"] = f"system calls of {MACHINE}" if not reason else ""
    if reason and unsafe_runner():
        found["filters"] = f"none: {reason}; candidates run without (AVO_UNSAFE_RUNNER)"
    in_force = measures_in_force()
    found["isolation"] = {name: name in in_force for name in MEASURES}
    if problem := writing_problem(cache_place()):
        problems["cache"] = problem
    found["cache"] = "" if problem else str(cache_place())
    missing = [name for name, value in found.items() if not value]
    if as_json:
        print_json(found | {"missing": missing})
    else:
        for name, value in found.items():
            if isinstance(value, str):
                print(f"{name:18} {value or (f'MISSING: {problems[name]}' if name in problems else 'MISSING')}")
        for name, meaning in MEASURES.items():
            print(f"isolation          {'yes' if name in in_force else 'NO '}  {name}: {meaning}")
    raise typer.Exit(3 if missing else 0)


def writing_problem(folder: Path) -> str:
    """Return why a folder cannot be written to; empty if it can. It is created if missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"{error.strerror}: {folder} (set AVO_CACHE)"


def _model(spec: str, base_url: str, as_json: bool) -> None:
    """Print a model's capabilities. Raises Missing with one line if it cannot be used, and typer.Exit."""
    from avo.agents.checkup import check  # AutoGen and the clients, which no other question needs

    try:
        found = check(spec, base_url, lambda line: print(f"avo: {printable(line)}", file=sys.stderr))
    except AvoError as error:
        raise Missing(str(error)) from error
    if found is None:
        print("the tuner is no language model: there is nothing to check")
        raise typer.Exit(0)
    if as_json:
        print_json(asdict(found))
    else:
        print(f"{'model':18} {found.model}")
        for what, so, more in found.lines():
            print(printable(f"{what:18} {'yes' if so else 'NO '}  {more}".rstrip()))
    raise typer.Exit(0 if found.works else 3)
