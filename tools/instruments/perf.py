"""Observes a candidate on the CPU with perf, as far as this user may: counters, and samples over time."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from avo.scenarios.loader import Case, Scenario
from avo.tools.build.builder import Build
from avo.tools.instruments.harness import Unread, probe, watch_on_cpu, why_not
from avo.tools.instruments.probe import LAUNCHED

EVENTS = (
    "task-clock", "cycles", "instructions", "cache-references", "cache-misses", "branches", "branch-misses",
    "L1-dcache-loads", "L1-dcache-load-misses",
)  # fmt: skip
"""Events that are counted."""
WATCHED_SECONDS, LONGEST_SECONDS = 1.5, 120.0
"""Seconds of launches that are observed, and that perf may take."""
FREQUENCY = 2000
"""Samples per second of CPU time."""
COUNTED = re.compile(r"^([\d.]+);[^;]*;([A-Za-z][\w-]*)(?::\w+)?;", re.MULTILINE)
"""Line of `perf stat -x ';'`: value and event."""
SAMPLE = re.compile(r"^ *([0-9a-f]+) +(\S.*?) \((\S+)\)$", re.MULTILINE)
"""Line of `perf script` with a sample: address, symbol, file."""
MAPPED = re.compile(r"\[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ (?:0x)?([0-9a-f]+) [^]]*\]: r-xp (\S+)$", re.MULTILINE)
"""Line of `perf script` about an executable mapping: address, size, offset in the file, path."""
HELPERS = re.compile(r"^(libm|libmvec|libstdc\+\+|libgcc_s)[.-]")
"""Libraries that a candidate may call but the probe itself does not compute with."""


@dataclass(frozen=True)
class Samples:
    """Places at which the processor was sampled while a candidate ran."""

    total: int = 0
    """Samples in the candidate and the libraries that it calls."""
    offsets: Mapping[int, int] = field(default_factory=dict)
    """Offset in the candidate's file -> samples."""
    outside: Mapping[str, int] = field(default_factory=dict)
    """Function of another library -> samples, descending."""


@dataclass(frozen=True)
class Watched:
    """The results of perf."""

    counters: Mapping[str, float]
    """Event -> count, over the launches alone; only task-clock (ms) where hardware counters are unavailable."""
    samples: Samples
    launches_seconds: float = WATCHED_SECONDS
    """Seconds of launches that were observed."""


def watch(built: Build, scenario: Scenario, case: Case, keep: Path | None) -> Watched:
    """Count, then sample, launches of `case`; perf's output goes to `keep`. Raises Unread. The caller has the lease."""
    perf = shutil.which("perf")
    if not perf:
        raise Unread("perf is not installed here (on Debian: apt-get install linux-perf)")
    with tempfile.TemporaryDirectory(prefix="avo-perf-") as scratch:
        folder = Path(scratch).resolve()
        started = probe(folder, scenario, "cpu", built, [case], warm=0, watched=0)
        launched = probe(folder, scenario, "cpu", built, [case], warm=1, watched=1, seconds=WATCHED_SECONDS)
        printed = {}
        for name, orders in (("start", started), ("launches", launched)):
            command = [perf, "stat", "-x", ";", "-o", f"{name}.csv", "-e", ",".join(EVENTS), "--", *orders]
            done = watch_on_cpu(command, folder, built, LONGEST_SECONDS)
            if done.code != 0 or LAUNCHED not in done.output:  # perf ends with 0 when a signal ended the candidate
                raise Unread(f"perf could not watch the candidate: {why_not(done)}")
            printed[f"perf-{name}.csv"] = (folder / f"{name}.csv").read_text()
        # cpu-clock needs no hardware counters, and works in the sandbox.
        recorded = [perf, "record", "-e", "cpu-clock", "-F", str(FREQUENCY), "-o", "perf.data", "--", *launched]
        done = watch_on_cpu(recorded, folder, built, LONGEST_SECONDS)
        script = [perf, "script", "-i", "perf.data", "-F", "ip,sym,dso", "--show-mmap-events"]
        printed["perf-script.txt"] = (
            watch_on_cpu(script, folder, built, LONGEST_SECONDS).output if not done.code else ""
        )
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        for name, text in printed.items():
            (keep / name).write_text(text)
    before, after = (counters(printed[f"perf-{name}.csv"]) for name in ("start", "launches"))
    net = {name: max(value - before.get(name, 0.0), 0.0) for name, value in after.items()}
    return Watched(net, samples(printed["perf-script.txt"], built.library.name))


def counters(csv: str) -> dict[str, float]:
    """Return the counts in the output of `perf stat -x ';'`; events that were not counted are left out."""
    return {name: float(value) for value, name in COUNTED.findall(csv)}


def samples(script: str, library: str) -> Samples:
    """Return the samples in the output of `perf script` that fell on the candidate or the libraries that it calls."""
    maps = [
        (int(start, 16), int(size, 16), int(offset, 16))
        for start, size, offset, path in MAPPED.findall(script)
        if path.endswith(f"/{library}")
    ]
    offsets: dict[int, int] = {}
    outside: dict[str, int] = {}
    for address, symbol, path in SAMPLE.findall(script):
        name, at = path.rpartition("/")[2], int(address, 16)
        if name == library:
            start, _, offset = next((m for m in maps if m[0] <= at < m[0] + m[1]), (at, 0, 0))
            offsets[at - start + offset] = offsets.get(at - start + offset, 0) + 1
        elif HELPERS.match(name):
            shown = f"{symbol} ({name})"
            outside[shown] = outside.get(shown, 0) + 1
    ranked = dict(sorted(outside.items(), key=lambda pair: -pair[1]))
    return Samples(sum(offsets.values()) + sum(outside.values()), offsets, ranked)
