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
RUNTIME = re.compile(r"^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-[\w-]+|libmvec)\.so[.\d]*$")
"""What a candidate may be linked against: the runtime of its language."""
IMPORT = re.compile(r"\bUND (\w+)(@?)")
"""A symbol that is looked up at load time, and whether it belongs to a version of a library."""
LOADERS = ("dlopen", "dlmopen", "dlsym", "dlvsym")
UNVERSIONED = ("__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__cxa_finalize")
"""What a compiler itself leaves open."""
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
        read=(*SYSTEM_FOLDERS, *DEVICES, *_prefix(Path(path).resolve())), write=(str(folder), *DEVICES),
        memory=COMPILER_MEMORY, file_bytes=LARGEST_LIBRARY, own_processes=True,
    )  # fmt: skip
    paths = [f"./{name}" for name in units]  # so that no name reads as an option
    command = [path, *settings.flags, "-shared", "-fPIC", "-I", ".", "-o", library.name, *paths]
    done = run(command, folder, settings.compile_seconds, policy)
    output = done.output.replace(f"{folder}/", "")
    log = elide(output.strip(), LOG_CHARACTERS)
    if done.timed_out:
        raise Rejected(Status.TIMEOUT, f"compiling took longer than {settings.compile_seconds:g} s", log)
    if done.code != 0:
        raise Rejected(Status.COMPILE_ERROR, _first_error(output), log)
    _inspect(library, folder, policy)
    return Build(digest(files), library, log, done.seconds)


def _prefix(compiler_path: Path) -> tuple[str, ...]:
    """The folder that a compiler was installed to, when it is not the system's."""
    prefix = compiler_path.parent.parent
    return () if str(prefix) in ("/", "/usr", "/usr/local") else (str(prefix),)


def _first_error(output: str) -> str:
    lines = output.splitlines()
    errors = [line for line in lines if "error" in line.lower() or "undefined reference" in line]
    return (errors or lines or ["the compiler failed without a word"])[0][:300]


def _inspect(library: Path, folder: Path, policy: Policy) -> None:
    """Refuse libraries other than the runtime, and the functions that would load one."""
    shown = run(["readelf", "-dW", "--dyn-syms", library.name], folder, 30, policy).output
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", shown):
        if not RUNTIME.match(name):
            raise Rejected(Status.FORBIDDEN_LIBRARY, f"linked against {name}; only the C/C++ runtime is allowed")
    for name, version in IMPORT.findall(shown):
        if name in LOADERS:
            raise Rejected(Status.FORBIDDEN_LIBRARY, f"imports {name}; a candidate must not load libraries")
        if not version and name not in UNVERSIONED:
            raise Rejected(Status.FORBIDDEN_LIBRARY, f"imports {name}, which is not of the C/C++ runtime")
    if not re.search(rf"\b(?!UND)\w+ {SYMBOL}$", shown, re.MULTILINE):
        raise Rejected(Status.UNSUPPORTED, f'exports no extern "C" function {SYMBOL}')
