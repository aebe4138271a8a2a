"""Memory that the judge and a runner share: a memfd for the CPU, CUDA IPC for a GPU."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from typing import Any, Protocol

import torch

from avo.tools.devices.gpu import identities
from avo.types import Missing

HANDLE_BYTES = 64
"""CUDA_IPC_HANDLE_SIZE"""
NOTE = struct.Struct("=Q")
"""Address of a wrong access, which a runner leaves at the end of shared memory when that ends it."""
GPU_PAGE = 2 << 20
"""Bytes. Memory whose size is no multiple of it comes to another process in smaller pages: on an H200, a kernel bound
by memory then takes 250 us instead of 134, wherever more than some hundred MB lie between two uses of a page.
"""


class Buffer(Protocol):
    """A block of shared bytes."""

    bytes: torch.Tensor
    """uint8 [size], on the device."""
    whole: torch.Tensor
    """The same and what lies behind it, where there is more."""
    grant: dict[str, Any]
    """What the runner is told, so that it finds the block."""
    descriptors: tuple[int, ...]
    """What the runner inherits."""

    def close(self) -> None: ...


class HostBuffer:
    """Anonymous shared memory: `size` bytes, and `behind` more, of which pages that nobody touches take no memory.

    A page beyond both is the runner's own: see NOTE.
    """

    def __init__(self, size: int, behind: int = 0) -> None:
        descriptor = os.memfd_create("avo", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, (-(-(size + behind) // mmap.PAGESIZE) + 1) * mmap.PAGESIZE)
        self._memory = mmap.mmap(descriptor, 0)
        self.whole = torch.frombuffer(self._memory, dtype=torch.uint8)[: size + behind]
        self.bytes = self.whole[:size]
        self.grant: dict[str, Any] = {"memory": descriptor}
        self.descriptors: tuple[int, ...] = (descriptor,)

    def fault(self) -> int:
        """Address of the access in the runner that ended it, as far as it left a note; 0 otherwise."""
        (address,) = NOTE.unpack_from(self._memory, len(self._memory) - NOTE.size)
        return int(address)

    def close(self) -> None:
        os.close(self.descriptors[0])


class DeviceBuffer:
    """An allocation of its own on the current GPU. Raises Missing when it has too little memory left."""

    descriptors: tuple[int, ...] = ()

    def __init__(self, size: int) -> None:
        from cuda.bindings import runtime  # type: ignore[import-untyped]

        size = whole_pages(size)
        torch.cuda.empty_cache()
        error, self._pointer = runtime.cudaMalloc(size)
        if int(error):
            raise Missing(f"the GPU has no {size / 2**30:.1f} GiB of memory left ({error.name})")
        error, handle = runtime.cudaIpcGetMemHandle(self._pointer)
        if int(error):
            runtime.cudaFree(self._pointer)
            raise Missing(f"the GPU does not share memory between processes ({error.name})")
        view = _View(int(self._pointer), size)
        here = torch.cuda.current_device()
        self.bytes = self.whole = torch.as_tensor(view, device=f"cuda:{here}")
        self.grant: dict[str, Any] = {"handle": handle_bytes(handle).hex(), "gpu": identities()[here]}

    def close(self) -> None:
        from cuda.bindings import runtime

        torch.cuda.synchronize()
        runtime.cudaFree(self._pointer)


def whole_pages(size: int) -> int:
    """The least multiple of GPU_PAGE that is not smaller."""
    return -(-size // GPU_PAGE) * GPU_PAGE


def handle_bytes(handle: Any) -> bytes:
    """The bytes of a cudaIpcMemHandle_t, which only some versions of cuda-bindings show as an attribute."""
    return ctypes.string_at(handle.getPtr(), HANDLE_BYTES)


class _View:
    """What torch needs to see a pointer as a tensor."""

    def __init__(self, pointer: int, size: int) -> None:
        self.__cuda_array_interface__ = {"shape": (size,), "typestr": "|u1", "data": (pointer, False), "version": 3}
