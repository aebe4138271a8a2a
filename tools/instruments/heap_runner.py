"""The runner of sanitizers on the CPU: every tensor on the heap in its exact size, with poisoned bytes round it.

Standard library only. AddressSanitizer is loaded before everything else, and so makes this process's heap. Judges
nothing. Exit codes: 0 launched, 3 the candidate answered something else than 0, 5 it cannot be loaded, 6
this system grants no filter of system calls.
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
TENSOR = "heap_runner: tensor"
REFUSED, NOT_LOADED, UNFILTERED = 3, 5, 6
RUNTIME = ("libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libubsan.so.1")
LARGEST_WORD = 1 << 20
"""Bytes that may be printed."""


def main() -> None:
    """Argument: the path of a JSON file with library, symbol, inputs, rest, and name, size and start of each tensor."""
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
