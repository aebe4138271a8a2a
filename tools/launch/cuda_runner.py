"""The runner of the CUDA target: the candidate in a CUDA context of its own, on the judge's buffers through CUDA IPC.

Standard library only; the CUDA runtime through ctypes. It reports event times, which the judge compares with its own
clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import struct
import sys
from pathlib import Path

from avo.sandbox import confine, seccomp
from avo.tools.launch.runner import COMMAND, LONGEST_ERROR, REPLY, RUNTIME, say

SPIN = 1
"""cudaDeviceScheduleSpin: waiting for the GPU uses the CPU, so that a runner is asleep only if its candidate sleeps."""
MOST_LAUNCHES = 512
"""Maximum number of launches of one command."""
HEAD_START = 256 << 20
"""Bytes that the GPU clears before a batch, more than its L2 holds; this process enqueues the launches meanwhile."""
TIMES = struct.Struct("=f")
"""Time in milliseconds of a group of launches; a reply is followed by one for each group."""
DRIVER_FOLDERS = ("/dev", "/sys", "/proc/self", "/proc/driver")
"""Folders that the driver opens files in during launches. Libraries are loaded before, so theirs are not among them;
nor is the rest of /proc, with the judge's environment, for instance.
"""
HOST_MEMORY = 2 << 30
"""Bytes of this process's memory that a candidate may allocate."""


class Handle(ctypes.Structure):
    """cudaIpcMemHandle_t."""

    _fields_ = (("reserved", ctypes.c_char * 64),)


def main() -> None:
    """Run the runner until the pipe of commands is closed.

    Its argument is JSON: library, symbol, cudart, handle, unsafe (run even without a filter of system calls), and the
    descriptors commands and replies.
    """
    spec = json.loads(sys.argv[1])
    try:
        ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)  # for cuTensorMapEncodeTiled, which candidates may import
        runtime = ctypes.CDLL(spec["cudart"], mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        say(spec["replies"], {"machine": str(error)})
        return
    base, scratch = ctypes.c_void_p(), ctypes.c_void_p()
    handle = Handle.from_buffer_copy(bytes.fromhex(spec["handle"]))
    failed = runtime.cudaSetDeviceFlags(SPIN) or runtime.cudaSetDevice(0)
    # 1: cudaIpcMemLazyEnablePeerAccess, the one flag that the call takes.
    failed = failed or runtime.cudaIpcOpenMemHandle(ctypes.byref(base), handle, 1)
    failed = failed or runtime.cudaMalloc(ctypes.byref(scratch), ctypes.c_size_t(HEAD_START))
    if failed:
        say(spec["replies"], {"machine": f"CUDA error {failed} while it opened the buffers"})
        return
    for name in RUNTIME:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    events = [_event(runtime) for _ in range(2 * MOST_LAUNCHES)]
    folder = str(Path(spec["library"]).parent)
    # The driver's threads are there already: no namespaces are granted, and Landlock and dropped capabilities hold for
    # this thread alone.
    confine.enter(confine.Policy(read=(folder, *DRIVER_FOLDERS), write=("/dev",)))
    try:
        seccomp.forbid_new_processes(unsafe=spec["unsafe"])
    except seccomp.NoFilter as lacking:
        say(spec["replies"], {"machine": f"{lacking}; {seccomp.REMEDY}"})
        return
    # In place of RLIMIT_AS, which CUDA's reserved addresses would exceed; this one holds on a GPU, too.
    most = _data() + HOST_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    say(spec["replies"], {"base": base.value})
    try:
        launch = getattr(ctypes.CDLL(spec["library"], mode=os.RTLD_NOW), spec["symbol"])
    except (OSError, AttributeError) as error:
        say(spec["replies"], {"error": str(error)[:LONGEST_ERROR]})
        return
    launch.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    say(spec["replies"], {"loaded": True})
    while head := _read(spec["commands"], COMMAND.size):
        number, count, group, size, _ = COMMAND.unpack(head)
        command = _read(spec["commands"], count * size)
        arguments = [command[i * size :][:size] for i in range(count)]
        code = 0
        # A row finds nothing in L2 that a launch before it made persist there.
        runtime.cudaCtxResetPersistingL2Cache()
        runtime.cudaMemsetAsync(scratch, 0, ctypes.c_size_t(HEAD_START), None)
        runtime.cudaGetLastError()  # what failed until here is no fault of the candidate's
        for first in range(0, count, group):
            runtime.cudaEventRecord(events[2 * first], None)
            # This loop takes some 5 us a launch: of a kernel that takes less, a row measures the loop.
            for packed in arguments[first : first + group]:
                code = code or launch(packed, None)
            runtime.cudaEventRecord(events[2 * first + 1], None)
        failed = runtime.cudaDeviceSynchronize()
        times = (_elapsed(runtime, events[2 * i], events[2 * i + 1]) for i in range(0, count, group))
        os.write(spec["replies"], REPLY.pack(number, code, failed) + b"".join(map(TIMES.pack, times)))


def _read(descriptor: int, size: int) -> bytes:
    """Return exactly `size` bytes, which may arrive in pieces; fewer at the end of all commands."""
    read = b""
    while len(read) < size and (piece := os.read(descriptor, size - len(read))):
        read += piece
    return read


def _data() -> int:
    """Return the bytes of private writable memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def _event(runtime: ctypes.CDLL) -> ctypes.c_void_p:
    event = ctypes.c_void_p()
    runtime.cudaEventCreate(ctypes.byref(event))
    return event


def _elapsed(runtime: ctypes.CDLL, start: ctypes.c_void_p, stop: ctypes.c_void_p) -> float:
    milliseconds = ctypes.c_float()
    runtime.cudaEventElapsedTime(ctypes.byref(milliseconds), start, stop)
    return milliseconds.value


if __name__ == "__main__":
    main()
