"""CUDA candidates are compiled where there is no GPU: by a toolkit, and by the compiler that PyPI packages."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path

import pytest

from avo.scenarios.loader import load
from avo.tools.build import cache, compilers
from avo.tools.build.knobs import knobs_of, with_settings
from avo.tools.build.seeds import seed_sources
from avo.tools.score.executor import LocalExecutor
from avo.tools.texts import build_text
from avo.types import Missing, Rejected, Status

PACKAGED = Path(sysconfig.get_path("purelib")) / "nvidia" / "cu13" / "bin" / "nvcc"


@pytest.fixture(autouse=True)
def forgotten_compilers() -> None:
    compilers.forget()


@pytest.mark.parametrize("target", ["sm_80", "sm_90a", "sm_100a"])
def test_the_seed_compiles_without_spills_and_uses_the_tensor_cores(target: str) -> None:
    scenario = load("mha_causal")
    built = LocalExecutor(scenario, target).build(seed_sources(scenario, target))
    assert [kernel.name for kernel in built.kernels] == ["attention"]
    assert 0 < built.kernels[0].registers <= 255
    assert built.kernels[0].spill_stores == 0
    assert built.sass["mma.sync"] > 0
    assert built.sass["cp.async"] > 0
    assert f"{built.kernels[0].registers} registers, no spills" in build_text(built)


def test_the_packaged_compiler_does_as_well_as_a_toolkit(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Path.is_file
    toolkit = Path("/usr/local/cuda/bin/nvcc")
    monkeypatch.setattr(compilers.Path, "is_file", lambda path: path != toolkit and elsewhere(path))
    which = compilers.shutil.which
    monkeypatch.setattr(compilers.shutil, "which", lambda name: None if name == "nvcc" else which(name))
    assert compilers.nvcc("sm_100a").path == str(PACKAGED.resolve())
    scenario = load("mha_causal")
    assert LocalExecutor(scenario, "sm_100a").build(seed_sources(scenario, "sm_100a")).kernels


def fake(folder: Path, version: str, refused: str) -> Path:
    """An nvcc that says it is of a version, and takes no target whose option holds `refused`."""
    path = folder / "bin" / "nvcc"
    path.parent.mkdir(parents=True)
    said = f"echo 'Cuda compilation tools, release, V{version}'; exit 0"
    path.write_text(f'#!/bin/sh\ncase "$*" in *--version*) {said};; *{refused}*) echo unsupported; exit 1;; esac\n')
    path.chmod(0o755)
    return path


def test_an_older_nvcc_in_path_does_not_beat_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not PACKAGED.is_file():
        pytest.skip("the extra nvcc is not installed")
    old = fake(tmp_path / "old", "11.5.119", "none")
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    assert compilers.nvcc("sm_90a").path == str(PACKAGED.resolve())
    new = fake(tmp_path / "new", "99.1.2", "compute_80")
    monkeypatch.setenv("PATH", f"{new.parent}:{os.environ['PATH']}")
    assert compilers.nvcc("sm_90a").path == str(new)
    assert compilers.nvcc("sm_80").path != str(new)


def test_cuda_home_says_which_nvcc_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = fake(tmp_path / "own", "12.1.5", "compute_100")
    for name in ("CUDA_PATH", "CUDA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
        assert compilers.nvcc("sm_90a").path == str(own)
        assert compilers.nvcc("sm_90a").version == "nvcc V12.1.5"
    with pytest.raises(Missing, match=r"no nvcc here compiles for sm_100a \(.*: unsupported\)"):
        compilers.nvcc("sm_100a")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "gone"))
    with pytest.raises(Missing, match=r"^CUDA_HOME is .*/gone, but there is no .*: mount or install it, or unset"):
        compilers.nvcc("sm_90a")


def test_a_toolkit_that_is_unmounted_meanwhile_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = fake(tmp_path / "own", "99.1.2", "compute_80")
    monkeypatch.setenv("PATH", f"{own.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("AVO_CACHE", str(tmp_path / "cache"))
    assert compilers.nvcc("sm_90a").path == str(own)
    own.parent.rename(tmp_path / "unmounted")
    with pytest.raises(Missing, match=rf"^the compiler {own} is gone: put it back"):
        LocalExecutor(load("mha_causal"), "sm_90a").build(candidate())
    (tmp_path / "unmounted").rename(own.parent)
    assert compilers.nvcc("sm_90a").path == str(own)


def test_what_the_user_has_nvcc_do_is_seen_in_its_version_and_makes_other_builds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario, keys = load("mha_causal"), []
    for name, value in [
        ("NVCC_CCBIN", "g++"),
        ("NVCC_PREPEND_FLAGS", "-DX=1"),
        ("NVCC_APPEND_FLAGS", "-use_fast_math"),
    ]:
        keys.append(cache._key(candidate(), scenario, "sm_90a"))
        monkeypatch.setenv(name, value)
        assert compilers.nvcc("sm_90a").version.endswith(f" {name}={value}")
    assert len({*keys, cache._key(candidate(), scenario, "sm_90a")}) == 4


def test_the_host_compiler_is_the_one_that_the_user_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that in PATH is one that CUDA does not know."""
    for folder, does in (("new", "-U__GNUC__ -D__GNUC__=99"), ("old", "")):
        (tmp_path / folder / "bin").mkdir(parents=True)
        for name in ("g++", "gcc", "c++"):
            path = tmp_path / folder / "bin" / name
            path.write_text(f'#!/bin/sh\nexec /usr/bin/g++ {does} "$@"\n')
            path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'new' / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("AVO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(Missing, match=r"does not work: .*unsupported GNU version"):
        LocalExecutor(load("mha_causal"), "sm_90a").build(candidate())
    monkeypatch.setenv("NVCC_CCBIN", str(tmp_path / "old" / "bin" / "g++"))
    assert LocalExecutor(load("mha_causal"), "sm_90a").build(candidate()).kernels


def test_what_ptxas_remarks_is_shown_first() -> None:
    ignored = 'asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");'
    shown = build_text(LocalExecutor(load("mha_causal"), "sm_90a").build(candidate(body=ignored)))
    assert re.match(r"ptxas info\s*: \(C7508\) Potential Performance Loss: 'setmaxnreg' ignored", shown)
    assert "no diagnostics" not in shown
    assert "Compiling entry function" not in shown


def test_every_knob_of_the_cuda_seed_compiles_for_hopper() -> None:
    scenario = load("mha_causal")
    seed = seed_sources(scenario, "sm_90a")
    executor = LocalExecutor(scenario, "sm_90a")
    trees = [with_settings(seed, {name: knob.values[-1]}) for name, knob in knobs_of(seed).items()]
    executor.prepare(trees)
    assert all(executor.build(tree).kernels for tree in trees)


def test_without_nvcc_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers.Path, "is_file", lambda path: False)
    with pytest.raises(Missing, match=r"no nvcc found for sm_90a: install a CUDA toolkit, or: .*install .*nvcc"):
        compilers.nvcc("sm_90a")


LEAST = """
#include "avo_abi.h"
#include <cuda.h>
#include <cuda_runtime.h>
__global__ void nothing(uint64_t descriptor, float* out) { BODY }
BEFORE
extern "C" int avo_launch(const avo_args* a, void* stream) {
    CALL
    nothing<<<1, 128, 0, cudaStream_t(stream)>>>(uint64_t(a->B), nullptr);
    return cudaGetLastError() != cudaSuccess;
}
"""
FP8 = """float r[4] = {};
    asm volatile("wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {%0, %1, %2, %3}, %4, %4, 1, 1, 1;"
                 : "+f"(r[0]), "+f"(r[1]), "+f"(r[2]), "+f"(r[3]) : "l"(descriptor));
    asm volatile("wgmma.commit_group.sync.aligned;\\nwgmma.wait_group.sync.aligned 0;");
    out[threadIdx.x] = r[0] + r[1] + r[2] + r[3];"""

INT8 = """int r[4] = {}, a[4] = {1, 2, 3, 4};
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%4, %5}, "
                 "{%0, %1, %2, %3};" : "+r"(r[0]), "+r"(r[1]), "+r"(r[2]), "+r"(r[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]));
    out[threadIdx.x] = r[0] + r[1] + r[2] + r[3];"""
INT8_GROUP = """int r[4] = {};
    asm volatile("wgmma.mma_async.sync.aligned.m64n8k32.s32.s8.s8 {%0, %1, %2, %3}, %4, %4, 1;"
                 : "+r"(r[0]), "+r"(r[1]), "+r"(r[2]), "+r"(r[3]) : "l"(descriptor));
    asm volatile("wgmma.commit_group.sync.aligned;\\nwgmma.wait_group.sync.aligned 0;");
    out[threadIdx.x] = r[0] + r[1] + r[2] + r[3];"""


def candidate(*, before: str = "", call: str = "", body: str = "") -> dict[str, bytes]:
    """The least that launches a kernel, and something more."""
    return {"a.cu": LEAST.replace("BEFORE", before).replace("CALL", call).replace("BODY", body).encode()}


@pytest.mark.parametrize(
    ("files", "status", "reason"),
    [
        (candidate(before="this is no C++"), Status.COMPILE_ERROR, "error"),
        (
            candidate(before='extern "C" int cublasCreate_v2(void*);', call="cublasCreate_v2(0);"),
            Status.FORBIDDEN_LIBRARY, "imports cublasCreate_v2",
        ),
        (
            candidate(before="#include <dlfcn.h>", call='if (dlopen("libcudnn.so.9", 1)) return 3;'),
            Status.FORBIDDEN_LIBRARY, "imports dlopen",
        ),
        (
            candidate(call="cudaStream_t s; cudaStreamCreate(&s);"),
            Status.FORBIDDEN_LIBRARY, "imports cudaStreamCreate, which a launch has no need of",
        ),
        (
            candidate(call='void* f; cudaGetDriverEntryPointByVersion("cuStreamCreate", &f, 12000, 0);'),
            Status.FORBIDDEN_LIBRARY, "imports cudaGetDriverEntryPointByVersion",
        ),
        (candidate(call="cuCtxSynchronize();"), Status.FORBIDDEN_LIBRARY, "imports cuCtxSynchronize"),
        (
            candidate(before='int mine(float*) asm("cudaEventElapsedTime"); int mine(float* t) { return *t = 0; }'),
            Status.FORBIDDEN_LIBRARY, "exports cudaEventElapsedTime, a name of CUDA's own",
        ),
        (candidate(body=FP8), Status.INCORRECT_DTYPE, r"computes in fp8 \(\d+ instructions such as QGMMA\)"),
        (candidate(body=INT8), Status.INCORRECT_DTYPE, r"computes in int8 \(\d+ instructions such as IMMA"),
        (candidate(body=INT8_GROUP), Status.INCORRECT_DTYPE, r"computes in int8 \(\d+ instructions such as IMMA"),
    ],
    ids=["does not compile", "a library's function", "loads a library", "a stream", "any function", "the driver",
         "a clock of its own", "fp8", "int8", "int8 of a warp group"],
)  # fmt: skip
def test_a_cuda_candidate_is_refused_for_its_own_reason(files: dict[str, bytes], status: Status, reason: str) -> None:
    with pytest.raises(Rejected, match=reason) as caught:
        LocalExecutor(load("mha_causal"), "sm_90a").build(files)
    assert caught.value.status is status


def test_tensor_maps_can_be_encoded() -> None:
    call = "CUtensorMap map; if (cuTensorMapEncodeTiled(&map, {}, 0, 0, 0, 0, 0, 0, {}, {}, {}, {})) return 3;"
    assert LocalExecutor(load("mha_causal"), "sm_90a").build(candidate(call=call)).kernels
