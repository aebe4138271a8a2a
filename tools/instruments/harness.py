"""Runs a candidate under an instrument: inputs on disk, a specification for the probe, a sandboxed child process."""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avo.sandbox import confine, seccomp
from avo.sandbox.process import DEVICES, Finished, follow, python_child, run
from avo.scenarios.abi import ITEM_BYTES, SYMBOL, pack
from avo.scenarios.loader import Case, Scenario, family, shape_of
from avo.settings import PACKAGE, child_environment, unsafe_runner
from avo.tools.build.builder import Build
from avo.tools.build.compilers import compiler_of, runtime_library
from avo.tools.devices.gpu import identities
from avo.tools.instruments.instrument_sandbox import LEVELS
from avo.tools.reference.inputs import drawn
from avo.types import Missing

PROBE = Path(__file__).with_name("probe.py").resolve()
"""Path of the probe's source."""
OURS = (PACKAGE, PROBE.parents[1])
"""Folders that the probe imports avo's modules from: the second is the target of a link in the first."""
PYTHON: str = getattr(sys, "_base_executable", "") or sys.executable
"""The interpreter behind a virtual environment: packages installed there are none of a candidate's business."""
READABLE = ("/dev", "/proc", "/sys", "/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt")
"""Folders that an instrument may read."""
LARGEST_FILE = 1 << 30
"""Maximum size in bytes of a report."""
LARGEST_OUTPUT = 64 << 20
"""Maximum number of bytes that are read of an instrument's output."""
TRIAL_SECONDS = 60.0
"""Seconds for the trial of an instrument."""
_borne: dict[str, str] = {}
"""Instrument -> the strictest level of isolation under which it works here."""


class Unread(Exception):
    """An instrument delivered no result; the message says why in one line."""


def find(name: str, *patterns: str) -> str:
    """Return the path of a tool in PATH, or else the last file that matches a pattern; "" if there is none."""
    if found := shutil.which(name):
        return found
    matches = [path for pattern in patterns for path in sorted(Path("/").glob(pattern.lstrip("/"))) if path.is_file()]
    return str(matches[-1]) if matches else ""


def probe(
    folder: Path, scenario: Scenario, target: str, built: Build, cases: Sequence[Case], *,
    warm: int, watched: int, seconds: float = 0.0, device: int = 0, level: str = "",
) -> list[str]:  # fmt: skip
    """Write inputs and specification to `folder`; return the command of a probe that launches each of the cases.

    It makes `warm` launches, then `watched` ones and more until `seconds` have passed. device: number of the GPU on
    which inputs are drawn. level: of isolation, one of LEVELS.
    """
    where = device if family(target) == "cuda" else None
    orders = [
        {"id": case.label, "inputs": str(file), "buffers": buffers, "rest": rest_of_arguments(scenario, case)}
        for index, case in enumerate(cases)
        for file, buffers in [inputs_on_disk(folder / f"inputs-{index}.bin", scenario, case, where)]
    ]
    return _command(folder, target, str(built.library), orders, (warm, watched, seconds), level)


def _command(
    folder: Path, target: str, library: str, cases: list[dict[str, Any]], launches: tuple[int, int, float], level: str
) -> list[str]:
    if (reason := seccomp.lacking()) and not unsafe_runner():
        raise Missing(f"{reason}; {seccomp.REMEDY}")  # here, or a GPU's probe would go on to a weaker level
    cudart = runtime_library(compiler_of(target)) if family(target) == "cuda" else None
    warm, watched, seconds = launches
    spec = {
        "library": library, "symbol": SYMBOL, "cudart": str(cudart or ""), "device": 0, "package": str(PACKAGE),
        "no_children": level.endswith("no children"), "warm": warm, "watched": watched, "seconds": seconds,
        "cases": cases, "unsafe": unsafe_runner(),
    }  # fmt: skip
    orders = folder / f"orders-{watched}.json"
    orders.write_text(json.dumps(spec))
    return [PYTHON, "-I", "-S", str(PROBE), str(orders)]


def inputs_on_disk(
    file: Path, scenario: Scenario, case: Case, device: int | None
) -> tuple[Path, list[tuple[int, int]]]:
    """Write a case's inputs one after the other; return the file, and each tensor's size and start in bytes.

    The start is -1 for a tensor that is no input.
    """
    import torch

    on = torch.cuda.device(device) if device is not None else contextlib.nullcontext()
    with on:
        inputs = drawn(scenario, case, secrets.randbits(62), "cpu" if device is None else "cuda")
    buffers = []
    with file.open("wb") as out:
        for tensor in scenario.tensors:
            size = math.prod(shape_of(tensor, case)) * ITEM_BYTES[tensor.dtype]
            buffers.append((size, out.tell() if tensor.role == "in" else -1))
            if tensor.role == "in":
                out.write(inputs[tensor.name].cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        out.write(b"\0")  # so that there is something to map
    del inputs
    if device is not None:
        torch.cuda.empty_cache()
    return file, buffers


def rest_of_arguments(scenario: Scenario, case: Case) -> str:
    """Return avo_args in hexadecimal without its addresses, which come first and are known to the probe alone."""
    packed = pack(scenario, case, {tensor.name: 0 for tensor in scenario.tensors})
    return packed[8 * len(scenario.tensors) :].hex()


def policy(folder: Path, library: Path | None, tool: str, target: str) -> confine.Policy:
    """Return the sandbox policy of an instrument and the candidate under it."""
    files = [*OURS, Path(tool).resolve().parent, Path(sys.base_prefix), Path(PYTHON).parent]
    if family(target) == "cuda" and (cudart := runtime_library(compiler_of(target))):
        files.append(cudart.parent)
    if library:
        files.append(library.parent)
    # Where /dev/nvidia* cannot be opened to write, making a context fails with error 304.
    devices = ("/dev",) if family(target) == "cuda" else DEVICES  # a driver opens its own to write
    return confine.Policy(read=(*READABLE, *map(str, files)), write=(str(folder), *devices), file_bytes=LARGEST_FILE)


def watch_on_cpu(command: list[str], folder: Path, built: Build, seconds: float) -> Finished:
    """Run an instrument that works in the full sandbox; the probe adds the runner's filter of system calls."""
    return run(command, folder, seconds, policy(folder, built.library, command[0], "cpu"))


@dataclass(frozen=True)
class Cage:
    """The isolation of an instrument on a GPU."""

    level: str
    """One of LEVELS."""
    gpu: str
    """UUID of the only GPU that it sees; empty: it sees all."""
    target: str
    """The target of the candidate."""
    library: Path | None = None
    """Path of the candidate's library."""


def watch_on_gpu(command: list[str], folder: Path, cage: Cage, seconds: float) -> Finished:
    """Run an instrument under this isolation for at most `seconds`; then its whole process group is killed."""
    allowed = policy(folder, cage.library, command[0], cage.target)
    order = confine.as_json(replace(allowed, write=(*allowed.write, "/dev", "/dev/shm")))
    variables = [f"{name}={value}" for name, value in child_environment(folder, cage.gpu).items()]
    caged = python_child("avo.tools.instruments.instrument_sandbox", cage.level, order, *command)
    return follow(["/usr/bin/env", *variables, *caged], folder, seconds, kept=(LARGEST_OUTPUT, 0))


def uuid(device: int) -> str:
    """Return the UUID of a GPU; "" if there is none of that number."""
    return dict(enumerate(identities())).get(device, "")


def borne(name: str, target: str, gpu: str, works: Callable[[list[str], Path, Cage], str]) -> str:
    """Return the strictest level of isolation at which an instrument can observe a kernel of avo's that does nothing.

    works: called with the probe's command, a folder and the isolation; returns why it failed, or "". A candidate takes
    no part in this, so it cannot weaken its isolation. Raises Unread if no level works.
    """
    reasons = []
    levels = [level for level in LEVELS if not (seccomp.lacking() and level.endswith("no children"))]
    for level in () if name in _borne else levels:
        with tempfile.TemporaryDirectory(prefix="avo-trial-") as scratch:
            folder = Path(scratch).resolve()
            reason = works(_command(folder, target, "", [], (0, 1, 0.0), level), folder, Cage(level, gpu, target))
        if not reason:
            _borne[name] = level
            break
        reasons.append(f"{reason} [{level}]")
    if name not in _borne:
        raise Unread(f"{name} does not work here: {next((r for r in reasons if 'ERR_' in r), reasons[-1])}")
    return _borne[name]


def why_not(done: Finished) -> str:
    """Return one line on why an instrument failed."""
    if "ERR_NVGPUCTRPERM" in done.output:
        return (
            "the driver does not let this user read the GPU's counters (ERR_NVGPUCTRPERM); that needs root, "
            "CAP_SYS_ADMIN or the driver's option NVreg_RestrictProfilingToAdminUsers=0"
        )
    if "perf_event_paranoid" in done.output:
        return "kernel.perf_event_paranoid does not let this user watch a process"
    if done.timed_out:
        return f"it took longer than {done.seconds:.0f} s"
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    telling = [line for line in lines if "ERROR==" in line or line.startswith(("probe: ", "cage: ", "========= Error"))]
    return (telling or lines[-1:] or ["it said nothing"])[0][:300] + f" (exit code {done.code})"


def source_line(where: str, sources: Mapping[str, bytes]) -> str:
    """Return the source text at `where`, file:line; "" if there is none."""
    name, _, line = where.rpartition(":")
    found = next((content for path, content in sources.items() if path.rpartition("/")[2] == name), b"")
    rows = found.decode("utf-8", "replace").splitlines()
    return rows[int(line) - 1].strip() if line.isdecimal() and 0 < int(line) <= len(rows) else ""
