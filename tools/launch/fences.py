"""Fences of a runner on the CPU: pages that nothing may touch during a launch, and where a candidate did.

Standard library only, for it is the runner that calls it.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import signal
import struct
from collections.abc import Iterable

from avo.sandbox.confine import libc

FENCE = struct.Struct("=QQ")
"""Offset in the shared memory and length, in bytes; both multiples of a page."""
CLOSED, OPEN, RUN = 0, mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_EXEC
HANDLERS = {
    # endbr64; mov rax, [rsi + 16]; mov [note], rax; ret
    "x86_64": (bytes.fromhex("f30f1efa 488b4610 48a3"), bytes.fromhex("c3")),
    # ldr x0, [x1, 16]; ldr x2, note; str x0, [x2]; ret; note:
    "aarch64": (struct.pack("<4I", 0xF9400820, 0x58000062, 0xF9000040, 0xD65F03C0), b""),
}
"""Machine code of a signal handler that writes siginfo's si_addr to an address, which stands between the two parts."""
SA_SIGINFO, SA_RESETHAND = 4, 0x80000000


class Action(ctypes.Structure):
    """struct sigaction of the C library, on both architectures."""

    _fields_ = (
        ("handler", ctypes.c_void_p), ("mask", ctypes.c_uint64 * 16), ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )  # fmt: skip


def protect(base: int, places: Iterable[tuple[int, int]], rights: int) -> None:
    """Give pages of the shared memory at `base` these rights: CLOSED or OPEN."""
    for offset, length in places:
        libc.mprotect(ctypes.c_void_p(base + offset), ctypes.c_size_t(length), rights)


def note_faults(note: int) -> None:
    """Have the address of a wrong access written to the eight bytes at `note` before the access ends the process.

    The handler returns with the signal's default effect restored, so the same access happens again and kills. An
    overflowing stack has no room for it: nothing is written then, nor on another architecture.
    """
    if platform.machine() not in HANDLERS:
        return
    first, last = HANDLERS[platform.machine()]
    page = mmap.mmap(-1, mmap.PAGESIZE)
    page.write(first + struct.pack("<Q", note) + last)
    code = ctypes.c_char.from_buffer(page)  # keeps the page where it is for as long as the process lives
    _kept.append(code)
    libc.mprotect(ctypes.c_void_p(ctypes.addressof(code)), ctypes.c_size_t(mmap.PAGESIZE), RUN)
    action = Action(handler=ctypes.addressof(code), flags=ctypes.c_int(SA_SIGINFO | SA_RESETHAND).value)
    for number in (signal.SIGSEGV, signal.SIGBUS):
        libc.sigaction(int(number), ctypes.byref(action), None)


_kept: list[ctypes.c_char] = []
