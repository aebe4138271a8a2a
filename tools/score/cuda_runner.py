"""The runner of the CUDA target: a context of its own, the judge's buffers through CUDA IPC, and the candidate.

Standard library only; the CUDA runtime through ctypes. It reports event times, which the judge holds against its own
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

from avo.tools import sandbox
from avo.tools.score.runner import COMMAND, LARGEST_COMMAND, REPLY, RUNTIME, say

MOST_LAUNCHES = 32
"""Of one command."""
HEAD_START = 256 << 20
"""Bytes that the GPU clears before a row, more than its L2 holds: while it does, this process asks for the launches."""
CUDA_FAILED = -1000
"""Minus the error's number: the code of launches that CUDA reports a failure of."""
TIMES = struct.Struct("=f")
"""Milliseconds of one launch; as many follow a reply as launches were asked for."""
DRIVER_FOLDERS = ("/dev", "/sys", "/proc/self", "/proc/driver")
"""What the driver opens while kernels are launched. Libraries are not among it, for they are loaded before; nor is
what /proc tells of other processes, such as the judge's variables.
"""
HOST_MEMORY = 2 << 30
"""Bytes that a candidate may take of this process's memory."""


class Handle(ctypes.Structure):
    """cudaIpcMemHandle_t"""

    _fields_ = (("reserved", ctypes.c_char * 64),)


def main() -> None:
    """Arguments as JSON: library, symbol, cudart, handle, and the descriptors commands and replies."""
    spec = json.loads(sys.argv[1])
    ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)  # for cuTensorMapEncodeTiled, which candidates may import
    runtime = ctypes.CDLL(spec["cudart"], mode=ctypes.RTLD_GLOBAL)
    base = ctypes.c_void_p()
    handle = Handle.from_buffer_copy(bytes.fromhex(spec["handle"]))
    failed = runtime.cudaSetDevice(0) or runtime.cudaIpcOpenMemHandle(ctypes.byref(base), handle, 1)
    if failed:
        say(spec["replies"], {"error": f"CUDA error {failed} while the buffers were opened"})
        return
    for name in RUNTIME:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    scratch = ctypes.c_void_p()
    runtime.cudaMalloc(ctypes.byref(scratch), ctypes.c_size_t(HEAD_START))
    events = [_event(runtime) for _ in range(2 * MOST_LAUNCHES)]
    folder = str(Path(spec["library"]).parent)
    sandbox.enter(sandbox.Policy(read=(folder, *DRIVER_FOLDERS), write=("/dev",)))
    sandbox.forbid_new_processes()
    most = _data() + HOST_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        launch = getattr(ctypes.CDLL(spec["library"], mode=os.RTLD_NOW), spec["symbol"])
    except (OSError, AttributeError) as error:
        say(spec["replies"], {"error": str(error)})
        return
    launch.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    say(spec["replies"], {"base": base.value})
    while command := os.read(spec["commands"], LARGEST_COMMAND):
        number, count, size = COMMAND.unpack_from(command)
        code = 0
        runtime.cudaCtxResetPersistingL2Cache()
        runtime.cudaMemsetAsync(scratch, 0, ctypes.c_size_t(HEAD_START), None)
        for i in range(count):
            runtime.cudaEventRecord(events[2 * i], None)
            code = code or launch(command[COMMAND.size + i * size :][:size], None)
            runtime.cudaEventRecord(events[2 * i + 1], None)
        failed = runtime.cudaDeviceSynchronize()
        code = code or (failed and CUDA_FAILED - failed)
        times = b"".join(TIMES.pack(_elapsed(runtime, events[2 * i], events[2 * i + 1])) for i in range(count))
        os.write(spec["replies"], REPLY.pack(number, code) + times)


def _data() -> int:
    """Bytes of private memory that this process can write to."""
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
