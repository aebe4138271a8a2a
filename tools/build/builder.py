"""Compiles a candidate to a shared library, in a sandbox and a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from avo.sandbox.process import elide
from avo.scenarios.abi import HEADER, header
from avo.scenarios.loader import Scenario
from avo.tools.build.binary import Kernel, digest_sass, kernels, remarks
from avo.tools.build.blame import compiled, link_runtime, on_disk, why
from avo.tools.build.compilation import LIBRARY, Compilation, well
from avo.tools.build.compilers import compiler_of
from avo.tools.build.inspection import Inspection
from avo.tools.build.precision import on_cpu, refusal
from avo.tools.build.sources import Sources, digest, write_sources
from avo.types import Rejected, Status

LOG_CHARACTERS = 6000
"""Maximum length in characters of a build's log."""


@dataclass(frozen=True)
class Build:
    """A compiled candidate."""

    tree: str
    """Digest of the sources."""
    library: Path
    """Path of the shared library."""
    log: str
    """Compiler warnings, head and tail."""
    seconds: float
    """Wall-clock time of the compiler."""
    kernels: tuple[Kernel, ...] = ()
    """CUDA: ptxas's figures for each entry function."""
    sass: Mapping[str, int] = field(default_factory=dict)
    """CUDA: number of instructions by group; empty without a disassembler."""
    code: str = ""
    """Digest of machine code and constants; empty where it cannot be computed."""


def build(files: Sources, scenario: Scenario, target: str, folder: Path) -> Build:
    """Compile the sources in `folder`, which must be empty or new.

    Raises Rejected: COMPILE_ERROR, TIMEOUT, FORBIDDEN_LIBRARY, INCORRECT_DTYPE, or UNSUPPORTED without the symbol;
    Missing when there is no working compiler for the target; ScenarioError when the scenario's flags prevent compiling.
    """
    how = Compilation(compiler_of(target), scenario, target)
    units = [f"./{name}" for name in files if name.endswith(how.compiler.units)]  # so that no name reads as an option
    if not units:
        hint = "; these are CUDA sources: give --target sm_90a, for instance" if _cuda(files) else ""
        raise Rejected(Status.COMPILE_ERROR, f"no {', '.join(how.compiler.units)} file to compile{hint}")
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_sources(files, folder)
        (folder / HEADER).write_text(header(scenario))
        link_runtime(how.compiler, folder)
    done = compiled(how, units, folder)
    output = done.output.replace(f"{folder}/", "")
    log = elide("\n".join(filter(None, [*remarks(output), output.strip()])), LOG_CHARACTERS)
    if not well(done, folder):
        raise Rejected(Status.COMPILE_ERROR, why(done).replace(f"{folder}/", ""), log)
    inspection = Inspection(how, folder)
    with ThreadPoolExecutor(3) as beside:  # each tool takes longer to start than to read
        disassembled, listed = beside.submit(inspection.sass), beside.submit(inspection.machine_code)
        digested = beside.submit(lambda: inspection.code(listed.result()))
        inspection.require_only_its_runtime()
        sass, listing, code = digest_sass(disassembled.result()), listed.result(), digested.result()
    if refused := refusal(sass or on_cpu(listing), scenario, target):
        raise Rejected(Status.INCORRECT_DTYPE, refused, log)
    return Build(digest(files), folder / LIBRARY, log, done.seconds, kernels(output), sass, code)


def _cuda(files: Sources) -> bool:
    return any(name.endswith(".cu") for name in files)
