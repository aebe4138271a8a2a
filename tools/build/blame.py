"""Whose fault it is that a compiler, or a tool beside it, does not do its work: the machine's, the scenario's or the
candidate's.

What a compiler prints is no proof, for sources can have anything printed. So it is tried: is there room on the disk,
and does the compiler make a library of a few lines that are right?
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from avo.sandbox.process import Finished
from avo.scenarios.abi import HEADER, header
from avo.tools.build.compilation import LARGEST_LIBRARY, Compilation, most_memory, well
from avo.tools.build.compilers import Compiler, forget, runtime_library
from avo.types import Missing, Rejected, ScenarioError

KILLED = re.compile(
    r"^\S+: fatal error: (?:Killed|Terminated|Hangup|Interrupt|Quit|Bus error) signal terminated program \S+$"
    r"|^collect2: fatal error: \S+ terminated with signal (?:1|2|3|7|9|15)\b.*$"
    r"|^nvcc error\s*: '\S+' died due to signal (?:1|2|3|7|9|15)\b.*$"
    r"|^\S+: (?:fatal )?error: (?:cannot execute|v?fork|pipe|posix_spawn)\b.*$"
    r"|^(?:sh: .*)?(?:Killed|Terminated|Hangup|Bus error)$",
    re.MULTILINE,
)
"""How the driver of a compiler says that what it had started was ended by others, or could not be started."""
ENDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM, signal.SIGBUS)
BY_OTHERS = {-number for number in ENDED} | {128 + number for number in ENDED}
"""Exit codes of a compiler that such a signal ended, or what it had started."""
FULL = re.compile(
    r"no space left|quota exceeded|read-only file system|input/output error|stale file|file size limit|file too large"
    r"|bus error|too many open files|text file busy|no such device",
    re.IGNORECASE,
)
"""What may be the fault of a disk."""
AN_ERROR = re.compile(r"\berror\b|undefined reference", re.IGNORECASE)
TRIAL = {
    "trial.cpp": '#include <cmath>\nextern "C" float avo_trial(float x) { return std::sqrt(x) + 1; }\n',
    "trial.cu": "#include <cuda_runtime.h>\n__global__ void trial(float* x) { *x += 1; }\n"
    'extern "C" int avo_trial(float* x) { trial<<<1, 1>>>(x); return cudaGetLastError(); }\n',
}
"""What every compiler that is whole makes a library of."""


def compiled(how: Compilation, units: Sequence[str], folder: Path) -> Finished:
    """Compile `units` to LIBRARY in `folder`: how that ended, as far as it is the units' doing.

    Raises Rejected: TIMEOUT; Missing or ScenarioError when the reason lies elsewhere. What was disturbed is done again.
    """
    with looked_for_anew():
        done = how.run(units, folder, how.flags)
        if well(done, folder):
            return done
        disturbed = ended_by_others(done) or FULL.search(done.output)
        if disturbed:
            require_room(folder)
        _require_a_compiler_that_works(how, folder)
        if disturbed:
            done = how.run(units, folder, how.flags)
            if not well(done, folder) and ended_by_others(done):
                raise Missing(f"the compiler is ended by others, perhaps for want of memory: {why(done)}")
        return done


@contextlib.contextmanager
def looked_for_anew() -> Iterator[None]:
    """After a fault of the machine's, no compiler is taken for known."""
    try:
        yield
    except Missing:
        forget()
        raise


@contextlib.contextmanager
def on_disk(folder: Path) -> Iterator[None]:
    """Work of avo's own in a folder. Raises Missing when the disk does not take part."""
    try:
        yield
    except OSError as error:
        raise Missing(
            f"{folder} cannot be used: {error.strerror or error}; make room, or set AVO_CACHE to another folder"
        ) from error


def require_room(folder: Path) -> None:
    """Raise Missing unless the folder takes a file as large as the largest library."""
    with on_disk(folder), tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, LARGEST_LIBRARY)


@contextlib.contextmanager
def trial(how: Compilation, flags: Sequence[str], include: str, beside: Path) -> Iterator[tuple[Finished, Path]]:
    """Compile a few right lines in a folder of their own: how that ended, and the folder."""
    with on_disk(beside), tempfile.TemporaryDirectory(prefix=".trial-", dir=beside.parent) as scratch:
        folder = Path(scratch).resolve()
        unit = "trial.cu" if ".cu" in how.compiler.units else "trial.cpp"
        (folder / HEADER).write_text(header(how.scenario))
        (folder / unit).write_text(include + TRIAL[unit])
        link_runtime(how.compiler, folder)
        try:
            done = how.run([unit], folder, flags)
        except Rejected as rejected:
            raise Missing(
                f"the compiler {how.compiler.path} does not get on: {rejected.reason} for a few lines"
            ) from None
        yield done, folder


def link_runtime(compiler: Compiler, folder: Path) -> None:
    """Give the packaged libcudart, which has no name for the linker, one."""
    if runtime := runtime_library(compiler):
        (folder / "libcudart.so").symlink_to(runtime)


def why(done: Finished) -> str:
    """One line of what a compiler printed: its first error."""
    lines = [line for line in done.output.splitlines() if line.strip()]
    errors = [line for line in lines if AN_ERROR.search(line)]
    if errors or lines:
        return (errors or lines)[0][:300]
    if done.code < 0:
        return f"it was ended by signal {-done.code}"
    return f"it ended with {done.code} {'without a word' if done.code else 'and made no library'}"


def ended_by_others(done: Finished) -> bool:
    """Whether others ended the compiler, or what it had started.

    What its driver says of that counts when no other line speaks of an error: sources can have the same lines printed,
    but nothing keeps the error from being printed that they end with. Who had taken much memory died of that.
    """
    if done.peak_memory > most_memory() // 2:
        return False
    return done.code in BY_OTHERS or bool(
        KILLED.search(done.output) and not AN_ERROR.search(KILLED.sub("", done.output))
    )


def _require_a_compiler_that_works(how: Compilation, beside: Path) -> None:
    """Raise Missing unless it compiles a few right lines; ScenarioError when the scenario's flags alone prevent it."""
    flagged = (how, how.flags, f'#include "{HEADER}"\n', beside)
    with trial(*flagged) as (first, folder):
        if well(first, folder):
            return
    with trial(how, (), "", beside) as (plain, folder):
        if not well(plain, folder):
            require_room(folder)
            raise Missing(f"the compiler {how.compiler.path} does not work: {why(plain)}")
    with trial(*flagged) as (again, folder):
        if well(again, folder) or ended_by_others(again):
            raise Missing(f"the compiler {how.compiler.path} does not always work: {why(first)}")
    raise ScenarioError(
        f"{how.scenario.path / 'scenario.toml'}: targets.{how.target}.flags, or a name that becomes one of {HEADER}, "
        f"keep every candidate from being compiled: {why(again)}"
    )
