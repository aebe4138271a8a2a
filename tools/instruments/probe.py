"""The probe: a process that loads a candidate, gives it inputs and launches it, to be observed by an instrument.

Standard library only, and run by its path, so that it needs no files but this one and avo's own. It makes no judgement.
Exit codes: 0 launched, 3 the candidate returned something other than 0, 4 CUDA failed, 5 it cannot be loaded, 6 there
is no filter of system calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

LAUNCHED = "probe: every launch has come back"
"""Line that is printed after all launches have returned."""
REFUSED, CUDA_FAILED, NOT_LOADED, NOT_FILTERED = 3, 4, 5, 6
"""Exit codes."""
TO_DEVICE = 1
"""cudaMemcpyHostToDevice."""
RUNTIME = ("libm.so.6", "libmvec.so.1", "libgcc_s.so.1", "libstdc++.so.6")
"""Libraries that are loaded before the sandbox closes."""
OWN_MEMORY = 1 << 30
"""Bytes of address space that a candidate may use in addition to its buffers (CPU)."""
LARGEST_WORD = 1 << 20
"""Maximum size in bytes of a file that may be written (CPU)."""
# So old a version and target that any driver compiles it for the GPU that is there.
NOTHING = b".version 6.4\n.target sm_70\n.address_size 64\n.visible .entry nothing() { ret; }\n\0"
"""PTX of a kernel that does nothing, on which an instrument is tried before a candidate."""


class Failed(Exception):
    """Ends the probe with an exit code; the message is the reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Gpu:
    """The CUDA runtime through ctypes."""

    def __init__(self, cudart: str, device: int) -> None:
        self._driver = ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)  # candidates may import a function of it
        self._runtime = ctypes.CDLL(cudart, mode=ctypes.RTLD_GLOBAL)
        self._runtime.cudaMemcpy.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        self._check(self._runtime.cudaSetDevice(device), "cudaSetDevice")
        self._check(self._runtime.cudaFree(None), "making a context")

    def buffer(self, size: int, content: memoryview | None) -> int:
        """Return the address of an allocation of exactly `size` bytes, uninitialised without content. Raises Failed."""
        pointer = ctypes.c_void_p()
        self._check(self._runtime.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(size)), "cudaMalloc")
        if content is not None:
            source = ctypes.addressof(ctypes.c_char.from_buffer(content))
            self._check(self._runtime.cudaMemcpy(pointer, source, size, TO_DEVICE), "cudaMemcpy")
        return pointer.value or 0

    def wait(self) -> None:
        """Wait until the GPU has finished. Raises Failed for an error of a launch."""
        self._check(self._runtime.cudaDeviceSynchronize(), "the launch")

    def watch(self, on: bool) -> None:
        """Start or stop the profiler, if there is one."""
        (self._runtime.cudaProfilerStart if on else self._runtime.cudaProfilerStop)()

    def launch_nothing(self) -> None:
        """Launch NOTHING once, through the driver. Raises Failed."""
        driver = self._driver
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self._check(driver.cuModuleLoadData(ctypes.byref(module), NOTHING), "cuModuleLoadData")
        self._check(driver.cuModuleGetFunction(ctypes.byref(function), module, b"nothing"), "cuModuleGetFunction")
        self._check(driver.cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, None, None, None), "cuLaunchKernel")

    def _check(self, error: int, what: str) -> None:
        if error:
            raise Failed(CUDA_FAILED, f"CUDA error {error} ({what})")


class Host:
    """Buffers in this process's memory, with the methods of `Gpu`."""

    def __init__(self) -> None:
        self._kept: list[mmap.mmap] = []

    def buffer(self, size: int, content: memoryview | None) -> int:
        """Return the address of an anonymous mapping of `size` bytes; without content it is zero."""
        self._kept.append(mmap.mmap(-1, size))
        if content is not None:
            self._kept[-1][:size] = content[:size]
        return ctypes.addressof(ctypes.c_char.from_buffer(self._kept[-1]))

    def wait(self) -> None:
        """Do nothing: a launch on the CPU has ended when it returns."""

    def watch(self, on: bool) -> None:
        """Do nothing: perf counts from the start."""


def close_the_sandbox(spec: dict[str, Any]) -> None:
    """Leave the process the rights of the judge's runner while it loads a candidate; on a GPU also sockets and threads.

    Raises Failed where this system has no filter for that, unless the specification says `unsafe`.
    """
    avo = types.ModuleType("avo")  # a package without the folder above it, which holds all that is installed
    avo.__path__ = [spec["package"]]
    sys.modules["avo"] = avo
    from avo.sandbox import confine, seccomp

    try:
        if spec["cudart"]:
            if spec["no_children"]:
                seccomp.forbid_children(unsafe=spec["unsafe"])
            return
        for name in RUNTIME:
            with contextlib.suppress(OSError):
                ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
        folder = str(Path(spec["library"]).parent)
        confine.enter(confine.Policy(read=(folder,), memory=used + OWN_MEMORY, file_bytes=LARGEST_WORD))
        seccomp.forbid_system_calls(loading=True, unsafe=spec["unsafe"])
    except seccomp.NoFilter as lacking:
        raise Failed(NOT_FILTERED, f"{lacking}; {seccomp.REMEDY}") from None


def launch(spec: dict[str, Any]) -> None:
    """Make the buffers of every case, load the candidate, and launch each case `warm` times, then observed.

    Without a library, launch NOTHING instead. Raises Failed.
    """
    memory = Gpu(spec["cudart"], spec["device"]) if spec["cudart"] else Host()
    if not spec["library"]:
        assert isinstance(memory, Gpu)
        close_the_sandbox(spec)
        memory.watch(True)
        memory.launch_nothing()
        memory.wait()
        memory.watch(False)
        return
    prepared = [_arguments(case, memory) for case in spec["cases"]]
    close_the_sandbox(spec)
    try:
        function = getattr(ctypes.CDLL(spec["library"], mode=os.RTLD_NOW), spec["symbol"])
    except (OSError, AttributeError) as error:
        raise Failed(NOT_LOADED, str(error)) from None
    function.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    for case, arguments in zip(spec["cases"], prepared, strict=True):
        call(function, arguments, spec["warm"], 0.0, case["id"])
        memory.wait()
        memory.watch(True)
        call(function, arguments, spec["watched"], spec["seconds"], case["id"])
        memory.wait()
        memory.watch(False)


def call(function: Any, arguments: bytes, times: int, seconds: float, case: str) -> None:
    """Launch `times` times, and on until `seconds` have passed. Raises Failed if avo_launch does not return 0."""
    end = time.monotonic() + seconds
    while times > 0 or (seconds and time.monotonic() < end):
        times -= 1
        if code := function(arguments, None):
            raise Failed(REFUSED, f"avo_launch returned {code} in case {case}")


def _arguments(case: dict[str, Any], memory: Gpu | Host) -> bytes:
    """Return the avo_args of a case: the packed struct begins with one address for each tensor."""
    addresses = b""
    with contextlib.ExitStack() as stack:
        content = None
        if case["inputs"]:
            file = stack.enter_context(Path(case["inputs"]).open("rb"))
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        for size, start in case["buffers"]:
            given = content[start : start + size] if content is not None and start >= 0 else None
            addresses += memory.buffer(size, given).to_bytes(8, sys.byteorder)
    return addresses + bytes.fromhex(case["rest"])


def main() -> None:
    """Run the probe. Its argument is the path of a JSON file, as written by harness.py."""
    try:
        launch(json.loads(Path(sys.argv[1]).read_text()))
    except Failed as failed:
        print(f"probe: {failed}", file=sys.stderr, flush=True)
        sys.exit(failed.code)
    print(LAUNCHED, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
