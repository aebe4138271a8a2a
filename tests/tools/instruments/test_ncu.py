"""Nsight Compute's pages are read by the names of their columns, and the report says first what bounds the kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from avo.tools.build.compilers import nvcc
from avo.tools.instruments.ncu import Reading, figures, reading, stalls
from avo.tools.instruments.ncu_pages import Launch, by_line, launches, number, sampled, scale
from avo.tools.instruments.ncu_text import LONGEST, WAITS, text, verdict
from avo.tools.instruments.source_lines import Place, kernels, lines_of, places
from avo.types import Missing

STALLS = {
    "long_scoreboard": "1.20", "gmma": "0.60", "barrier": "0.40", "wait": "0.30", "not_selected": "0.25",
    "selected": "1.00", "short_scoreboard": "0.25",
}  # fmt: skip
METRICS = {
    "gpu__time_duration.sum": ("ns", "1,234,567"),
    "smsp__cycles_elapsed.avg.per_second": ("hz", "1,755,000,000.5"),
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed": ("%", "71.25"),
    "sm__issue_active.avg.pct_of_peak_sustained_elapsed": ("%", "48.1"),
    "sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_active": ("%", "44"),
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": ("%", "9.5"),
    "dram__bytes.sum.per_second": ("byte/s", "456,000,000,000"),
    "lts__throughput.avg.pct_of_peak_sustained_elapsed": ("%", "(!) n/a"),
    "l1tex__t_sectors_pipe_lsu_mem_local_op_ld.sum": ("sector", "1,000,000"),
    "l1tex__t_sectors_pipe_lsu_mem_local_op_st.sum": ("sector", "0"),
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum": ("", "250"),
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum": ("", "1,000"),
    "sm__warps_active.avg.pct_of_peak_sustained_active": ("%", "18.5"),
    "launch__occupancy_limit_registers": ("block", "1"),
    "launch__occupancy_limit_shared_mem": ("block", "1"),
    "launch__occupancy_limit_warps": ("block", "5"),
    "launch__registers_per_thread": ("register/thread", "168"),
    "launch__shared_mem_per_block": ("byte/block", "217,088"),
    "smsp__inst_executed.sum": ("inst", "99"),
} | {f"smsp__average_warps_issue_stalled_{n}_per_issue_active.ratio": ("inst", v) for n, v in STALLS.items()}
FACTS = '"{id}","77","python3.11","host","{name}","1","7","(384, 1, 1)","(132, 1, 1)","0","9.0"'
HEAD = (
    '"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size",'
    '"Device","CC"'
)
ATTENTION = "(anonymous namespace)::attention<(int)128, (bool)1>(avo_args)"


def raw_page() -> str:
    """The raw page of two kernels: a column a metric, units below, and talk round it."""
    units = '"","","","","","","","","","",""'
    rows = [
        "==PROF== Connected to process 77 (/usr/bin/python3.11)",
        "a candidate may print as well",
        ",".join([HEAD, *(f'"{name}"' for name in METRICS)]),
        ",".join([units, *(f'"{unit}"' for unit, _ in METRICS.values())]),
        ",".join([FACTS.format(id=0, name="combine(float *, int)"), '"5,000"', *['""'] * (len(METRICS) - 1)]),
        ",".join([FACTS.format(id=1, name=ATTENTION), *(f'"{value}"' for _, value in METRICS.values())]),
        "==PROF== Disconnected from process 77",
    ]
    return "\n".join(rows)


SOURCE_PAGE = f"""\
"Kernel Name","combine(float *, int)"
"Address","Source","Warp Stall Sampling (All Samples)","# Samples","stall_wait","stall_wait (Not Issued)"
"0x7f5500001000","      LDG.E R2, [R2.64] ","4","4","4","4"
"Kernel Name","{ATTENTION}"
"Address","Source","Warp Stall Sampling (All Samples)","# Samples","stall_long_sb","stall_barrier","stall_wait (Not Issued)"
"0x7f5500002000","      LDC R1, c[0x0][0x28] ","0","0","0","0","0"
"0x7f5500002010","@!P0  HGMMA.64x128x16.F32.BF16 R24, gdesc[UR8], R24, gsb0 ","1,300","1,300","0","1,200","9"
"0x7f5500002020","      SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR4], R0 ","600","600","600","0","0"
"0x7f5500002030","      MUFU.EX2 R3, R3 ","100","100","100","0","0"
"""  # noqa: E501
LISTING = """\
.text._ZN9attentionE:
	//## File "/builds/.new-1/build/./parts/attention.cu", line 76
        /*0000*/                   LDC R1, c[0x0][0x28] ;
	//## File "/builds/.new-1/build/./parts/attention.cu", line 3
        /*0010*/              @!P0 HGMMA.64x128x16.F32.BF16 R24, gdesc[UR8], R24, gsb0 ;
        /*0020*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR4], R0 ;
	//## File "/builds/.new-1/build/./attention.cu", line 9 inlined at "/b/attention.cu", line 98
        /*0030*/                   MUFU.EX2 R3, R3 ;
.text.combine:
        /*0000*/                   LDG.E R2, [R2.64] ;
"""
SOURCES = {"parts/attention.cu": b"// one\n// two\n  wgmma(acc, q, k);\n", "readme.md": b""}


def read() -> Reading:
    return reading(launches(raw_page()), sampled(SOURCE_PAGE), kernels(LISTING), "namespaces")


def test_a_raw_page_is_read_by_its_columns_units_and_thousands() -> None:
    small, large = launches(raw_page())
    assert (small.name, large.name) == ("combine(float *, int)", ATTENTION)
    assert (large.grid, large.block) == ("(132, 1, 1)", "(384, 1, 1)")
    assert large.metrics["gpu__time_duration.sum"] == 1234567
    assert "lts__throughput.avg.pct_of_peak_sustained_elapsed" not in large.metrics
    assert small.metrics == {"gpu__time_duration.sum": 5000}


def test_a_page_with_a_metric_a_row_says_the_same() -> None:
    rows = [HEAD + ',"Section Name","Metric Name","Metric Unit","Metric Value"']
    for name, (unit, value) in METRICS.items():
        rows.append(f'{FACTS.format(id=0, name=ATTENTION)},"Command line profiler metrics","{name}","{unit}","{value}"')
    (launch,) = launches("\n".join(rows))
    assert launch == launches(raw_page())[1]


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("ns", 1), ("usecond", 1e3), ("msecond", 1e6), ("Mbyte", 1e6), ("Gbyte/s", 1e9), ("byte/second", 1),
     ("cycle/nsecond", 1e9), ("Ghz", 1e9), ("%", 1), ("register/thread", 1), ("Kbyte/block", 1e3), ("inst", 1)],
)  # fmt: skip
def test_a_unit_is_brought_to_its_base(unit: str, factor: float) -> None:
    assert scale(unit) == pytest.approx(factor)


def test_what_is_no_number_is_none() -> None:
    assert number("1,234.5") == 1234.5
    assert number("(!) n/a") is None
    assert number("") is None


@pytest.mark.parametrize("page", ["", "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission", '"a","b"\n"c'])
def test_a_page_that_is_none_has_no_launches_and_no_samples(page: str) -> None:
    assert launches(page) == ()
    assert sampled(page) == ()


def test_figures_take_the_first_counter_that_this_chip_has() -> None:
    tensor = "sm__pipe_tensor_{}cycles_active.avg.pct_of_peak_sustained_{}"
    assert figures({tensor.format("op_hmma_", "active"): 30.0}) == {"tensor_pct": 30}
    assert figures({tensor.format("op_hmma_", "active"): 30.0, tensor.format("", "elapsed"): 20.0}) == {
        "tensor_pct": 20
    }
    assert figures({}) == {}


def test_stalls_are_parts_of_a_warps_time() -> None:
    parts = stalls(launches(raw_page())[1].metrics)
    assert list(parts)[:2] == ["long_scoreboard", "gmma"]
    assert parts["long_scoreboard"] == pytest.approx(1.2 / 4)
    assert sum(parts.values()) == pytest.approx(3 / 4)  # the rest of the time it was issued
    assert set(parts) < set(WAITS)
    assert stalls({}) == {}


def test_samples_belong_to_instructions_by_their_offset() -> None:
    combine, attention = sampled(SOURCE_PAGE)
    assert combine.kernel == "combine(float *, int)"
    assert [*attention.instructions] == [0, 0x10, 0x20, 0x30]
    hot = attention.instructions[0x10]
    assert (hot.where, hot.samples, hot.reasons) == ("0x0010", 1300, {"barrier": 1200})


def test_samples_of_another_version_are_counted_too() -> None:
    page = '"#","Address","Source","# Samples"\n"0","0x10","NOP ","7"\n"1","0x20","EXIT ","8"\n'
    (kernel,) = sampled(page)
    assert [spot.samples for spot in kernel.instructions.values()] == [7, 8]


def test_the_listing_that_agrees_with_the_code_gives_the_lines() -> None:
    listings = kernels(LISTING)
    assert listings[0][0x10] == Place("HGMMA", "attention.cu:3")
    attention = sampled(SOURCE_PAGE)[1].instructions
    lines = lines_of({at: spot.text for at, spot in attention.items()}, listings)
    assert lines == {0: "attention.cu:76", 0x10: "attention.cu:3", 0x20: "attention.cu:3", 0x30: "attention.cu:9"}
    assert [(spot.where, spot.samples) for spot in by_line(attention, lines)] == [
        ("attention.cu:3", 1900), ("attention.cu:9", 100),
    ]  # fmt: skip
    assert lines_of({0: "EXIT", 16: "NOP"}, listings) == {}
    assert lines_of({0: "EXIT"}, ()) == {}


def test_a_compiled_kernel_knows_the_lines_of_its_instructions(tmp_path: Path) -> None:
    try:
        compiler = nvcc("sm_90a")
    except Missing:
        pytest.skip("no nvcc here")
    if not compiler.cuobjdump:
        pytest.skip("no cuobjdump beside nvcc")
    source = "__global__ void scale(float* x) {\n  float v = x[threadIdx.x];\n  x[threadIdx.x] = v * v;\n}\n"
    (tmp_path / "scale.cu").write_text(source)
    command = [compiler.path, "-arch=sm_90a", "-lineinfo", "-fatbin", "scale.cu", "-o", "candidate.so"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (kernel,) = places(tmp_path / "candidate.so", "sm_90a")
    assert {place.line for place in kernel.values() if place.opcode in ("LDG", "STG")} == {"scale.cu:2", "scale.cu:3"}


def test_the_longest_kernel_is_reported_and_what_bounds_it_comes_first() -> None:
    found = read()
    assert found.kernel == ATTENTION
    shown = text(found, "s4k", SOURCES)
    first, second, *_ = shown.splitlines()
    assert (
        first == "bound by the tensor pipe: tensor pipe 71 %, issue slots 48 %, MUFU pipe (exp2, rcp) 44 %, DRAM 10 %"
    )
    assert "attention<" in second
    assert "1.235 ms at 1755 MHz, DRAM 456 GB/s" in second
    assert "local memory (spills): 32.0 MB loaded, 0.0 MB stored" in shown
    assert "bank conflicts: 250, 25% of shared memory's wavefronts" in shown
    assert "1 blocks an SM, limited by registers and shared memory" in shown
    assert " 30.0%  long_scoreboard: " in shown
    assert " 95.0%  attention.cu:3       wgmma(acc, q, k);  (barrier 63%, long_sb 32%)" in shown
    assert "other kernels of the launch: combine 0.005 ms" in shown
    assert "isolation: namespaces" in shown


def test_a_kernel_that_keeps_nothing_busy_is_bound_by_what_its_warps_wait_for() -> None:
    metrics = dict(launches(raw_page())[1].metrics)
    metrics["sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed"] = 22.0
    (found,) = (reading((Launch("k", "", "", metrics),), (), (), "limits"),)
    assert verdict(found).startswith("bound by latency, no unit is busy, warps wait most for global or local memory")
    assert "30% of their time" in verdict(found)


def test_a_report_without_any_counter_says_so() -> None:
    found = reading((Launch("k", "", "", {}),), (), (), "limits")
    assert text(found, "c", {}).startswith("bound by: unknown, no unit's use was counted\nk")


def test_a_report_stays_short_whatever_a_kernel_is_called() -> None:
    long = Launch("k" * 5000, "", "", {"gpu__time_duration.sum": 2.0})
    found = reading((long, *(Launch("other" * 200, "", "", {}) for _ in range(60))), (), (), "limits")
    assert len(text(found, "c", {})) <= LONGEST
