"""GPUs: which run whose code, what is missing, and that what is asked of CUDA's Python packages is there."""

from __future__ import annotations

import ast
import ctypes
import os
from pathlib import Path

import pytest
import torch
from cuda.bindings import nvml, runtime  # type: ignore[import-untyped]

from avo.scenarios.loader import Scenario
from avo.tools.devices import gpu
from avo.tools.devices.gpu import Gpu, require_gpu
from avo.tools.launch import buffers
from avo.tools.launch.buffers import HANDLE_BYTES, HostBuffer, handle_bytes
from avo.tools.score import judge as module
from avo.tools.score.judge import Judge
from avo.types import Missing

MODULES = {"nvml": nvml, "runtime": runtime}


@pytest.mark.parametrize("file", [buffers.__file__, gpu.__file__])
def test_every_name_of_cuda_bindings_is_one(file: str | None) -> None:
    assert file
    asked = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(Path(file).read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in MODULES
    }
    assert asked
    assert not [f"{module}.{name}" for module, name in asked if not hasattr(MODULES[module], name)]


def test_the_bytes_of_a_memory_handle() -> None:
    handle, wanted = runtime.cudaIpcMemHandle_t(), bytes(range(HANDLE_BYTES))
    ctypes.memmove(handle.getPtr(), wanted, HANDLE_BYTES)
    assert handle_bytes(handle) == wanted


@pytest.mark.parametrize(
    ("architecture", "target", "runs"),
    [
        (90, "sm_90a", True), (90, "sm_90", True), (86, "sm_80", True), (120, "sm_120a", True),
        (90, "sm_80", False), (103, "sm_100a", False), (80, "sm_86", False), (100, "sm_90a", False),
    ],
)  # fmt: skip
def test_code_runs_on_its_architecture_and_on_later_ones_of_the_same_major(
    architecture: int, target: str, runs: bool
) -> None:
    assert Gpu("GPU-1", architecture).runs(target) == runs


def test_a_gpu_that_pytorch_sees_and_cuda_bindings_does_not_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "gpus", lambda: ())
    with pytest.raises(Missing, match=r"pip install 'cuda-python<13'$"):
        require_gpu("sm_90a")
    monkeypatch.setattr(gpu, "gpus", lambda: (Gpu("GPU-1", 86), Gpu("GPU-2", 80)))
    with pytest.raises(Missing, match="the GPU here is sm_80 and sm_86; a candidate for sm_90a does not run on it"):
        require_gpu("sm_90a")


def test_buffers_are_kept_until_the_gpu_answers_again(tiny: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    judge, buffer = Judge(tiny, "cpu"), HostBuffer(4096)
    judge.on_gpu, judge._unfreed = True, [buffer]

    def hangs(_index: int) -> None:
        raise Missing("GPU 0 has not answered")

    monkeypatch.setattr(module, "require_answer", hangs)
    with pytest.raises(Missing, match="has not answered"):
        judge._free()
    os.fstat(buffer.descriptors[0])
    monkeypatch.setattr(module, "require_answer", lambda _index: None)
    judge._free()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(buffer.descriptors[0])
