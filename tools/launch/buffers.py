"""Memory shared by the judge and a runner: a memfd on the CPU, CUDA IPC on a GPU."""

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
"""CUDA_IPC_HANDLE_SIZE."""
NOTE = struct.Struct("=Q")
"""Address of an invalid access, which a runner leaves at the end of shared memory when the access kills it."""
GPU_PAGE = 2 << 20
"""Bytes. An allocation whose size is not a multiple of it is mapped into another process in smaller pages: on an H200,
a memory-bound kernel then takes 250 us instead of 134, if more than some hundred MB lie between two uses of a page.
"""


class Buffer(Protocol):
    """A block of shared memory."""

    bytes: torch.Tensor
    """uint8 [size], on the device."""
    whole: torch.Tensor
    """uint8, `bytes` followed by the memory behind it, if there is any."""
    grant: dict[str, Any]
    """Items of the runner's arguments that let it map the block."""
    descriptors: tuple[int, ...]
    """File descriptors that the runner inherits."""

    def close(self) -> None:
        """Free the block."""
        ...


class HostBuffer:
    """Anonymous shared memory: `size` bytes, and `behind` more; untouched pages take no memory.

    One page behind both belongs to the runner: see NOTE.
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
        """Return the address of the access that killed the runner, if it left a note; else 0."""
        (address,) = NOTE.unpack_from(self._memory, len(self._memory) - NOTE.size)
        return int(address)

    def close(self) -> None:
        """Close the file descriptor."""
        os.close(self.descriptors[0])


class DeviceBuffer:
    """An allocation of its own on the current GPU. Raises Missing when too little memory is left."""

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
        """Wait for the GPU, then free the allocation."""
        from cuda.bindings import runtime

        torch.cuda.synchronize()
        runtime.cudaFree(self._pointer)


def whole_pages(size: int) -> int:
    """Round a size in bytes up to a multiple of GPU_PAGE."""
    return -(-size // GPU_PAGE) * GPU_PAGE


def handle_bytes(handle: Any) -> bytes:
    """Return the bytes of a cudaIpcMemHandle_t, which only some versions of cuda-bindings have as an attribute."""
    return ctypes.string_at(handle.getPtr(), HANDLE_BYTES)


class _View:
    """An object by which torch takes a pointer for a tensor (__cuda_array_interface__)."""

    def __init__(self, pointer: int, size: int) -> None:
        self.__cuda_array_interface__ = {"shape": (size,), "typestr": "|u1", "data": (pointer, False), "version": 3}
