"""Checks the imports and exports of a compiled candidate, and disassembles it, with the tools of binutils and CUDA."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from avo.sandbox.process import Finished, run
from avo.scenarios.abi import SYMBOL
from avo.tools.build.blame import ended_by_others, looked_for_anew, on_disk, trial, why
from avo.tools.build.code import code_of
from avo.tools.build.compilation import LIBRARY, Compilation, well
from avo.types import Missing, Rejected, Status

IMPORT = re.compile(r"\bUND (\w+)(@?)")
"""An undefined symbol, and "@" if it belongs to a version of a library."""
LOADERS = ("dlopen", "dlmopen", "dlsym", "dlvsym")
"""Functions that load other libraries."""
CUDA = re.compile(r"^(?:__)?cuda|^cu[A-Z]")
"""Names of functions of CUDA's runtime and driver."""
CUDA_ALLOWED = re.compile(
    r"^__cuda(?:Register|Unregister|InitModule|PushCallConfiguration|PopCallConfiguration|GetKernel|LaunchKernel)"
    r"|^cuda(?:LaunchKernel|LaunchKernelExC|FuncSetAttribute|FuncGetAttributes|GetLastError|PeekAtLastError|GetErrorString"
    r"|GetErrorName|GetDevice|DeviceGetAttribute|MemsetAsync|GetSymbolAddress|OccupancyMaxActiveClusters"
    r"|OccupancyMaxActiveBlocksPerMultiprocessor(?:WithFlags)?)$"
    r"|^cuTensorMapEncodeTiled$"
)
"""CUDA functions that a launch needs: kernels on the stream that is passed; no streams, events or memory of its own."""
EXPORT = re.compile(r"(?:FUNC|OBJECT|IFUNC|NOTYPE|TLS)\s+(?:GLOBAL|WEAK|UNIQUE)\s+\w+\s+(?!UND\b)\w+ (\w+)")
"""A defined dynamic symbol."""
UNVERSIONED = ("__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__cxa_finalize")
"""Unversioned symbols that the compiler itself leaves undefined."""
ENV = "/usr/bin/env"
"""Path of env(1), which sets PATH for cuobjdump."""
SECONDS = 60.0
"""Seconds that a tool may take."""
MOST_LISTED = 96 << 20
"""Maximum size in bytes of one tool's output: about half a million instructions."""
CUT = re.compile(r"\n\[\.\.\. \d+ bytes left out \.\.\.\]\n$")
"""Mark at the end of an output that was cut off."""


@dataclass(frozen=True)
class Inspection:
    """The checks on the library of one candidate."""

    how: Compilation
    """The compilation that made the library."""
    folder: Path
    """Folder that contains LIBRARY."""

    def require_only_its_runtime(self) -> None:
        """Raise Rejected unless the library uses the language runtime only and exports the symbol.

        FORBIDDEN_LIBRARY for another library, a function that loads one, or a CUDA function that a launch does not
        need; UNSUPPORTED without the symbol.
        """
        shown, compiler = self._read(["readelf", "-dW", "--dyn-syms", LIBRARY]), self.how.compiler
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

    def machine_code(self) -> str:
        """Return objdump's listing of the host code."""
        return self._read(["objdump", "-d", "-w", "--no-show-raw-insn", LIBRARY])

    def sass(self) -> str:
        """Return cuobjdump's listing of the GPU code; "" without a disassembler."""
        return self._read([*self._cuobjdump(), "--dump-sass", LIBRARY]) if self.how.compiler.cuobjdump else ""

    def code(self, listing: str) -> str:
        """Return the digest of `code_of`; "" where CUDA code cannot be extracted from the library."""
        if ".cu" not in self.how.compiler.units:
            return code_of(self.folder / LIBRARY, listing, ())
        if not self.how.compiler.cuobjdump:
            return ""
        with on_disk(self.folder), tempfile.TemporaryDirectory(prefix=".cubins-", dir=self.folder) as scratch:
            self._read([*self._cuobjdump(), "-xelf", "all", f"../{LIBRARY}"], Path(scratch))
            return code_of(self.folder / LIBRARY, listing, sorted(Path(scratch).glob("*.cubin")))

    def _cuobjdump(self) -> Sequence[str]:
        """Return the start of a cuobjdump command; PATH lets it find nvdisasm, which does the work."""
        path = self.how.compiler.cuobjdump
        return (ENV, f"PATH={Path(path).parent}", path)

    def _read(self, command: Sequence[str], inside: Path | None = None) -> str:
        """Return a tool's output about the library.

        Raises Rejected when the tool fails on this library but not on others; Missing when it fails on any.
        """
        with looked_for_anew():
            done = self._run(command, inside or self.folder)
            if not _was_read(done):
                done = self._run(command, inside or self.folder)
            if not _was_read(done):
                self._require_that_it_reads(command, inside is not None)
                if ended_by_others(done):
                    raise Missing(f"{_name(command)} is ended by others, perhaps for want of memory: {why(done)}")
                raise Rejected(Status.UNSUPPORTED, f"{_name(command)} cannot read the library: {why(done)}")
        if CUT.search(done.output):
            raise Rejected(
                Status.UNSUPPORTED, f"more machine code than can be read: {MOST_LISTED >> 20} MiB of listing"
            )
        return done.output

    def _require_that_it_reads(self, command: Sequence[str], nested: bool) -> None:
        """Raise Missing unless the tool reads a library of a few lines."""
        with trial(self.how, (), "", self.folder) as (built, folder):
            place = folder / "inside" if nested else folder
            place.mkdir(exist_ok=True)
            done = self._run(command, place) if well(built, folder) else built
            if not _was_read(done):
                raise Missing(f"{_name(command)} does not work here: {why(done)}")

    def _run(self, command: Sequence[str], folder: Path) -> Finished:
        policy = self.how.policy(folder)
        apart = command[0] != ENV  # cuobjdump looks for itself in /proc, which shows other processes then
        policy = replace(policy, read=(*policy.read, str(folder.parent)), own_processes=apart)
        return run([*command], folder, SECONDS, policy, kept=(MOST_LISTED, 0))


def _was_read(done: Finished) -> bool:
    """Return True if a tool succeeded: each prints something about every library."""
    return not done.code and not done.timed_out and bool(done.output.strip())


def _name(command: Sequence[str]) -> str:
    return Path(command[2 if command[0] == ENV else 0]).name


def _forbidden(reason: str) -> Rejected:
    return Rejected(Status.FORBIDDEN_LIBRARY, reason)
