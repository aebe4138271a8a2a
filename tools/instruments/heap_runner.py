"""The runner for sanitizers on the CPU: each tensor is a heap block of its exact size, between poisoned bytes.

Standard library only. AddressSanitizer is loaded before everything else, so it provides this process's heap. Makes no
judgement. Exit codes: 0 launched, 3 the candidate returned something other than 0, 5 it cannot be loaded, 6 this system
grants no filter of system calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path

from avo.sandbox import confine, seccomp

LAUNCHED = "heap_runner: the launch has come back"
"""Line that is printed after the launch has returned."""
TENSOR = "heap_runner: tensor"
"""Start of a line that gives a tensor's name and address."""
REFUSED, NOT_LOADED, UNFILTERED = 3, 5, 6
"""Exit codes."""
RUNTIME = ("libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libubsan.so.1")
"""Libraries that are loaded before the sandbox closes."""
LARGEST_WORD = 1 << 20
"""Maximum size in bytes of a file that may be written."""


def main() -> None:
    """Launch the candidate once.

    Its argument is the path of a JSON file: library, symbol, inputs, rest, unsafe, and name, size and start in bytes of
    each tensor.
    """
    spec = json.loads(Path(sys.argv[1]).read_text())
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    content, addresses = Path(spec["inputs"]).read_bytes(), b""
    for name, size, start in spec["tensors"]:
        address = libc.malloc(ctypes.c_size_t(size))
        if start >= 0:
            ctypes.memmove(address, content[start : start + size], size)
        addresses += address.to_bytes(8, sys.byteorder)
        print(TENSOR, name, hex(address), file=sys.stderr, flush=True)
    for name in RUNTIME:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    folder = str(Path(spec["library"]).parent)
    confine.enter(confine.Policy(read=(folder, "/proc/self"), file_bytes=LARGEST_WORD))
    try:  # a report opens the library, for the lines of its source: so what loading needs stays allowed
        seccomp.forbid_system_calls(loading=True, unsafe=spec["unsafe"])
    except seccomp.NoFilter as lacking:
        print(f"heap_runner: {lacking}; {seccomp.REMEDY}", file=sys.stderr, flush=True)
        sys.exit(UNFILTERED)
    try:
        launch = getattr(ctypes.CDLL(spec["library"], mode=os.RTLD_NOW), spec["symbol"])
    except (OSError, AttributeError) as error:
        print(f"heap_runner: {error}", file=sys.stderr, flush=True)
        sys.exit(NOT_LOADED)
    launch.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    if code := launch(addresses + bytes.fromhex(spec["rest"]), None):
        print(f"heap_runner: avo_launch returned {code}", file=sys.stderr, flush=True)
        sys.exit(REFUSED)
    print(LAUNCHED, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
