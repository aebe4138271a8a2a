"""Runs Nsight Compute on a candidate, and reduces its counters to the figures that an engineer acts on."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avo.scenarios.loader import Case, Scenario
from avo.tools.build.builder import Build
from avo.tools.instruments.harness import TRIAL_SECONDS, Cage, Unread, borne, find, probe, uuid, watch_on_gpu, why_not
from avo.tools.instruments.ncu_pages import Launch, Sampled, Spot, by_line, launches, sampled
from avo.tools.instruments.source_lines import Place, lines_of, places

PLACES = ("/usr/local/cuda/bin/ncu", "/usr/local/cuda-*/bin/ncu", "/opt/nvidia/nsight-compute/*/ncu")
"""Places to look for ncu in."""
SECTIONS = (
    "SpeedOfLight", "ComputeWorkloadAnalysis", "MemoryWorkloadAnalysis", "MemoryWorkloadAnalysis_Tables",
    "SchedulerStats", "WarpStateStats", "Occupancy", "LaunchStats", "InstructionStats", "SourceCounters",
)  # fmt: skip
"""Sections of ncu that are collected."""
MOST_KERNELS = 8
"""Maximum number of kernels of one avo_launch that are profiled."""
WARM = 2
"""Launches before the profiled one."""
PROFILE_SECONDS, READ_SECONDS = 420.0, 120.0
"""Seconds to profile, and to export a page of the report."""
REPORT = "report.ncu-rep"
"""File name of ncu's report."""
RAW = ("--page", "raw", "--csv", "--print-units", "base")
"""Options of ncu that export the raw page."""
SOURCE = ("--page", "source", "--csv", "--print-source", "sass")
"""Options of ncu that export the source page."""

EXTRA = (
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed",
    "sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_active",
    "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active",
    "sm__inst_executed_pipe_alu.avg.pct_of_peak_sustained_active",
    "sm__issue_active.avg.pct_of_peak_sustained_elapsed",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.avg.pct_of_peak_sustained_elapsed",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
    "l1tex__t_sectors_pipe_lsu_mem_local_op_ld.sum",
    "l1tex__t_sectors_pipe_lsu_mem_local_op_st.sum",
)
"""Counters that are missing in the sections of some versions."""

FIGURES: dict[str, tuple[float, tuple[str, ...]]] = {
    "duration_ms": (1e-6, ("gpu__time_duration.sum", "gpu__time_duration_measured_user.sum")),
    "sm_mhz": (1e-6, ("smsp__cycles_elapsed.avg.per_second", "gpc__cycles_elapsed.avg.per_second",
                      "sm__cycles_elapsed.avg.per_second")),
    "tensor_pct": (1, ("sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed",
                       "sm__pipe_tensor_op_hmma_cycles_active.avg.pct_of_peak_sustained_elapsed",
                       "sm__pipe_tensor_subpipe_hmma_cycles_active.avg.pct_of_peak_sustained_elapsed",
                       "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active",
                       "sm__pipe_tensor_op_hmma_cycles_active.avg.pct_of_peak_sustained_active")),
    "issue_pct": (1, ("sm__issue_active.avg.pct_of_peak_sustained_elapsed",
                      "sm__inst_issued.avg.pct_of_peak_sustained_elapsed",
                      "smsp__issue_active.avg.pct_of_peak_sustained_active",
                      "sm__inst_issued.avg.pct_of_peak_sustained_active")),
    "mufu_pct": (1, ("sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_active",)),
    "fma_pct": (1, ("sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active",
                    "sm__pipe_fma_cycles_active.avg.pct_of_peak_sustained_active")),
    "alu_pct": (1, ("sm__inst_executed_pipe_alu.avg.pct_of_peak_sustained_active",
                    "sm__pipe_alu_cycles_active.avg.pct_of_peak_sustained_active")),
    "dram_pct": (1, ("dram__throughput.avg.pct_of_peak_sustained_elapsed",
                     "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed")),
    "dram_gb_s": (1e-9, ("dram__bytes.sum.per_second", "dram__bytes_read.sum.per_second")),
    "l2_pct": (1, ("lts__throughput.avg.pct_of_peak_sustained_elapsed",)),
    "l2_hit_pct": (1, ("lts__t_sector_hit_rate.pct",)),
    "l1_pct": (1, ("l1tex__throughput.avg.pct_of_peak_sustained_active",
                   "l1tex__throughput.avg.pct_of_peak_sustained_elapsed")),
    "shared_pct": (1, ("l1tex__data_pipe_lsu_wavefronts_mem_shared.avg.pct_of_peak_sustained_elapsed",
                       "l1tex__data_pipe_lsu_wavefronts.avg.pct_of_peak_sustained_elapsed")),
    "shared_wavefronts": (1, ("l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",)),
    "bank_conflicts": (1, ("l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",)),
    "local_load_bytes": (32, ("l1tex__t_sectors_pipe_lsu_mem_local_op_ld.sum",)),
    "local_store_bytes": (32, ("l1tex__t_sectors_pipe_lsu_mem_local_op_st.sum",)),
    "occupancy_pct": (1, ("sm__warps_active.avg.pct_of_peak_sustained_active",)),
    "theoretical_occupancy_pct": (1, ("sm__maximum_warps_per_active_cycle_pct",)),
    "eligible_warps": (1, ("smsp__warps_eligible.avg.per_cycle_active",)),
    "waves": (1, ("launch__waves_per_multiprocessor",)),
    "registers": (1, ("launch__registers_per_thread",)),
    "shared_bytes": (1, ("launch__shared_mem_per_block",)),
    "blocks_by_registers": (1, ("launch__occupancy_limit_registers",)),
    "blocks_by_shared": (1, ("launch__occupancy_limit_shared_mem",)),
    "blocks_by_warps": (1, ("launch__occupancy_limit_warps",)),
    "blocks_by_barriers": (1, ("launch__occupancy_limit_barriers",)),
    "blocks_by_blocks": (1, ("launch__occupancy_limit_blocks",)),
}  # fmt: skip
"""Figure -> factor, and the counters that give it, the best first: their names depend on chip and version."""
STALL = re.compile(r"^smsp__average_warps?_issue_stalled_(\w+?)_per_issue_active(?:\.ratio)?$")
"""Counter of a stall reason."""
ISSUED = "selected"
"""State of a warp that is issued: not a stall."""


@dataclass(frozen=True)
class Reading:
    """The result of Nsight Compute for one avo_launch."""

    kernel: str
    """Name of the kernel that took longest."""
    grid: str
    """Size of the grid, as ncu prints it."""
    block: str
    """Size of a block, as ncu prints it."""
    figures: Mapping[str, float]
    """Figure of FIGURES -> value, as far as it was counted; units as in the names."""
    stalls: Mapping[str, float]
    """Reason -> part of its time that a warp waits for it, descending; with the time it is issued they sum to 1."""
    lines: tuple[Spot, ...]
    """Source lines at which warps were sampled, by samples, descending."""
    instructions: tuple[Spot, ...]
    """Instructions at which warps were sampled, by samples, descending."""
    others: tuple[tuple[str, float], ...]
    """Names of the other kernels, and their milliseconds."""
    isolation: str
    """Level of isolation that was in force."""


def read(built: Build, scenario: Scenario, target: str, case: Case, device: int, keep: Path | None) -> Reading:
    """Profile one avo_launch of `case`; ncu's output goes to `keep`. Raises Unread. The caller holds the lease."""
    ncu = find("ncu", *PLACES)
    if not ncu:
        raise Unread("Nsight Compute (ncu) is not installed here; it comes with a CUDA toolkit")
    gpu = uuid(device)
    level = borne("ncu", target, gpu, lambda command, folder, cage: _trial(ncu, command, folder, cage, keep))
    cage = Cage(level, gpu, target, built.library)
    with tempfile.TemporaryDirectory(prefix="avo-ncu-") as scratch:
        folder = Path(scratch).resolve()
        orders = probe(folder, scenario, target, built, [case], warm=WARM, watched=1, device=device, level=level)
        for extra in (EXTRA, ()):  # a version that does not know a counter's name refuses all of them
            done = watch_on_gpu([*profiling(ncu, extra), *orders], folder, cage, PROFILE_SECONDS)
            if done.timed_out or (folder / REPORT).is_file():
                break
        pages = {"ncu.log": done.output}
        if (folder / REPORT).is_file():
            for name, options in (("raw.csv", RAW), ("source.csv", SOURCE)):
                pages[name] = watch_on_gpu([ncu, "--import", REPORT, *options], folder, cage, READ_SECONDS).output
        if keep:
            save(pages, keep, folder / REPORT)
    seen = launches(pages.get("raw.csv", ""))
    if not seen:
        raise Unread(f"Nsight Compute saw no kernel: {why_not(done)}")
    return reading(seen, sampled(pages.get("source.csv", "")), places(built.library, target), level)


def profiling(ncu: str, extra: tuple[str, ...]) -> list[str]:
    """Return the part of ncu's command before the probe's."""
    sections = [word for section in SECTIONS for word in ("--section", section)]
    counters = ["--metrics", ",".join(extra)] if extra else []
    return [
        ncu, "--target-processes", "all", "--profile-from-start", "off", "--launch-count", str(MOST_KERNELS),
        # ncu would hold the clock at its base, below that of timed launches.
        "--clock-control", "none", *sections, *counters, "--force-overwrite", "-o", "report",
    ]  # fmt: skip


def _trial(ncu: str, command: list[str], folder: Path, cage: Cage, keep: Path | None) -> str:
    watched = [ncu, "--target-processes", "all", "--clock-control", "none", "--metrics", "sm__cycles_active.avg"]
    done = watch_on_gpu([*watched, "--page", "raw", "--csv", *command], folder, cage, TRIAL_SECONDS)
    if keep:
        save({f"trial-{cage.level.replace(', ', '-').replace(' ', '-')}.log": done.output}, keep)
    counted = [launch for launch in launches(done.output) if any("cycles_active" in name for name in launch.metrics)]
    return "" if counted else why_not(done)


def save(pages: Mapping[str, str], keep: Path, report: Path | None = None) -> None:
    """Write the output pages, and the report for ncu-ui, to `keep`."""
    keep.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (keep / name).write_text(text)
    if report and report.is_file() and not report.is_symlink():
        shutil.copyfile(report, keep / report.name)


def reading(
    seen: tuple[Launch, ...], spots: tuple[Sampled, ...], listings: tuple[Mapping[int, Place], ...], level: str
) -> Reading:
    """Return the longest of the launches in figures, with the samples that belong to it."""
    by_time = sorted(seen, key=lambda launch: -figures(launch.metrics).get("duration_ms", 0.0))
    first = by_time[0]
    own = [kernel for kernel in spots if _base(kernel.kernel) == _base(first.name)] or list(spots)
    instructions = own[0].instructions if own else {}
    texts = {at: spot.text for at, spot in instructions.items()}
    hot = sorted((spot for spot in instructions.values() if spot.samples), key=lambda spot: -spot.samples)
    return Reading(
        first.name, first.grid, first.block, figures(first.metrics), stalls(first.metrics),
        by_line(instructions, lines_of(texts, listings)), tuple(hot),
        tuple((other.name, figures(other.metrics).get("duration_ms", 0.0)) for other in by_time[1:]), level,
    )  # fmt: skip


def figures(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the values of FIGURES, as far as they were counted."""
    found = {}
    for name, (factor, counters) in FIGURES.items():
        counted = next((metrics[counter] for counter in counters if counter in metrics), None)
        if counted is not None:
            found[name] = counted * factor
    return found


def stalls(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the part of a warp's time spent waiting for each reason, 0 to 1, descending."""
    matched = ((STALL.match(name), value) for name, value in metrics.items())
    waited = {match[1]: value for match, value in matched if match and not match[1].endswith("_not_issued")}
    total = sum(waited.values())
    kept = ((name, value / total) for name, value in waited.items() if name != ISSUED and value > 0)
    return dict(sorted(kept, key=lambda pair: -pair[1])) if total else {}


def _base(name: str) -> str:
    """Return a kernel's name without arguments and template parameters."""
    return re.split(r"[(<]", name.replace("(anonymous namespace)::", "").removeprefix("void "))[0].strip()
