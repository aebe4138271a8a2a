"""The sandbox of an instrument (ncu, compute-sanitizer) that injects itself into the process of a candidate.

An instrument needs some of the rights that the judge's sandbox takes away. The strictest level at which it works is
found by trying each with a kernel of avo's own. `namespaces`: no network but the loopback, read-only file systems,
Landlock; `landlock`: its own files only; `limits`: limits on the size of files only. `no children`: the probe's process
can start no process and signal no other, so that everything ends with its group. At every level the environment is
scrubbed, and the whole group is killed at the end.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys

from avo.sandbox import confine

LEVELS = (
    "namespaces, no children", "landlock, no children", "limits, no children", "namespaces", "landlock", "limits",
)  # fmt: skip
"""Levels of isolation, the strictest first."""
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
"""Constants of ioctl(2) on network interfaces: get flags, set flags, the flag for "up"."""


def enter(level: str, policy: confine.Policy) -> None:
    """Apply a level of LEVELS to this process for good, except for the probe's part of it. Raises SystemExit."""
    if level.startswith("namespaces"):
        if "namespaces" not in confine.enter(policy):
            raise SystemExit("cage: no namespaces here")
        raise_loopback()
        return
    confine.libc.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (policy.file_bytes, policy.file_bytes))
    confine.libc.prctl(confine.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if level.startswith("landlock") and not confine._landlock(policy):
        raise SystemExit("cage: no Landlock here")


def raise_loopback() -> None:
    """Bring up `lo` in this network namespace: instruments talk over it to the process that they observe."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def main() -> None:
    """Run `python -m avo.tools.instruments.instrument_sandbox LEVEL POLICY COMMAND…`: the command at that level."""
    values = json.loads(sys.argv[2])
    enter(sys.argv[1], confine.Policy(**values))
    os.execvp(sys.argv[3], sys.argv[3:])


if __name__ == "__main__":
    main()
