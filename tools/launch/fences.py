"""Fences of a runner on the CPU: pages that are inaccessible during a launch, and a note of the access that hit one.

Standard library only, because the runner imports it.
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
"""Protection flags of mmap(2): none; read and write; read and execute."""
HANDLERS = {
    # endbr64; mov rax, [rsi + 16]; mov [note], rax; ret
    "x86_64": (bytes.fromhex("f30f1efa 488b4610 48a3"), bytes.fromhex("c3")),
    # ldr x0, [x1, 16]; ldr x2, note; str x0, [x2]; ret; note:
    "aarch64": (struct.pack("<4I", 0xF9400820, 0x58000062, 0xF9000040, 0xD65F03C0), b""),
}
"""Architecture -> machine code of a signal handler that stores siginfo's si_addr, before and after the place for the
address to store it to.
"""
SA_SIGINFO, SA_RESETHAND = 4, 0x80000000
"""Flags of sigaction(2)."""


class Action(ctypes.Structure):
    """struct sigaction of the C library, on both architectures."""

    _fields_ = (
        ("handler", ctypes.c_void_p), ("mask", ctypes.c_uint64 * 16), ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )  # fmt: skip


def protect(base: int, places: Iterable[tuple[int, int]], rights: int) -> None:
    """Change the protection of pages in the shared memory at `base` to `rights`, CLOSED or OPEN."""
    for offset, length in places:
        libc.mprotect(ctypes.c_void_p(base + offset), ctypes.c_size_t(length), rights)


def note_faults(note: int) -> None:
    """Write the address of an invalid access to the eight bytes at `note` before the access kills the process.

    The handler returns with the signal's default action restored, so that the access is repeated and kills. Nothing is
    noted for a stack overflow, which leaves no room for the handler, nor on another architecture.
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
