"""Checks that a scenario's cases fit into this machine's memory, and finds out whose fault it is if they do not."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import torch

from avo.scenarios.layers import holder, layers
from avo.scenarios.loader import Case, Scenario
from avo.tools.launch.arena import slot_bytes
from avo.types import AvoError, Missing, ScenarioError

SETS = {"cpu": 4, "cuda": 8}
"""Device -> sets of a case's tensors that are held at least while a candidate is judged."""
ASKED_FOR = re.compile(r"you tried to allocate (\d+) bytes|Unable to allocate ([\d.]+) ([KMGT]iB)")
"""Message of torch and numpy about a failed allocation on the CPU."""
POWERS = {"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
"""Unit -> exponent of 2."""


def require_memory(scenario: Scenario, target: str, device: str) -> None:
    """Raise ScenarioError for a case that needs more than this machine's memory, before anything is allocated.

    Raises Missing for one that would fit if nobody else used the memory.
    """
    whole, free = memory(device)
    for case in (*scenario.timed(target), *scenario.checked(target)):
        needed = SETS[device] * slot_bytes(scenario, [case])
        if needed > min(whole, free):
            raise _too_large(_place(scenario, case), needed, whole, free)


def lacking(error: BaseException, told: ScenarioError) -> AvoError | None:
    """Return the error to raise if a function of reference.py failed because the CPU's memory is full, else None.

    told: `error` as one of the scenario.
    """
    found = ASKED_FOR.search(str(error))
    if not (found or isinstance(error, MemoryError)):
        return None
    whole, free = memory("cpu")
    if not found:
        return Missing(str(told.but(f"the memory is full: {_size(free)} are free here")))
    needed = int(found[1]) if found[1] else int(float(found[2]) * 2 ** POWERS[found[3]])
    return _too_large(told, needed, whole, free)


def _too_large(told: ScenarioError, needed: int, whole: int, free: int) -> AvoError:
    if needed > whole:
        return told.but(f"it needs {_size(needed)} of memory, and there are {_size(whole)}: make it smaller")
    full = f"it needs {_size(needed)} of memory, and {_size(free)} of {_size(whole)} are free: free some"
    return Missing(str(told.but(full)))


def _place(scenario: Scenario, case: Case) -> ScenarioError:
    """Return an error with the place of a case, still without a problem."""
    kind, cases = ("cases", scenario.cases) if case in scenario.cases else ("tests", scenario.tests)
    number = cases.index(case)
    return ScenarioError("", holder(layers(scenario.path), (kind, number)), key=f"{kind}.{number}.dims ({case.id})")


def _size(size: int) -> str:
    return f"{size / 2**30:.1f} GiB ({size} bytes)"


def memory(device: str) -> tuple[int, int]:
    """Return total and free memory in bytes: the current GPU's, or the machine's as far as this process may use it."""
    if device == "cuda":
        free, whole = torch.cuda.mem_get_info()
        return whole, whole  # what is free changes by what this process keeps; DeviceBuffer says when it is too little
    facts = dict(re.findall(r"^(\w+): +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE))
    whole, free = (int(facts[name]) << 10 for name in ("MemTotal", "MemAvailable"))
    limits = [(whole, free), *_of_group()]
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most != resource.RLIM_INFINITY:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits.append((most, max(0, most - used)))
    return min(whole for whole, _ in limits), min(free for _, free in limits)


def _of_group() -> list[tuple[int, int]]:
    """Return the memory limit of the control group, and the unused part of it, in bytes; empty without a limit."""
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
        place = Path("/sys/fs/cgroup") / group.lstrip("/")
        most = int((place / "memory.max").read_text())  # "max" where there is none
        kept = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
        used = int((place / "memory.current").read_text()) - int(kept.get("file", 0))
    except (OSError, ValueError):
        return []
    return [(most, max(0, most - used))]
