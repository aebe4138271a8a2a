"""The digest of the code: what a compiler makes of the sources counts, not how they are written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from avo.scenarios.loader import Scenario, load
from avo.tools.build.builder import build
from avo.tools.build.compilers import compiler_of
from avo.tools.build.sources import Sources
from avo.tools.build.sources import digest as digest_of
from avo.types import Missing

CPU = b"""#include "avo_abi.h"
#include <math.h>
#include <stdint.h>
static const float TABLE[4] = {1.5f, 2.5f, 3.5f, 4.5f};
static float counted[3] = {1, 2, 3};
template <typename T> static T twice(T value) { return value * T(2); }
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t i = 0; i < a->R; i++) {
        float sum = counted[i % 3];
        for (int64_t j = 0; j < a->C; j++) sum += a->a[i * a->C + j] * a->x[j] + TABLE[j & 3];
        a->y[i] = twice(expf(sum)) + 0.25f;
    }
    return 0;
}
"""
CUDA = b"""#include "avo_abi.h"
#include <cuda_runtime.h>
#include <math.h>
namespace {
__constant__ float SCALES[2] = {1.5f, 2.5f};
__device__ float kept = 3.0f;
template <int N> __global__ void attend(avo_args a) {
    int place = threadIdx.x + N;
    if (place < a.B) a.workspace[place] = uint8_t(SCALES[place & 1] * kept + 7.0f);
}
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    attend<3><<<2, 64, 0, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() != cudaSuccess;
}
"""
Change = Callable[[bytes], bytes]
SAME: dict[str, Change] = {
    "a comment": lambda text: b"// y = A x, a line further down\n\n" + text,
    "white space": lambda text: text.replace(b"    ", b"\t").replace(b";\n", b" ;\n\n"),
    "another local name": lambda text: text.replace(b"sum", b"a_much_longer_name").replace(b"place", b"z"),
    "another order of includes": lambda text: (
        b"#include <math.h>\n" + text.replace(b"#include <math.h>\n", b"") if b"<math.h>" in text else text
    ),
    "code that nothing calls": lambda text: text.replace(b"extern", b"static inline int idle() { return 1; }\nextern"),
}
OTHER: dict[str, Change] = {
    "a number in the code": lambda text: text.replace(b"0.25f", b"0.75f").replace(b"7.0f", b"9.0f"),
    "a number in a table": lambda text: text.replace(b"2.5f", b"2.25f"),
    "two numbers of a table exchanged": lambda text: text.replace(b"1.5f, 2.5f", b"2.5f, 1.5f"),
    "a number in memory": lambda text: text.replace(b"{1, 2, 3}", b"{1, 2, 4}").replace(b"= 3.0f", b"= 5.0f"),
    "another operation": lambda text: text.replace(b"sum += a", b"sum -= a").replace(b"* kept", b"- kept"),
    "another function": lambda text: text.replace(b"expf", b"sinf").replace(b"<3><<<2", b"<4><<<2"),
    "another grid": lambda text: text.replace(b"<<<2", b"<<<3").replace(b"j & 3", b"j & 1"),
}


def by_name(changes: dict[str, Change]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("change", changes.values(), ids=changes)


def remembered(digest: Callable[[Sources], str]) -> Callable[[Sources], str]:
    known: dict[str, str] = {}

    def once(files: Sources) -> str:
        tree = digest_of(files)
        if tree not in known:
            known[tree] = digest(files)
        return known[tree]

    return once


@pytest.fixture(scope="module")
def cpu(tiny: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sources], str]:
    return remembered(lambda files: build(files, tiny, "cpu", tmp_path_factory.mktemp("code") / "build").code)


@pytest.fixture(scope="module")
def cuda(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sources], str]:
    try:
        if not compiler_of("sm_90a").cuobjdump:
            pytest.skip("there is no cuobjdump, which takes the GPU's code out of a library")
    except Missing as missing:
        pytest.skip(str(missing))
    scenario = load("mha_causal")
    target = scenario.target("sm_90a").model_copy(update={"flags": ("-O3", "-lineinfo")})
    scenario = scenario.model_copy(update={"targets": {"sm_90a": target}})

    return remembered(lambda files: build(files, scenario, "sm_90a", tmp_path_factory.mktemp("code") / "build").code)


@by_name(SAME)
def test_how_a_candidate_is_written_down_is_not_in_its_code(cpu: Callable[[Sources], str], change: Change) -> None:
    assert change(CPU) != CPU
    assert cpu({"a.cpp": change(CPU)}) == cpu({"a.cpp": CPU}) != ""


@by_name(OTHER)
def test_what_a_candidate_does_is_in_its_code(cpu: Callable[[Sources], str], change: Change) -> None:
    assert change(CPU) != CPU
    assert cpu({"a.cpp": change(CPU)}) != cpu({"a.cpp": CPU})


def test_names_of_files_and_functions_are_not_in_the_code(cpu: Callable[[Sources], str]) -> None:
    plain = cpu({"a.cpp": CPU})
    assert cpu({"b/another_name.cc": CPU}) == plain
    assert cpu({"a.cpp": CPU, "notes.md": b"# not compiled\n"}) == plain
    shared = CPU.replace(b"template <typename T> static T twice(T value)", b"float twice(float value)")
    shared = shared.replace(b"T(2)", b"2")
    assert cpu({"a.cpp": shared.replace(b"twice", b"a_function_of_another_name")}) == cpu({"a.cpp": shared})


def test_how_it_is_written_down_and_in_which_file_is_not_in_the_code_of_a_gpu(cuda: Callable[[Sources], str]) -> None:
    changed = CUDA
    for change in SAME.values():
        changed = change(changed)
    assert cuda({"b/a_name_that_is_much_longer.cu": changed}) == cuda({"a.cu": CUDA}) != ""


@by_name({name: OTHER[name] for name in ("a number in the code", "two numbers of a table exchanged", "another grid")})
def test_what_it_does_is_in_the_code_of_a_gpu(cuda: Callable[[Sources], str], change: Change) -> None:
    assert cuda({"a.cu": change(CUDA)}) != cuda({"a.cu": CUDA})


def test_what_is_no_library_has_no_code(tmp_path: Path) -> None:
    from avo.tools.build.code import code_of

    for content in (b"", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + bytes(100), b"#!/bin/sh\n"):
        (tmp_path / "candidate.so").write_bytes(content)
        assert code_of(tmp_path / "candidate.so", "", ()) == ""
