"""Runs compute-sanitizer over a candidate on the scenario's tests, and reads what it found."""

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
CPU_TOOLS = {
    "address": "accesses outside of tensors, of the stack and of the heap, to the byte",
    "undefined": "overflows of whole numbers, shifts, conversions, indices and alignments that C++ leaves undefined",
}
"""Tools of the C++ compiler: see cpu_sanitizer.py."""
PLACES = (
    "/usr/local/cuda/bin/compute-sanitizer", "/usr/local/cuda-*/bin/compute-sanitizer",
    "/opt/nvidia/nsight-compute/*/host/target-linux-x64/sanitizer/compute-sanitizer",
)  # fmt: skip
FOUND = 9
"""Exit code for findings."""
SECONDS = 300.0
"""For one tool over all tests."""
MOST_SHOWN = 5
SUMMARY = re.compile(
    r"^=+ (?:ERROR|RACECHECK) SUMMARY: (\d+) (?:errors?|hazards? displayed \((\d+) errors?)", re.MULTILINE
)
HEADER = re.compile(
    r"^=+ (?:(?:Error|Warning): )?((?:Invalid|Uninitialized|Misaligned|Race reported|Barrier error|Divergent|"
    r"Potential|Program hit|Unused|Leaked|Out-of-range|Write|Read|The error|Error reported|Internal)\b.*)$"
)
DETAIL = re.compile(r"^=+ {2,}(\S.*)$|^=+ (and .*|at .*|by thread .*|Address .*)$")
BACKTRACE = ("Saved host backtrace", "Host Frame", "Device Frame")


@dataclass(frozen=True)
class Findings:
    """What one tool says."""

    tool: str
    errors: int
    first: tuple[str, ...]
    """The first findings, one line each: what, where, which thread."""
    seconds: float = 0.0
    isolation: str = ""

    @property
    def clean(self) -> bool:
        return not self.errors


def shapes(scenario: Scenario, target: str) -> tuple[Case, ...]:
    """The tests that an agent may know; without any, the smallest timed case."""
    shown = tuple(case for case in scenario.checked(target) if not case.hidden)
    smallest = min(scenario.timed(target), key=lambda case: scenario.work_of("GB/s", case))
    return shown or (smallest,)


def sanitize(
    built: Build, scenario: Scenario, target: str, tool: str, device: int, keep: Path | None = None
) -> Findings:
    """Launch every shown test once under `tool`; its log goes to `keep`. Raises Unread. Hold the GPU meanwhile."""
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
    """The command before the probe's."""
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
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{name}.log").write_text(output)


def findings(tool: str, output: str) -> Findings | None:
    """Read a log; None when it has no summary, so that nothing is known. The largest summary counts."""
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
    """One tool a paragraph, verdict first."""
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
