"""What is asked of CUDA's Python packages is there in the version that is installed, GPU or none."""

from __future__ import annotations

import ast
import ctypes
from pathlib import Path

import pytest
from cuda.bindings import nvml, runtime  # type: ignore[import-untyped]

from avo.tools.score import buffers, gpu
from avo.tools.score.buffers import HANDLE_BYTES, handle_bytes

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
