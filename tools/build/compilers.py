"""The compiler of each target: where it is found, its version, and its options."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from avo.installation import how_to_install
from avo.sandbox.process import starting
from avo.settings import NVCC_ENVIRONMENT, child_environment
from avo.types import Missing

CXX = ("c++", "g++", "clang++")
"""Names of C++ compilers, in the order in which they are looked for."""
RUNTIME = r"^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-[\w-]+|libmvec{more})\.so[.\d]*$"
"""Libraries that a candidate may be linked against: the runtime of its language."""


@dataclass(frozen=True)
class Compiler:
    """An installed compiler."""

    path: str
    """Path of its executable."""
    version: str
    """First line of its --version, and the variables of the environment that change its calls."""
    units: tuple[str, ...]
    """Suffixes of the files that it compiles; the others are only included."""
    folders: tuple[str, ...]
    """Folders of its installation, if outside the system's."""
    options: tuple[str, ...]
    """Options of every call, which make a shared library for this target."""
    runtime: re.Pattern[str]
    """Names of the libraries that a candidate may be linked against."""
    cuobjdump: str = ""
    """Path of CUDA's disassembler; empty if there is none."""
    host: str = ""
    """For CUDA: first line of its host compiler's --version."""


_found: dict[tuple[str, ...], tuple[Compiler, object]] = {}
"""Compilers found so far, by target and environment, each with the state of its files at that time."""


def compiler_of(target: str) -> Compiler:
    """Return the compiler of a target. Raises Missing, with a hint how to install it."""
    return cxx() if target == "cpu" else nvcc(target)


def cxx() -> Compiler:
    """Return the C++ compiler. Raises Missing."""
    return _kept("cpu", _find_cxx)


def nvcc(target: str) -> Compiler:
    """Return CUDA's compiler, from a toolkit or from the packages of the extra nvcc. Raises Missing.

    If CUDA_HOME or CUDA_PATH is set, the one there. Else the first in PATH and /usr/local/cuda that compiles for the
    target, unless the packaged one is newer. NVCC_CCBIN, NVCC_PREPEND_FLAGS and NVCC_APPEND_FLAGS are respected.
    """
    return _kept(target, lambda: _find_nvcc(target))


def forget() -> None:
    """Make the next call look for the compilers again."""
    _found.clear()


def _kept(target: str, find: Callable[[], Compiler]) -> Compiler:
    """Return the compiler found before if its files are unchanged, else what `find` finds.

    Raises Missing, once, when it is gone: another one may be found then, and one run must not use two compilers.
    """
    names = ("PATH", "CUDA_HOME", "CUDA_PATH", *NVCC_ENVIRONMENT)
    key = (target, *(os.environ.get(name, "") for name in names))
    known = _found.get(key)
    if known:
        compiler, looked = known
        if _look(compiler) == looked:
            return compiler
        del _found[key]
        if not os.access(compiler.path, os.X_OK):
            raise Missing(f"the compiler {compiler.path} is gone: put it back, then give the same command again")
    compiler = find()
    _found[key] = compiler, _look(compiler)
    return compiler


def _look(compiler: Compiler) -> object:
    """Return the identity, size, time and mode of a compiler's files, None for a missing one, to detect a change."""
    looks: list[tuple[int, ...] | None] = []
    for path in filter(None, (compiler.path, compiler.cuobjdump)):
        try:
            stat = Path(path).stat()
        except OSError:
            looks.append(None)
        else:
            looks.append((stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_mode))
    return looks


def _find_cxx() -> Compiler:
    for name in CXX:
        if path := shutil.which(name):
            for tool in ("readelf", "objdump"):
                if not shutil.which(tool):
                    raise Missing(f"no {tool} found, which shows what a candidate is made of: apt-get install binutils")
            options = ("-shared", "-fPIC", "-I", ".")
            runtime = re.compile(RUNTIME.format(more=""))
            return Compiler(path, _first_line(path), (".cpp", ".cc", ".c"), _prefix(path), options, runtime)
    raise Missing("no C++ compiler found (c++, g++ or clang++); on Debian: apt-get install g++")


def _find_nvcc(target: str) -> Compiler:
    """Return CUDA's compiler. Candidates link against the shared CUDA runtime, so that their list of imports stays
    short enough to be checked.
    """
    path, version = _choose(target)
    root, packaged = path.parent.parent, _packaged()
    options = (
        # -cudart=shared: a candidate imports some 15 symbols; with the static runtime it imports dlopen and 160 more.
        _generate(target), "-Xptxas=-v", "-cudart=shared", "-shared",
        "-Xcompiler=-fPIC", f"-L{root / 'lib'}", "-L.", "-I.",
    )  # fmt: skip
    host, folders = _host()
    dumps = [str(p) for p in (path.with_name("cuobjdump"), packaged.with_name("cuobjdump")) if p.is_file()]
    set_by_user = "".join(f" {name}={os.environ[name]}" for name in NVCC_ENVIRONMENT if os.environ.get(name))
    return Compiler(
        str(path), f"nvcc V{'.'.join(map(str, version))}{set_by_user}", (".cu", ".cpp", ".cc"),
        (str(root), str(packaged.parent.parent), *folders), options, re.compile(RUNTIME.format(more="|libcudart")),
        (dumps or [""])[0], host,
    )  # fmt: skip


def _packaged() -> Path:
    return Path(sysconfig.get_path("purelib")) / "nvidia" / "cu13" / "bin" / "nvcc"


def _choose(target: str) -> tuple[Path, tuple[int, ...]]:
    """Return the path and the version of nvcc. Raises Missing."""
    named = next((name for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)), "")
    if named:
        own = Path(os.environ[named]) / "bin" / "nvcc"
        if not own.is_file():
            raise Missing(
                f"{named} is {os.environ[named]}, but there is no {own}: mount or install it, or unset {named}"
            )
        places = [own]
    else:
        beside = (shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc", str(_packaged()))
        places = [Path(place) for place in beside if place and Path(place).is_file()]
    if not places:
        raise Missing(f"no nvcc found for {target}: install a CUDA toolkit, or: {how_to_install('nvcc')}")
    able, words = [], ""
    for place in places:
        tried = _ask([str(place), _generate(target), "--dryrun", "-x", "cu", "-c", "/dev/null", "-o", "/dev/null"])
        if tried.returncode == 0:
            able.append((place, _nvcc_version(place)))
        else:
            words = words or f"{place}: {(_text(tried).strip().splitlines() or ['it fails without a word'])[-1]}"
    if not able:
        raise Missing(f"no nvcc here compiles for {target} ({words}): a newer toolkit, or: {how_to_install('nvcc')}")
    first, last = able[0], able[-1]
    place, version = last if last[0] == _packaged() and last[1] > first[1] else first
    return _behind(place), version


def _generate(target: str) -> str:
    return f"-gencode=arch=compute_{target.removeprefix('sm_')},code={target}"


def _host() -> tuple[str, tuple[str, ...]]:
    """Return the first line of the host compiler's --version, and the folders that it and the user's flags need."""
    folders = [*cxx().folders]  # nvcc looks for gcc, which comes with it
    flags = [word for name in NVCC_ENVIRONMENT[1:] for word in shlex.split(os.environ.get(name, ""))]
    values = dict(itertools.pairwise(flags)) | dict(flag.split("=", 1) for flag in flags if "=" in flag)
    named = values.get("-ccbin") or values.get("--compiler-bindir") or os.environ.get("NVCC_CCBIN") or "gcc"
    path = shutil.which(named) or (shutil.which("gcc", path=named) if Path(named).is_dir() else None)
    if path:
        folders += _prefix(path)
    given = (re.match(r"(?:-I|-L|-isystem=?|--include-path=|--library-path=)?(/.+)", flag) for flag in flags)
    folders += [found[1] for found in given if found and Path(found[1]).is_dir()]
    return _first_line(path) if path else "", tuple(dict.fromkeys(folders))


def _prefix(path: str) -> tuple[str, ...]:
    """Return the folder that a compiler is installed in; empty if it is one of the system's."""
    prefix = Path(path).resolve().parent.parent
    return () if str(prefix) in ("/", "/usr", "/usr/local") else (str(prefix),)


def runtime_library(compiler: Compiler) -> Path | None:
    """Return the path of libcudart in the compiler's installation; None if there is none, or none is needed."""
    if ".cu" not in compiler.units:
        return None
    root = Path(compiler.path).parent.parent
    found: Iterable[Path] = (p for name in ("lib64", "lib") for p in sorted((root / name).glob("libcudart.so.*")))
    return next(iter(found), None)


def _behind(path: Path) -> Path:
    """Return the nvcc that a wrapper script calls."""
    here = re.search(r"_HERE_=(.+)", _text(_ask([str(path), "--dryrun", "-x", "cu", "-c", "/dev/null"])))
    return Path(here[1]).resolve() / "nvcc" if here else path.resolve()


def _first_line(path: str) -> str:
    return _text(_ask([path, "--version"])).partition("\n")[0]


def _nvcc_version(path: Path) -> tuple[int, ...]:
    found = re.search(r"V(\d+(?:\.\d+)+)", _text(_ask([str(path), "--version"])))
    return tuple(map(int, found[1].split("."))) if found else ()


def _ask(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a compiler to query it. Raises Missing when it cannot be started or is killed."""
    with starting(command[0]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=child_environment(Path("/")))
    if done.returncode < 0:
        raise Missing(f"{' '.join(command[:2])} was ended by signal {-done.returncode}")
    return done


def _text(done: subprocess.CompletedProcess[str]) -> str:
    """Return a compiler's standard output followed by its standard error."""
    return done.stdout + done.stderr
