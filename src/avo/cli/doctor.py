"""`avo doctor`: what this machine has, and what is missing."""

from __future__ import annotations

import typer

from avo.cli.options import AsJson, print_json

PACKAGES = ("autogen-agentchat", "autogen-ext", "torch", "cuda-python", "chromadb", "gitpython", "typer")


def doctor(as_json: AsJson = False) -> None:
    """Check compiler, git, packages, device and the isolation of candidates. Exit code 3 when something is missing."""
    import shutil
    from importlib.metadata import PackageNotFoundError, version

    from avo.tools.isolation import MEASURES, measures_in_force
    from avo.tools.score.compilers import cxx, nvcc
    from avo.tools.score.gpu import names
    from avo.tools.score.roofline import device
    from avo.types import Missing

    found: dict[str, object] = {"cpu": device(), "git": shutil.which("git") or ""}
    try:
        found["compiler"] = cxx().version
    except Missing:
        found["compiler"] = ""
    try:
        found["nvcc"] = nvcc("sm_90a").version
    except Missing:
        found["nvcc"] = "none (only CUDA targets need it: a toolkit, or pip install 'avo[nvcc]')"
    found["gpus"] = "; ".join(names()) or "none (candidates for a GPU can be built here, not scored)"
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    in_force = measures_in_force()
    found["isolation"] = {name: name in in_force for name in MEASURES}
    missing = [name for name, value in found.items() if not value]
    if as_json:
        print_json(found | {"missing": missing})
    else:
        for name, value in found.items():
            if isinstance(value, str):
                print(f"{name:18} {value or 'MISSING'}")
        for name, meaning in MEASURES.items():
            print(f"isolation          {'yes' if name in in_force else 'NO '}  {name}: {meaning}")
    raise typer.Exit(3 if missing else 0)
