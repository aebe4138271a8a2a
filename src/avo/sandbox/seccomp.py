"""The filters of system calls: what a candidate, an instrument's probe and a command of an agent may ask of the kernel.

Standard library only. Each is made for the architecture that it runs on, and holds for every thread of the process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from collections.abc import Callable

from avo.sandbox.bpf import ALLOW, INSTRUCTION, KILL, Argument, Rule, assemble, error
from avo.sandbox.confine import libc
from avo.sandbox.syscalls import ARCHITECTURES, MACHINE, number

SET_FILTER, EVERY_THREAD = 1, 1
"""SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC"""
CLONE_THREAD, NEW_NAMESPACES = 0x00010000, 0x7E020080
"""Flags of clone: a thread; any kind of namespace."""
REFUSE, UNKNOWN = error(errno.EPERM), error(errno.ENOSYS)
REMEDY = "AVO_UNSAFE_RUNNER=1 runs candidates without one"

CALM = (
    "read", "write", "readv", "writev", "close", "lseek", "mmap", "mprotect", "munmap", "mremap", "madvise", "brk",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "sched_yield", "sched_getaffinity", "getcpu",
    "nanosleep", "gettimeofday", "clock_gettime", "clock_getres", "clock_nanosleep", "getpid", "gettid", "exit",
    "exit_group", "restart_syscall", "futex", "getrandom", "arch_prctl", "membarrier", "rseq",
)  # fmt: skip
"""Memory, clocks and open descriptors: what a candidate on a CPU may do."""
LOADING = ("fstat", "newfstatat", "pread64", "openat", "access", "faccessat", "readlink", "readlinkat")
"""Needed to load a library, and taken away after it."""
HOSTILE = (
    "socket", "connect", "sendto", "sendmsg", "clone", "clone3", "fork", "vfork", "execve", "execveat", "kill", "tkill",
    "ptrace", "unshare", "setns", "process_vm_readv", "process_vm_writev", "bpf", "io_uring_setup", "pidfd_open",
    "pidfd_getfd",
)  # fmt: skip
"""What no kernel has a reason for: it kills the process."""
SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "prlimit64")
"""What reaches another process of the same user by its number, to end it or to take its limits away."""
REFUSED = (
    # to reach others: by sockets, by their memory, by what the kernel keeps for them
    "socket", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise", "keyctl",
    "add_key", "request_key", "syslog", "perf_event_open", "bpf", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "open_by_handle_at", "fanotify_init",
    # to see other folders, or to gain rights within a namespace
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "init_module", "finit_module", "delete_module",
    "kexec_load", "kexec_file_load",
    # memory that no limit counts
    "memfd_create", "memfd_secret", "shmget", "semget", "msgget", "mq_open",
)  # fmt: skip
"""What a command of an agent is refused; SIGNALS as well where nothing else keeps them from other processes."""


class NoFilter(Exception):
    """This system grants no filter; the message says what is lacking."""


def of_runner(machine: str, pid: int, *, loading: bool) -> bytes:
    """A CPU's runner and its probe: CALM is allowed, with `loading` LOADING too; HOSTILE kills, the rest is refused."""
    allowed = (*CALM, *LOADING) if loading else CALM
    rules = [Rule(call, ALLOW) for call in allowed] + [Rule(call, KILL) for call in HOSTILE] + _to_itself(pid)
    if loading:  # the filter that follows has to be let in; filters add up, so none can loosen this one
        rules.append(Rule("seccomp", ALLOW, (Argument(0, SET_FILTER), Argument(1, EVERY_THREAD))))
    return assemble(machine, rules, REFUSE)


def of_gpu_runner(machine: str, pid: int) -> bytes:
    """A GPU's runner, whose driver needs files, threads and ioctl: HOSTILE kills but for its threads and `connect`."""
    return assemble(machine, _without_children(pid, talk=("connect",)), ALLOW)


def of_probe(machine: str, pid: int) -> bytes:
    """A GPU's probe: as its runner, but the driver and the instrument talk over sockets."""
    return assemble(machine, _without_children(pid, talk=("socket", "connect", "sendto", "sendmsg")), ALLOW)


def of_command(machine: str, *, signals: bool) -> bytes:
    """A command of an agent: REFUSED is refused, with `signals` SIGNALS too, and so are clones in new namespaces."""
    rules = [Rule(call, REFUSE) for call in (*REFUSED, *(SIGNALS if signals else ()))]
    rules += [Rule("clone3", UNKNOWN), Rule("clone", REFUSE, (Argument(0, NEW_NAMESPACES, any_bit=True),))]
    return assemble(machine, rules, ALLOW)


def _without_children(pid: int, *, talk: tuple[str, ...]) -> list[Rule]:
    """HOSTILE but `talk` kills. Threads come by clone, whose flags can be seen; clone3 hides its own, and answers as an
    old kernel does. Limits and signals reach this process alone.
    """
    rules = [Rule(call, KILL) for call in HOSTILE if call not in (*talk, "clone", "clone3")]
    rules += [Rule("clone3", UNKNOWN), Rule("clone", ALLOW, (Argument(0, CLONE_THREAD, any_bit=True),))]
    rules += [Rule("clone", KILL), *_to_itself(pid)]
    rules += [Rule(call, KILL) for call in ("rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")]
    return [*rules, *(Rule("prlimit64", ALLOW, (Argument(0, own),)) for own in (0, pid)), Rule("prlimit64", REFUSE)]


def _to_itself(pid: int) -> list[Rule]:
    """abort() signals its own process. Nobody ends itself as somebody else would: who was, was not to blame."""
    forged = Rule("tgkill", KILL, (Argument(2, signal.SIGKILL),))
    return [forged, Rule("tgkill", ALLOW, (Argument(0, pid),)), Rule("tgkill", KILL)]


def forbid_system_calls(*, loading: bool, unsafe: bool) -> None:
    """Leave this process memory, clocks and its open descriptors, for good: see `of_runner`. Filters add up.

    Raises NoFilter where there is none, unless that is `unsafe`.
    """
    _install_unless(unsafe, lambda machine: of_runner(machine, os.getpid(), loading=loading))


def forbid_new_processes(*, unsafe: bool) -> None:
    """The filter of a GPU's runner, from now on. Raises NoFilter as `forbid_system_calls` does."""
    _install_unless(unsafe, lambda machine: of_gpu_runner(machine, os.getpid()))


def forbid_children(*, unsafe: bool) -> None:
    """The filter of a GPU's probe, from now on. Raises NoFilter as `forbid_system_calls` does."""
    _install_unless(unsafe, lambda machine: of_probe(machine, os.getpid()))


def refuse(*, signals: bool) -> None:
    """The filter of a command of an agent, from now on. Raises NoFilter where there is none."""
    _install_unless(False, lambda machine: of_command(machine, signals=signals))


def lacking() -> str:
    """Why this system grants no filter, in one line; empty where it grants them."""
    if MACHINE not in ARCHITECTURES:
        return f"there is no filter of system calls for {MACHINE}, only for {' and '.join(ARCHITECTURES)}"
    _set_filter(None)  # a kernel that has filters looks for the program, and says that there is none
    return "" if ctypes.get_errno() == errno.EFAULT else _refused()


def install(program: bytes) -> None:
    """Have the kernel ask this program from now on, in every thread, for good. Raises NoFilter when it does not."""
    code = ctypes.create_string_buffer(program)
    length = len(program) // INSTRUCTION.size
    if _set_filter(ctypes.create_string_buffer(struct.pack("@HP", length, ctypes.addressof(code)))) != 0:
        raise NoFilter(_refused())


def granted() -> list[str]:
    """Names of the measures that a filter is, as `isolation` names them: each is tried in a child that has to die."""
    tried = {
        "seccomp": lambda: forbid_system_calls(loading=True, unsafe=False),
        "seccomp_gpu": lambda: forbid_new_processes(unsafe=False),
        "seccomp_probe": lambda: forbid_children(unsafe=False),
    }
    return [name for name, forbid in tried.items() if _kills(forbid)]


def _kills(forbid: Callable[[], None]) -> bool:
    """Whether a child under this filter is killed for a signal to another process."""
    if not (child := os.fork()):
        try:
            forbid()
            os.kill(os.getppid(), 0)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGSYS


def _install_unless(unsafe: bool, program: Callable[[str], bytes]) -> None:
    try:
        if MACHINE not in ARCHITECTURES:
            raise NoFilter(lacking())
        install(program(MACHINE))
    except NoFilter:
        if not unsafe:
            raise


def _set_filter(program: ctypes.Array[ctypes.c_char] | None) -> int:
    """0; -1 when the kernel refused, or the number of a thread that could not be brought under the filter."""
    ctypes.set_errno(0)
    return int(libc.syscall(number("seccomp"), SET_FILTER, EVERY_THREAD, program))


def _refused() -> str:
    reason = ctypes.get_errno()
    why = os.strerror(reason) if reason else "a thread would stay outside"
    return f"this kernel grants no filter of system calls ({why})"
