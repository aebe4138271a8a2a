"""Finds out whose fault it is that a compiler or a tool fails: the machine's, the scenario's or the candidate's.

A compiler's output proves nothing, because sources can make it print anything. So two things are tested: is there room
on the disk, and does the compiler build a library from a few correct lines?
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
"""Messages of a compiler driver about a child process that was killed from outside, or could not be started."""
ENDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM, signal.SIGBUS)
"""Signals that others may have sent."""
BY_OTHERS = {-number for number in ENDED} | {128 + number for number in ENDED}
"""Exit codes of a compiler that one of these signals ended, or that ended one of its children."""
FULL = re.compile(
    r"no space left|quota exceeded|read-only file system|input/output error|stale file|file size limit|file too large"
    r"|bus error|too many open files|text file busy|no such device",
    re.IGNORECASE,
)
"""Messages that may come from a full or broken disk."""
AN_ERROR = re.compile(r"\berror\b|undefined reference", re.IGNORECASE)
"""Line that reports an error in the sources."""
TRIAL = {
    "trial.cpp": '#include <cmath>\nextern "C" float avo_trial(float x) { return std::sqrt(x) + 1; }\n',
    "trial.cu": "#include <cuda_runtime.h>\n__global__ void trial(float* x) { *x += 1; }\n"
    'extern "C" int avo_trial(float* x) { trial<<<1, 1>>>(x); return cudaGetLastError(); }\n',
}
"""File name -> a few correct lines that every working compiler makes a library of."""


def compiled(how: Compilation, units: Sequence[str], folder: Path) -> Finished:
    """Compile `units` to LIBRARY in `folder`; return a result that is the units' doing, success or not.

    A compilation that was disturbed is repeated once. Raises Rejected: TIMEOUT; Missing or ScenarioError when the
    machine or the scenario is at fault.
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
    """Forget the known compilers when the block raises Missing, so that they are looked for again."""
    try:
        yield
    except Missing:
        forget()
        raise


@contextlib.contextmanager
def on_disk(folder: Path) -> Iterator[None]:
    """Turn an OSError in the block, avo's own work in `folder`, into Missing."""
    try:
        yield
    except OSError as error:
        raise Missing(
            f"{folder} cannot be used: {error.strerror or error}; make room, or set AVO_CACHE to another folder"
        ) from error


def require_room(folder: Path) -> None:
    """Raise Missing unless a file of LARGEST_LIBRARY bytes fits into the folder."""
    with on_disk(folder), tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, LARGEST_LIBRARY)


@contextlib.contextmanager
def trial(how: Compilation, flags: Sequence[str], include: str, beside: Path) -> Iterator[tuple[Finished, Path]]:
    """Compile a few correct lines in a new folder next to `beside`; yield the result and that folder."""
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
    """Link libcudart.so in `folder` to the packaged libcudart, which has no name that the linker knows."""
    if runtime := runtime_library(compiler):
        (folder / "libcudart.so").symlink_to(runtime)


def why(done: Finished) -> str:
    """Return one line of a compiler's output, its first error, or how it ended."""
    lines = [line for line in done.output.splitlines() if line.strip()]
    errors = [line for line in lines if AN_ERROR.search(line)]
    if errors or lines:
        return (errors or lines)[0][:300]
    if done.code < 0:
        return f"it was ended by signal {-done.code}"
    return f"it ended with {done.code} {'without a word' if done.code else 'and made no library'}"


def ended_by_others(done: Finished) -> bool:
    """Return True if others ended the compiler, or a process that it had started.

    A message of its driver counts only if no other line reports an error: sources can have the same message printed,
    but they cannot suppress the error that they end with. A process that took more than half of the allowed memory is
    taken to have died of that.
    """
    if done.peak_memory > most_memory() // 2:
        return False
    return done.code in BY_OTHERS or bool(
        KILLED.search(done.output) and not AN_ERROR.search(KILLED.sub("", done.output))
    )


def _require_a_compiler_that_works(how: Compilation, beside: Path) -> None:
    """Raise Missing unless a few correct lines compile; ScenarioError if only the scenario's flags prevent it."""
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
    told = f"they, or a name that becomes one of {HEADER}, keep every candidate from being compiled: {why(again)}"
    raise ScenarioError(told, how.scenario.path / "scenario.toml", key=f"targets.{how.target}.flags")
