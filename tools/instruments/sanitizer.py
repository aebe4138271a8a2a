"""Runs compute-sanitizer on a candidate with the scenario's tests, and parses its findings."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avo.scenarios.loader import Case, Scenario
from avo.tools.build.builder import Build
from avo.tools.instruments.harness import TRIAL_SECONDS, Cage, Unread, borne, find, probe, uuid, watch_on_gpu, why_not
from avo.tools.instruments.probe import LAUNCHED

TOOLS = {
    "memcheck": "accesses outside of allocations, misaligned ones, leaks of the device's stack",
    "racecheck": "shared memory written and read by several threads without a barrier between them",
    "initcheck": "global memory that is read before it was written",
    "synccheck": "barriers that not every thread of a warp or a block reaches",
}
"""Tool of compute-sanitizer -> faults that it finds."""
CPU_TOOLS = {
    "address": "accesses outside of tensors, of the stack and of the heap, to the byte",
    "undefined": "overflows of whole numbers, shifts, conversions, indices and alignments that C++ leaves undefined",
}
"""Tool of the C++ compiler -> faults that it finds: see cpu_sanitizer.py."""
PLACES = (
    "/usr/local/cuda/bin/compute-sanitizer", "/usr/local/cuda-*/bin/compute-sanitizer",
    "/opt/nvidia/nsight-compute/*/host/target-linux-x64/sanitizer/compute-sanitizer",
)  # fmt: skip
"""Places to look for compute-sanitizer in."""
FOUND = 9
"""Exit code for findings."""
SECONDS = 300.0
"""Seconds for one tool over all tests."""
MOST_SHOWN = 5
"""Maximum number of findings that are shown."""
SUMMARY = re.compile(
    r"^=+ (?:ERROR|RACECHECK) SUMMARY: (\d+) (?:errors?|hazards? displayed \((\d+) errors?)", re.MULTILINE
)
"""Summary line of a log: number of errors or hazards."""
HEADER = re.compile(
    r"^=+ (?:(?:Error|Warning): )?((?:Invalid|Uninitialized|Misaligned|Race reported|Barrier error|Divergent|"
    r"Potential|Program hit|Unused|Leaked|Out-of-range|Write|Read|The error|Error reported|Internal)\b.*)$"
)
"""First line of a finding."""
DETAIL = re.compile(r"^=+ {2,}(\S.*)$|^=+ (and .*|at .*|by thread .*|Address .*)$")
"""Further line of a finding."""
BACKTRACE = ("Saved host backtrace", "Host Frame", "Device Frame")
"""Start of a detail that is left out."""


@dataclass(frozen=True)
class Findings:
    """The findings of one tool."""

    tool: str
    errors: int
    """Number of errors or hazards."""
    first: tuple[str, ...]
    """The first findings, one line each: what, where, which thread."""
    seconds: float = 0.0
    """Wall-clock time."""
    isolation: str = ""
    """Level of isolation that was in force; empty on the CPU."""

    @property
    def clean(self) -> bool:
        """True if there are no errors."""
        return not self.errors


def shapes(scenario: Scenario, target: str) -> tuple[Case, ...]:
    """Return the tests that are not hidden; the smallest timed case if there is none."""
    shown = tuple(case for case in scenario.checked(target) if not case.hidden)
    smallest = min(scenario.timed(target), key=lambda case: scenario.work_of("GB/s", case))
    return shown or (smallest,)


def sanitize(
    built: Build, scenario: Scenario, target: str, tool: str, device: int, keep: Path | None = None
) -> Findings:
    """Launch every test that is not hidden once under `tool`; its log goes to `keep`.

    Raises Unread. The caller holds the GPU's lease.
    """
    path = find("compute-sanitizer", *PLACES)
    if not path:
        raise Unread("compute-sanitizer is not installed here; it comes with a CUDA toolkit")
    gpu = uuid(device)
    level = borne(
        "compute-sanitizer", target, gpu, lambda command, folder, cage: _trial(path, command, folder, cage, keep)
    )
    with tempfile.TemporaryDirectory(prefix="avo-sanitizer-") as scratch:
        folder = Path(scratch).resolve()
        orders = probe(
            folder, scenario, target, built, shapes(scenario, target), warm=0, watched=1, device=device, level=level
        )
        done = watch_on_gpu([*checking(path, tool), *orders], folder, Cage(level, gpu, target, built.library), SECONDS)
    save(keep, tool, done.output)
    found = findings(tool, done.output)
    if found is None or (found.clean and (done.code != 0 or LAUNCHED not in done.output)):
        raise Unread(f"{tool} did not finish: {why_not(done)}")
    return Findings(tool, found.errors, found.first, done.seconds, level)


def checking(path: str, tool: str) -> list[str]:
    """Return the part of compute-sanitizer's command before the probe's."""
    return [
        path, "--tool", tool, "--target-processes", "all", "--error-exitcode", str(FOUND), "--print-limit", "20",
        "--show-backtrace", "no",
    ]  # fmt: skip


def _trial(path: str, command: list[str], folder: Path, cage: Cage, keep: Path | None) -> str:
    done = watch_on_gpu([*checking(path, "memcheck"), *command], folder, cage, TRIAL_SECONDS)
    save(keep, f"trial-{cage.level.replace(', ', '-').replace(' ', '-')}", done.output)
    found = findings("memcheck", done.output)
    return "" if done.code == 0 and found is not None and found.clean else why_not(done)


def save(keep: Path | None, name: str, output: str) -> None:
    """Write a log to `keep`, if that is given."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{name}.log").write_text(output)


def findings(tool: str, output: str) -> Findings | None:
    """Parse a log; return None if it has no summary, and so no result. The largest of several summaries counts."""
    counts = [int(errors or total) for total, errors in SUMMARY.findall(output)]
    if not counts:
        return None
    first: list[list[str]] = []
    for line in output.splitlines():
        if header := HEADER.match(line):
            first.append([header[1].strip()])
        elif first and (detail := DETAIL.match(line)):
            said = (detail[1] or detail[2]).strip()
            if len(first[-1]) < 4 and not said.startswith(BACKTRACE):
                first[-1].append(said)
    return Findings(tool, max(counts), tuple("; ".join(parts) for parts in first[:MOST_SHOWN]))


def text(found: Sequence[Findings], sass: Mapping[str, int]) -> str:
    """Return the report: the verdict first, then a paragraph for each tool."""
    dirty = [one for one in found if not one.clean]
    summary = ", ".join(f"{one.tool} {one.errors} errors" for one in dirty)
    lines = [f"NOT CLEAN: {summary}" if dirty else f"clean: {', '.join(one.tool for one in found)}"]
    for one in found:
        lines.append(f"{one.tool} ({(TOOLS | CPU_TOOLS)[one.tool]}): {one.errors} errors, {one.seconds:.1f} s")
        lines += [f"  {finding[:300]}" for finding in one.first]
        if one.tool == "racecheck" and sass.get("bulk copy"):
            lines.append(
                f"  note: this code has {sass['bulk copy']} bulk copies (TMA); racecheck does not follow mbarriers, "
                "and may report what they order, or miss what they do not"
            )
    return "\n".join(lines)
