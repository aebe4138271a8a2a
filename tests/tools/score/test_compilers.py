"""CUDA candidates are compiled where there is no GPU: by a toolkit, and by the compiler that PyPI packages."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from avo.scenarios.loader import load
from avo.tools.answers import build_text
from avo.tools.executor import LocalExecutor
from avo.tools.knobs import knobs_of, with_settings
from avo.tools.score import compilers
from avo.tools.seeds import seed_sources
from avo.types import Missing, Rejected

PACKAGED = Path(sysconfig.get_path("purelib")) / "nvidia" / "cu13" / "bin" / "nvcc"


@pytest.fixture(autouse=True)
def forgotten_compilers() -> None:
    compilers.cxx.cache_clear()
    compilers.nvcc.cache_clear()


@pytest.mark.parametrize("target", ["sm_90a", "sm_100a"])
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


def test_every_knob_of_the_cuda_seed_compiles_for_hopper() -> None:
    scenario = load("mha_causal")
    seed = seed_sources(scenario, "sm_90a")
    executor = LocalExecutor(scenario, "sm_90a")
    for name, knob in knobs_of(seed).items():
        assert executor.build(with_settings(seed, {name: knob.values[-1]})).kernels


def test_without_nvcc_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers.Path, "is_file", lambda path: False)
    with pytest.raises(
        Missing, match=r"no nvcc found for sm_90a: install a CUDA toolkit, or: pip install 'avo\[nvcc\]'"
    ):
        compilers.nvcc("sm_90a")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("this is no C++", "error"),
        ('extern "C" int cublasCreate_v2(void*); int f() { return cublasCreate_v2(0); }', "imports cublasCreate_v2"),
        ('#include <dlfcn.h>\nvoid* f() { return dlopen("libcudnn.so.9", 1); }', "imports dlopen"),
    ],
    ids=["does not compile", "a library's function", "loads a library"],
)
def test_a_cuda_candidate_is_refused_for_its_own_reason(line: str, reason: str) -> None:
    scenario = load("mha_causal")
    seed = seed_sources(scenario, "sm_90a")
    with pytest.raises(Rejected, match=reason):
        LocalExecutor(scenario, "sm_90a").build({**seed, "more.cu": line.encode()})
