"""Which compiler makes candidates of a target, and how it is called."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from avo.settings import child_environment
from avo.types import Missing

CXX = ("c++", "g++", "clang++")
RUNTIME = r"^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-[\w-]+|libmvec{more})\.so[.\d]*$"
"""Libraries that a candidate may be linked against: the runtime of its language."""


@dataclass(frozen=True)
class Compiler:
    """A compiler that is there."""

    path: str
    version: str
    """Its own line."""
    units: tuple[str, ...]
    """Endings of the files that it compiles; the others are included."""
    folders: tuple[str, ...]
    """Where it was installed to, if not among the system's folders."""
    options: tuple[str, ...]
    """Of every call: what makes a shared library for this target."""
    runtime: re.Pattern[str]
    cuobjdump: str = ""
    """The disassembler beside it, where there is one."""


def compiler_of(target: str) -> Compiler:
    """The compiler of a target. Raises Missing, which says how to get it."""
    return cxx() if target == "cpu" else nvcc(target)


@functools.cache
def cxx() -> Compiler:
    """The C++ compiler."""
    for name in CXX:
        if path := shutil.which(name):
            if not shutil.which("readelf"):
                raise Missing("no readelf found, which shows what a candidate imports: apt-get install binutils")
            prefix = Path(path).resolve().parent.parent
            folders = () if str(prefix) in ("/", "/usr", "/usr/local") else (str(prefix),)
            options = ("-shared", "-fPIC", "-I", ".")
            runtime = re.compile(RUNTIME.format(more=""))
            return Compiler(path, _first_line(path), (".cpp", ".cc", ".c"), folders, options, runtime)
    raise Missing("no C++ compiler found (c++, g++ or clang++); on Debian: apt-get install g++")


@functools.cache
def nvcc(target: str) -> Compiler:
    """CUDA's compiler: of a toolkit, or of the packages that `pip install avo[nvcc]` brings.

    The candidate links against the shared CUDA runtime, so that what it imports stays short enough to be read.
    """
    cxx()  # nvcc calls it for the host's side
    packaged = Path(sysconfig.get_path("purelib")) / "nvidia" / "cu13" / "bin" / "nvcc"
    for found in (shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc", str(packaged)):
        if found and Path(found).is_file():
            path = _behind(found)
            root = path.parent.parent
            architecture = target.removeprefix("sm_")
            options = (
                f"-gencode=arch=compute_{architecture},code={target}", "-Xptxas=-v", "-cudart=shared", "-shared",
                "-Xcompiler=-fPIC", f"-L{root / 'lib'}", "-L.", "-I.",
            )  # fmt: skip
            runtime = re.compile(RUNTIME.format(more="|libcudart"))
            dumps = [str(p) for p in (path.with_name("cuobjdump"), packaged.with_name("cuobjdump")) if p.is_file()]
            folders = (str(root), str(packaged.parent.parent))
            units = (".cu", ".cpp", ".cc")
            return Compiler(str(path), _nvcc_version(path), units, folders, options, runtime, (dumps or [""])[0])
    raise Missing(f"no nvcc found for {target}: install a CUDA toolkit, or: pip install 'avo[nvcc]'")


def runtime_library(compiler: Compiler) -> Path | None:
    """libcudart of the compiler's own installation; None for a compiler that needs none."""
    if ".cu" not in compiler.units:
        return None
    root = Path(compiler.path).parent.parent
    found: Iterable[Path] = (p for name in ("lib64", "lib") for p in sorted((root / name).glob("libcudart.so.*")))
    return next(iter(found), None)


def _behind(path: str) -> Path:
    """The nvcc that a wrapper script calls."""
    here = re.search(r"_HERE_=(.+)", _said([path, "--dryrun", "-x", "cu", "-c", "/dev/null"]))
    return Path(here[1]).resolve() / "nvcc" if here else Path(path).resolve()


def _first_line(path: str) -> str:
    return _said([path, "--version"]).partition("\n")[0]


def _nvcc_version(path: Path) -> str:
    return "nvcc " + " ".join(re.findall(r"V[\d.]+", _said([str(path), "--version"])))


def _said(command: list[str]) -> str:
    """What a compiler answers on both streams, the standard one first."""
    bare = child_environment(Path("/"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=bare)
    return done.stdout + done.stderr
