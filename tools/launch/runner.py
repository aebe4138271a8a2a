"""The runner of the CPU target: the process that holds the candidate's library and the buffers, and nothing else.

Standard library only. Its word is never the verdict: it launches when asked and reports that the call returned; the
judge reads the clocks and the buffers from outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import struct
import sys
from pathlib import Path

from avo.sandbox import confine, seccomp
from avo.tools.launch.fences import CLOSED, FENCE, OPEN, note_faults, protect

COMMAND = struct.Struct("=QIIII")
"""A number that the reply repeats; launches; launches that are timed as one; bytes of one avo_args; fences that are
closed meanwhile. The fences follow, then the avo_args.
"""
REPLY = struct.Struct("=Qii")
"""The command's number; the first value but 0 that avo_launch returned, or 0; CUDA's error number, 0 on the CPU."""
LONGEST_ERROR = 300
"""Maximum length in characters of an error while loading: in any alphabet, it fits into one write to a pipe."""
LARGEST_COMMAND = 60 << 10
"""Maximum size in bytes of a command: less than a pipe holds, so that no write waits for a runner."""
RUNTIME = ("libm.so.6", "libmvec.so.1", "libgcc_s.so.1", "libstdc++.so.6")
"""Libraries that are loaded before the sandbox closes, so that loading the candidate opens no other file."""
OWN_MEMORY = 1 << 30
"""Bytes of address space that a candidate may use in addition to its buffers."""


def main() -> None:
    """Run the runner until the pipe of commands is closed.

    Its argument is JSON: library, symbol, unsafe (run even without a filter of system calls), and the descriptors
    memory, commands and replies.
    """
    spec = json.loads(sys.argv[1])
    size = os.fstat(spec["memory"]).st_size
    memory = mmap.mmap(spec["memory"], size)
    os.close(spec["memory"])
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    note_faults(base + size - ctypes.sizeof(ctypes.c_uint64))
    for name in RUNTIME:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    folder = str(Path(spec["library"]).parent)
    confine.enter(confine.Policy(read=(folder,), memory=_address_space() + OWN_MEMORY))
    try:
        seccomp.forbid_system_calls(loading=True, unsafe=spec["unsafe"])
    except seccomp.NoFilter as lacking:
        say(spec["replies"], {"machine": f"{lacking}; {seccomp.REMEDY}"})
        return
    say(spec["replies"], {"base": base})
    try:
        launch = getattr(ctypes.CDLL(spec["library"], mode=os.RTLD_NOW), spec["symbol"])
        seccomp.forbid_system_calls(loading=False, unsafe=spec["unsafe"])
    except (OSError, AttributeError, seccomp.NoFilter) as error:
        say(spec["replies"], {"error": str(error)[:LONGEST_ERROR]})
        return
    launch.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    say(spec["replies"], {"loaded": True})
    while command := os.read(spec["commands"], LARGEST_COMMAND):
        number, count, _, size, fenced = COMMAND.unpack_from(command)
        start = COMMAND.size + fenced * FENCE.size
        fences = list(FENCE.iter_unpack(command[COMMAND.size : start]))
        protect(base, fences, CLOSED)
        codes = [launch(command[start + i * size :][:size], None) for i in range(count)]
        protect(base, fences, OPEN)
        os.write(spec["replies"], REPLY.pack(number, next(filter(None, codes), 0), 0))


def say(descriptor: int, message: object) -> None:
    """Write a message as one line of JSON to a descriptor."""
    os.write(descriptor, json.dumps(message).encode() + b"\n")


def _address_space() -> int:
    """Return the bytes of address space in use."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE


if __name__ == "__main__":
    main()
