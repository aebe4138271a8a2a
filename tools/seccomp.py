"""System calls that a command of an agent is refused. Linux on x86-64 only, standard library only."""

from __future__ import annotations

import errno
import platform
import struct

from avo.tools import sandbox

REFUSED = {
    # to reach others: by sockets, by their memory, by what the kernel keeps for them
    "socket": 41, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438,
    "kcmp": 312, "process_madvise": 440, "keyctl": 250, "add_key": 248, "request_key": 249, "syslog": 103,
    "perf_event_open": 298, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "open_by_handle_at": 304, "fanotify_init": 300,
    # to see other folders, or to gain rights within a namespace
    "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
    # memory that no limit counts
    "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240,
}  # fmt: skip
SIGNALS = {
    "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
    "pidfd_send_signal": 424, "prlimit64": 302,
}  # fmt: skip
"""Refused as well where nothing else keeps them from other processes of the same user."""
CLONE, CLONE3 = 56, 435
NEW_NAMESPACES = 0x7E020080
"""Flags of clone that make namespaces."""
LOAD, EQUAL, AT_LEAST, ANY_BIT, GIVE = 0x20, 0x15, 0x35, 0x45, 0x06


def refuse(*, signals: bool) -> bool:
    """Answer EPERM to them from now on, for good; clone3, which hides its flags, answers as an old kernel does."""
    if platform.machine() != "x86_64":
        return False
    numbers = [*REFUSED.values(), *(SIGNALS.values() if signals else ())]
    return sandbox._install(program(numbers))


def program(numbers: list[int]) -> bytes:
    """A classic BPF program over struct seccomp_data: nr at 0, arch at 4, the arguments from 16 on."""
    code = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, sandbox.AUDIT_ARCH_X86_64), (GIVE, 0, 0, sandbox.KILL), (LOAD, 0, 0, 0)]
    code += [(AT_LEAST, 0, 1, sandbox.X32), (GIVE, 0, 0, sandbox.KILL)]
    for number in numbers:
        code += [(EQUAL, 0, 1, number), (GIVE, 0, 0, sandbox.REFUSE)]
    code += [(EQUAL, 0, 1, CLONE3), (GIVE, 0, 0, 0x00050000 | errno.ENOSYS)]
    code += [(EQUAL, 0, 3, CLONE), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, NEW_NAMESPACES), (GIVE, 0, 0, sandbox.REFUSE)]
    code += [(GIVE, 0, 0, sandbox.ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
