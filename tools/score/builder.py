"""Compiles a candidate of the CPU target to a shared library, in a sandbox and a folder of its own."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from avo.scenarios.abi import HEADER, SYMBOL, header
from avo.scenarios.loader import Scenario
from avo.tools.process import DEVICES, SYSTEM_FOLDERS, elide, run
from avo.tools.sandbox import Policy
from avo.tools.sources import Sources, digest, write_sources
from avo.types import Missing, Rejected, Status

COMPILERS = ("c++", "g++", "clang++")
COMPILER_MEMORY = 4 << 30
LARGEST_LIBRARY = 64 << 20
LIBRARIES = re.compile(r"^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-[\w-]+|libmvec)\.so[.\d]*$")
"""What a candidate may be linked against: the runtime of its language."""
LOADERS = re.compile(r"\bUND (dlopen|dlmopen)\b")
LOG_CHARACTERS = 6000


@dataclass(frozen=True)
class Build:
    """A compiled candidate."""

    tree: str
    library: Path
    log: str
    """Warnings, head and tail."""
    seconds: float


@functools.cache
def compiler() -> tuple[str, str]:
    """Path and version line of the C++ compiler. Raises Missing when there is none."""
    for name in COMPILERS:
        if path := shutil.which(name):
            shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            return path, shown.stdout.partition("\n")[0]
    raise Missing("no C++ compiler found (c++, g++ or clang++); on Debian: apt-get install g++")


def build(files: Sources, scenario: Scenario, target: str, folder: Path) -> Build:
    """Compile every .cpp/.cc/.c of `files` in `folder`, which must be empty or new.

    Raises Rejected: COMPILE_ERROR, TIMEOUT, FORBIDDEN_LIBRARY, or UNSUPPORTED without the symbol.
    """
    path, _ = compiler()
    settings = scenario.target(target)
    units = [name for name in files if name.endswith((".cpp", ".cc", ".c"))]
    if not units:
        raise Rejected(Status.COMPILE_ERROR, "no .cpp, .cc or .c file to compile")
    folder.mkdir(parents=True, exist_ok=True)
    write_sources(files, folder)
    (folder / HEADER).write_text(header(scenario))
    library = folder / "candidate.so"
    policy = Policy(
        read=(*SYSTEM_FOLDERS, *DEVICES, str(Path(path).resolve().parent)), write=(str(folder), *DEVICES),
        memory=COMPILER_MEMORY, file_bytes=LARGEST_LIBRARY, own_processes=True,
    )  # fmt: skip
    command = [path, *settings.flags, "-shared", "-fPIC", "-I", ".", "-o", library.name, *units]
    done = run(command, folder, settings.compile_seconds, policy)
    log = elide(done.output.strip(), LOG_CHARACTERS)
    if done.timed_out:
        raise Rejected(Status.TIMEOUT, f"compiling took longer than {settings.compile_seconds:g} s", log)
    if done.code != 0:
        raise Rejected(Status.COMPILE_ERROR, _first_error(done.output), log)
    _inspect(library, folder, policy)
    return Build(digest(files), library, log, done.seconds)


def _first_error(output: str) -> str:
    lines = output.splitlines()
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["the compiler failed without a word"])[0][:300]


def _inspect(library: Path, folder: Path, policy: Policy) -> None:
    """Refuse libraries other than the runtime, and the functions that would load one."""
    shown = run(["readelf", "-dW", "--dyn-syms", library.name], folder, 30, policy).output
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", shown):
        if not LIBRARIES.match(name):
            raise Rejected(Status.FORBIDDEN_LIBRARY, f"linked against {name}; only the C/C++ runtime is allowed")
    if found := LOADERS.search(shown):
        raise Rejected(Status.FORBIDDEN_LIBRARY, f"imports {found[1]}; a candidate must not load libraries")
    if not re.search(rf"\b(?!UND)\w+ {SYMBOL}$", shown, re.MULTILINE):
        raise Rejected(Status.UNSUPPORTED, f'exports no extern "C" function {SYMBOL}')
