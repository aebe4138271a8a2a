"""Compiles a candidate to a shared library, in a sandbox and a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from avo.scenarios.abi import HEADER, SYMBOL, header
from avo.scenarios.loader import Scenario
from avo.tools.process import DEVICES, SYSTEM_FOLDERS, elide, run
from avo.tools.sandbox import Policy
from avo.tools.score.binary import FP8, Kernel, digest_sass, kernels, warning
from avo.tools.score.compilers import Compiler, compiler_of, runtime_library
from avo.tools.sources import Sources, digest, write_sources
from avo.types import Rejected, Status

COMPILER_MEMORY = 16 << 30
LARGEST_LIBRARY = 64 << 20
IMPORT = re.compile(r"\bUND (\w+)(@?)")
"""A symbol that is looked up at load time, and whether it belongs to a version of a library."""
LOADERS = ("dlopen", "dlmopen", "dlsym", "dlvsym")
CUDA = re.compile(r"^(?:__)?cuda|^cu[A-Z]")
"""Functions of CUDA's runtime and driver."""
CUDA_ALLOWED = re.compile(
    r"^__cuda(?:Register|Unregister|InitModule|PushCallConfiguration|PopCallConfiguration|GetKernel|LaunchKernel)"
    r"|^cuda(?:LaunchKernel|LaunchKernelExC|FuncSetAttribute|FuncGetAttributes|GetLastError|PeekAtLastError|GetErrorString"
    r"|GetErrorName|GetDevice|DeviceGetAttribute|MemsetAsync|GetSymbolAddress|OccupancyMaxActiveClusters"
    r"|OccupancyMaxActiveBlocksPerMultiprocessor(?:WithFlags)?)$"
    r"|^cuTensorMapEncodeTiled$"
)
"""What a launch needs of them: kernels on the stream that it was given; no streams, events or memory of its own."""
EXPORT = re.compile(r"(?:FUNC|OBJECT|IFUNC|NOTYPE|TLS)\s+(?:GLOBAL|WEAK|UNIQUE)\s+\w+\s+(?!UND\b)\w+ (\w+)")
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
    kernels: tuple[Kernel, ...] = ()
    """CUDA: what ptxas says of each entry function."""
    sass: Mapping[str, int] = field(default_factory=dict)
    """CUDA: instructions by group; empty where there is no disassembler."""


def build(files: Sources, scenario: Scenario, target: str, folder: Path) -> Build:
    """Compile the sources in `folder`, which must be empty or new.

    Raises Rejected: COMPILE_ERROR, TIMEOUT, FORBIDDEN_LIBRARY, or UNSUPPORTED without the symbol; Missing when there
    is no compiler for the target.
    """
    compiler, settings = compiler_of(target), scenario.target(target)
    units = [f"./{name}" for name in files if name.endswith(compiler.units)]  # so that no name reads as an option
    if not units:
        hint = "; these are CUDA sources: give --target sm_90a, for instance" if _cuda(files) else ""
        raise Rejected(Status.COMPILE_ERROR, f"no {', '.join(compiler.units)} file to compile{hint}")
    folder.mkdir(parents=True, exist_ok=True)
    write_sources(files, folder)
    (folder / HEADER).write_text(header(scenario))
    library = folder / "candidate.so"
    policy = Policy(
        read=(*SYSTEM_FOLDERS, *DEVICES, *compiler.folders), write=(str(folder), *DEVICES),
        memory=COMPILER_MEMORY, file_bytes=LARGEST_LIBRARY, own_processes=True,
    )  # fmt: skip
    if runtime := runtime_library(compiler):
        (folder / "libcudart.so").symlink_to(runtime)  # the packaged one has no name for the linker
    command = [compiler.path, *settings.flags, *compiler.options, "-o", library.name, *units]
    done = run(command, folder, settings.compile_seconds, policy)
    output = done.output.replace(f"{folder}/", "")
    log = elide("\n".join(filter(None, [warning(output), output.strip()])), LOG_CHARACTERS)
    if done.timed_out:
        raise Rejected(Status.TIMEOUT, f"compiling took longer than {settings.compile_seconds:g} s", log)
    if done.code != 0:
        raise Rejected(Status.COMPILE_ERROR, _first_error(output), log)
    _inspect(library, compiler, policy)
    sass = _sass(library, compiler, policy)
    if sass.get(FP8):
        raise Rejected(Status.INCORRECT_DTYPE, f"computes in fp8 ({sass[FP8]} instructions such as QGMMA)", log)
    return Build(digest(files), library, log, done.seconds, kernels(output), sass)


def _cuda(files: Sources) -> bool:
    return any(name.endswith(".cu") for name in files)


def _forbidden(reason: str) -> Rejected:
    return Rejected(Status.FORBIDDEN_LIBRARY, reason)


def _sass(library: Path, compiler: Compiler, policy: Policy) -> Mapping[str, int]:
    if not compiler.cuobjdump:
        return {}
    path = f"PATH={Path(compiler.cuobjdump).parent}"  # where it finds nvdisasm, which does the work
    command = ["/usr/bin/env", path, compiler.cuobjdump, "--dump-sass", library.name]
    plain = replace(policy, own_processes=False)  # it looks for itself in /proc, which shows other processes then
    return digest_sass(run(command, library.parent, 60, plain).output)


def _first_error(output: str) -> str:
    lines = output.splitlines()
    errors = [line for line in lines if "error" in line.lower() or "undefined reference" in line]
    return (errors or lines or ["the compiler failed without a word"])[0][:300]


def _inspect(library: Path, compiler: Compiler, policy: Policy) -> None:
    """Refuse libraries other than the runtime, the functions that would load one, and what a launch does not need."""
    shown = run(["readelf", "-dW", "--dyn-syms", library.name], library.parent, 30, policy).output
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", shown):
        if not compiler.runtime.match(name):
            raise _forbidden(f"linked against {name}; only the runtime of C++ and CUDA is allowed")
    for name, version in IMPORT.findall(shown):
        if name in LOADERS:
            raise _forbidden(f"imports {name}; a candidate must not load libraries")
        if ".cu" in compiler.units and CUDA.match(name):
            if not CUDA_ALLOWED.match(name):
                raise _forbidden(f"imports {name}, which a launch has no need of")
        elif not version and name not in UNVERSIONED:
            raise _forbidden(f"imports {name}, which is not of the runtime of C++ and CUDA")
    if taken := [name for name in EXPORT.findall(shown) if CUDA.match(name)]:
        raise _forbidden(f"exports {taken[0]}, a name of CUDA's own")
    if not re.search(rf"\b(?!UND)\w+ {SYMBOL}$", shown, re.MULTILINE):
        raise Rejected(Status.UNSUPPORTED, f'exports no extern "C" function {SYMBOL}')
