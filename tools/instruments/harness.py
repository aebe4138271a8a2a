"""Puts a candidate before an instrument: its inputs on disk, orders for the probe, and a child in a sandbox."""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avo.sandbox import confine, seccomp
from avo.sandbox.process import DEVICES, Finished, python_child, run, supervised
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
OURS = (PACKAGE, PROBE.parents[1])
"""Folders that the probe reads avo's modules from: the second is behind a link of the first."""
PYTHON: str = getattr(sys, "_base_executable", "") or sys.executable
"""The interpreter behind a virtual environment: what is installed there is nothing to a candidate."""
READABLE = ("/dev", "/proc", "/sys", "/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt")
LARGEST_FILE = 1 << 30
"""Bytes of a report."""
LARGEST_OUTPUT = 64 << 20
"""Bytes of it that are read."""
TRIAL_SECONDS = 60.0
_borne: dict[str, str] = {}
"""Instrument -> the strictest level of the cage under which it works here."""


class Unread(Exception):
    """An instrument has nothing to tell; the message is one line that says why."""


def find(name: str, *patterns: str) -> str:
    """Path of a tool on PATH, or the last file that matches a pattern; empty where there is none."""
    if found := shutil.which(name):
        return found
    matches = [path for pattern in patterns for path in sorted(Path("/").glob(pattern.lstrip("/"))) if path.is_file()]
    return str(matches[-1]) if matches else ""


def probe(
    folder: Path, scenario: Scenario, target: str, built: Build, cases: Sequence[Case], *,
    warm: int, watched: int, seconds: float = 0.0, device: int = 0, level: str = "",
) -> list[str]:  # fmt: skip
    """The command of a probe that launches each of `cases`; inputs and orders are written to `folder`.

    `warm` launches, then `watched` ones and as many more as begin within `seconds`. `device`: the GPU to draw
    on; `level`: of the cage.
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
    """Write a case's inputs one after the other; returns the file, and size and start (-1: none) of each tensor."""
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
    """avo_args in hexadecimal without its addresses, which come first and which the probe alone knows."""
    packed = pack(scenario, case, {tensor.name: 0 for tensor in scenario.tensors})
    return packed[8 * len(scenario.tensors) :].hex()


def policy(folder: Path, library: Path | None, tool: str, target: str) -> confine.Policy:
    """What an instrument and the candidate under it may read and write."""
    files = [*OURS, Path(tool).resolve().parent, Path(sys.base_prefix), Path(PYTHON).parent]
    if family(target) == "cuda" and (cudart := runtime_library(compiler_of(target))):
        files.append(cudart.parent)
    if library:
        files.append(library.parent)
    # Where /dev/nvidia* cannot be opened to write, making a context fails with error 304.
    devices = ("/dev",) if family(target) == "cuda" else DEVICES  # a driver opens its own to write
    return confine.Policy(read=(*READABLE, *map(str, files)), write=(str(folder), *devices), file_bytes=LARGEST_FILE)


def watch_on_cpu(command: list[str], folder: Path, built: Build, seconds: float) -> Finished:
    """Run an instrument that bears the whole sandbox; the probe adds the runner's system call filter."""
    return run(command, folder, seconds, policy(folder, built.library, command[0], "cpu"))


@dataclass(frozen=True)
class Cage:
    """How a GPU's instrument is held."""

    level: str
    """One of LEVELS."""
    gpu: str
    """UUID of the device that it sees; empty: all of them."""
    target: str
    library: Path | None = None
    """The candidate."""


def watch_on_gpu(command: list[str], folder: Path, cage: Cage, seconds: float) -> Finished:
    """Run an instrument in its cage until it ends or `seconds` passed; then its whole group is killed."""
    allowed = policy(folder, cage.library, command[0], cage.target)
    order = confine.as_json(replace(allowed, write=(*allowed.write, "/dev", "/dev/shm")))
    variables = child_environment(folder, cage.gpu)
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            python_child("avo.tools.instruments.instrument_sandbox", cage.level, order, *command),
            cwd=folder, env=variables,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        with supervised(child):
            try:
                code, timed_out = child.wait(seconds), False
            except subprocess.TimeoutExpired:
                code, timed_out = -signal.SIGKILL, True
        output.seek(0)
        text = output.read(LARGEST_OUTPUT).decode("utf-8", "replace")
    return Finished(code, text, time.monotonic() - started, timed_out)


def uuid(device: int) -> str:
    """Name of a GPU that a child may be shown; empty where there is none."""
    return dict(enumerate(identities())).get(device, "")


def borne(name: str, target: str, gpu: str, works: Callable[[list[str], Path, Cage], str]) -> str:
    """The strictest level of the cage at which an instrument can watch a kernel of ours that does nothing.

    `works` gets the probe's command, a folder and a cage, and answers why not, or nothing. A candidate has no part in
    this, so it cannot talk its way into a wider cage. Raises Unread.
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
    """Why an instrument has failed, in one line."""
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
    """The text at file:line of a candidate's sources; empty where there is none."""
    name, _, line = where.rpartition(":")
    found = next((content for path, content in sources.items() if path.rpartition("/")[2] == name), b"")
    rows = found.decode("utf-8", "replace").splitlines()
    return rows[int(line) - 1].strip() if line.isdecimal() and 0 < int(line) <= len(rows) else ""
