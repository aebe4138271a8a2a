"""Real machine code is read: function by function, by what each instruction is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from avo.tools.build.assembly import WIDTHS, Function, Instruction, functions, short
from avo.tools.instruments.cpu_profile import Code, disassembled, facts, laid_over, text
from avo.tools.instruments.perf import Samples

SOURCE = """\
#include <math.h>
float sums(const float* x, int n) {
    float v[16] = {};
    for (int i = 0; i < n; i += 16)
        for (int j = 0; j < 16; j++) v[j] = v[j] * 3.0f + x[i + j];
    float s = 0;
    for (int j = 0; j < 16; j++) s += v[j];
    return s;
}
extern "C" int avo_launch(const float* x, float* y, int n) {
    for (int i = 0; i < n; i++) y[i] = expf(x[i]) / y[i];
    y[0] = sums(x, n);
    return 0;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "some.cpp").write_text(SOURCE)
    options = ["-O3", "-mavx2", "-mfma", "-ffast-math", "-fno-inline", "-g1", "-shared", "-fPIC"]
    compiler = shutil.which("g++") or shutil.which("c++") or "c++"
    subprocess.run([compiler, *options, "some.cpp", "-o", "candidate.so"], cwd=folder, check=True)
    return folder / "candidate.so"


def of(code: Code, name: str) -> Function:
    return next(function for function in code.functions if name in function.name)


def test_a_function_is_counted_by_what_its_instructions_do(library: Path) -> None:
    code = disassembled(library, Samples())
    digest = of(code, "sums").digest()
    assert digest["256-bit"] > 0
    assert digest["FMA"] > 0
    assert digest["load"] > 0
    assert "512-bit" not in digest
    assert digest["instructions"] == len(of(code, "sums").body)
    launch = of(code, "avo_launch")
    assert any("exp" in called for called in launch.calls)
    assert "sums" in launch.calls
    assert launch.digest()["store"] > 0
    assert not any("register_tm_clones" in function.name for function in code.functions)


def test_every_instruction_is_of_one_width_or_a_jump(library: Path) -> None:
    for function in disassembled(library, Samples()).functions:
        for instruction in function.body:
            assert len(set(instruction.groups) & set(WIDTHS)) <= 1, instruction.text


def test_instructions_know_their_source_line(library: Path) -> None:
    body = of(disassembled(library, Samples()), "sums").body
    assert {"some.cpp:4", "some.cpp:5"} <= {instruction.line for instruction in body}


def test_samples_fall_on_functions_lines_and_kinds(library: Path) -> None:
    plain = disassembled(library, Samples())
    body = of(plain, "sums").body
    fused = next(i for i in body if "FMA" in i.groups)
    samples = Samples(10, {fused.address: 6, of(plain, "avo_launch").body[0].address: 1}, {"expf (libm.so.6)": 3})
    code = laid_over(plain.functions, "", samples)
    assert "sums" in code.functions[0].name
    assert code.share(code.functions[0].body) == pytest.approx(0.6)
    assert code.by_group()["FMA"] == pytest.approx(0.6)
    assert code.by_line()[fused.line] == pytest.approx(0.6)
    shown = text(code, None, "", "wide", "256-bit vectors", {"some.cpp": SOURCE.encode()})
    assert shown.startswith("time goes to sums 60%, expf (libm.so.6) 30%, avo_launch 10% (case wide, 10 samples)")
    assert fused.text[:20] in shown
    assert SOURCE.splitlines()[int(fused.line.rpartition(":")[2]) - 1].strip() in shown
    told = facts(code, None, "")
    assert told["outside"] == {"expf (libm.so.6)": 0.3}


def test_offsets_in_the_file_become_addresses_of_the_listing() -> None:
    headers = " 11 .text         00000d96  0000000000003050  0000000000003050  00001050  2**4\n"
    function = Function("f", (Instruction(0x3060, "ret", "", ""),))
    assert laid_over((function,), headers, Samples(1, {0x1060: 1})).share(function.body) == 1


def test_without_samples_the_verdict_says_why(library: Path) -> None:
    shown = text(disassembled(library, Samples()), None, "perf is not installed", "wide", "256-bit vectors", {})
    assert shown.startswith("not measured: perf is not installed; what follows is counted in the machine code")
    assert "sums" in shown


@pytest.mark.parametrize(
    ("instruction", "groups"),
    [
        (("vfmadd231ps", "0x27c(%rax){1to16},%zmm0,%zmm13"), {"512-bit", "FMA", "load"}),
        (("vdpbf16ps", "%ymm1,%ymm2,%ymm3"), {"256-bit", "bf16 dot"}),
        (("vmovaps", "%zmm5,0x40(%rsp)"), {"512-bit", "stack store", "vector stack"}),
        (("vmovups", "-0x40(%rbp),%ymm1"), {"256-bit", "stack load", "vector stack"}),
        (("vmovups", "%zmm1,(%rdi,%rax,4){%k1}"), {"512-bit", "store"}),
        (("vaddss", "%xmm1,%xmm2,%xmm3"), {"scalar float"}),
        (("vextractf32x8", "$0x1,%zmm0,%ymm1"), {"512-bit", "permute"}),
        (("lea", "0x10(%rsp),%rax"), {"integer"}),
        (("call", "1040 <expf@plt>"), {"call"}),
        (("jne", "1040 <f+0x3>"), {"jump"}),
        (("nopw", "0x0(%rax,%rax,1)"), set()),
        (("vdivps", "%zmm1,%zmm2,%zmm3"), {"512-bit", "divide or root"}),
    ],
)
def test_an_instruction_is_in_its_groups(instruction: tuple[str, str], groups: set[str]) -> None:
    assert set(Instruction(0, *instruction, "").groups) == groups


def test_a_name_is_shown_without_what_is_not_its_own() -> None:
    assert short("void (anonymous namespace)::attend<float>(avo_args const*, long)") == "attend<float>"
    assert short("avo_launch") == "avo_launch"


def test_a_listing_that_is_none_has_no_functions() -> None:
    assert functions("objdump: candidate.so: file format not recognized") == ()
