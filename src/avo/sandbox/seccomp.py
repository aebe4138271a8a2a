"""The filters of system calls for a candidate, an instrument's probe and a command of an agent.

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
"""SECCOMP_SET_MODE_FILTER and SECCOMP_FILTER_FLAG_TSYNC."""
CLONE_THREAD, NEW_NAMESPACES = 0x00010000, 0x7E020080
"""Flags of clone: a thread; any kind of new namespace."""
REFUSE, UNKNOWN = error(errno.EPERM), error(errno.ENOSYS)
"""Actions that fail a call: not permitted; not implemented, as on an old kernel."""
REMEDY = "AVO_UNSAFE_RUNNER=1 runs candidates without one"
"""Hint for a user whose system grants no filter."""

CALM = (
    "read", "write", "readv", "writev", "close", "lseek", "mmap", "mprotect", "munmap", "mremap", "madvise", "brk",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "sched_yield", "sched_getaffinity", "getcpu",
    "nanosleep", "gettimeofday", "clock_gettime", "clock_getres", "clock_nanosleep", "getpid", "gettid", "exit",
    "exit_group", "restart_syscall", "futex", "getrandom", "arch_prctl", "membarrier", "rseq",
)  # fmt: skip
"""Calls that a candidate on a CPU may make: memory, clocks and open descriptors."""
LOADING = ("fstat", "newfstatat", "pread64", "openat", "access", "faccessat", "readlink", "readlinkat")
"""Calls that loading a library needs, forbidden after it."""
HOSTILE = (
    "socket", "connect", "sendto", "sendmsg", "clone", "clone3", "fork", "vfork", "execve", "execveat", "kill", "tkill",
    "ptrace", "unshare", "setns", "process_vm_readv", "process_vm_writev", "bpf", "io_uring_setup", "pidfd_open",
    "pidfd_getfd",
)  # fmt: skip
"""Calls that no kernel needs: they kill the process."""
SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "prlimit64")
"""Calls that reach another process of the same user by its number: to signal it, or to change its limits."""
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
"""Calls that fail for a command of an agent; so do SIGNALS where nothing else protects other processes."""


class NoFilter(Exception):
    """This system grants no filter; the message says why."""


def of_runner(machine: str, pid: int, *, loading: bool) -> bytes:
    """Return the filter of a CPU's runner and probe.

    CALM is allowed, with `loading` also LOADING; HOSTILE kills, and every other call fails.
    """
    allowed = (*CALM, *LOADING) if loading else CALM
    rules = [Rule(call, ALLOW) for call in allowed] + [Rule(call, KILL) for call in HOSTILE] + _to_itself(pid)
    if loading:  # the filter that follows has to be let in; filters add up, so none can loosen this one
        rules.append(Rule("seccomp", ALLOW, (Argument(0, SET_FILTER), Argument(1, EVERY_THREAD))))
    return assemble(machine, rules, REFUSE)


def of_gpu_runner(machine: str, pid: int) -> bytes:
    """Return the filter of a GPU's runner, whose driver needs files, threads and ioctl.

    HOSTILE kills, except for threads of its own and `connect`.
    """
    return assemble(machine, _without_children(pid, talk=("connect",)), ALLOW)


def of_probe(machine: str, pid: int) -> bytes:
    """Return the filter of a GPU's probe: the runner's, but driver and instrument may talk over sockets."""
    return assemble(machine, _without_children(pid, talk=("socket", "connect", "sendto", "sendmsg")), ALLOW)


def of_command(machine: str, *, signals: bool) -> bytes:
    """Return the filter of an agent's command: REFUSED fails, with `signals` also SIGNALS.

    Clones into new namespaces fail, too.
    """
    rules = [Rule(call, REFUSE) for call in (*REFUSED, *(SIGNALS if signals else ()))]
    rules += [Rule("clone3", UNKNOWN), Rule("clone", REFUSE, (Argument(0, NEW_NAMESPACES, any_bit=True),))]
    return assemble(machine, rules, ALLOW)


def _without_children(pid: int, *, talk: tuple[str, ...]) -> list[Rule]:
    """Return rules by which HOSTILE calls other than `talk` kill the process.

    Threads are made by clone, whose flags can be seen; clone3 hides its own, and fails as on an old kernel. Limits and
    signals reach this process alone.
    """
    rules = [Rule(call, KILL) for call in HOSTILE if call not in (*talk, "clone", "clone3")]
    rules += [Rule("clone3", UNKNOWN), Rule("clone", ALLOW, (Argument(0, CLONE_THREAD, any_bit=True),))]
    rules += [Rule("clone", KILL), *_to_itself(pid)]
    rules += [Rule(call, KILL) for call in ("rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")]
    return [*rules, *(Rule("prlimit64", ALLOW, (Argument(0, own),)) for own in (0, pid)), Rule("prlimit64", REFUSE)]


def _to_itself(pid: int) -> list[Rule]:
    """Return rules that let the process `pid` signal only itself, as abort() does. SIGKILL is forbidden, so that it
    cannot pretend to have been killed from outside.
    """
    forged = Rule("tgkill", KILL, (Argument(2, signal.SIGKILL),))
    return [forged, Rule("tgkill", ALLOW, (Argument(0, pid),)), Rule("tgkill", KILL)]


def forbid_system_calls(*, loading: bool, unsafe: bool) -> None:
    """Install the filter of `of_runner` in this process for good. Filters add up.

    Raises NoFilter where this system grants none, unless `unsafe`.
    """
    _install_unless(unsafe, lambda machine: of_runner(machine, os.getpid(), loading=loading))


def forbid_new_processes(*, unsafe: bool) -> None:
    """Install the filter of a GPU's runner for good. Raises NoFilter as `forbid_system_calls` does."""
    _install_unless(unsafe, lambda machine: of_gpu_runner(machine, os.getpid()))


def forbid_children(*, unsafe: bool) -> None:
    """Install the filter of a GPU's probe for good. Raises NoFilter as `forbid_system_calls` does."""
    _install_unless(unsafe, lambda machine: of_probe(machine, os.getpid()))


def refuse(*, signals: bool) -> None:
    """Install the filter of an agent's command for good. Raises NoFilter where this system grants none."""
    _install_unless(False, lambda machine: of_command(machine, signals=signals))


def lacking() -> str:
    """Return why this system grants no filter, in one line; "" where it grants them."""
    if MACHINE not in ARCHITECTURES:
        return f"there is no filter of system calls for {MACHINE}, only for {' and '.join(ARCHITECTURES)}"
    _set_filter(None)  # a kernel that has filters looks for the program, and says that there is none
    return "" if ctypes.get_errno() == errno.EFAULT else _refused()


def install(program: bytes) -> None:
    """Install a BPF program as a filter of every thread, for good. Raises NoFilter when the kernel refuses."""
    code = ctypes.create_string_buffer(program)
    length = len(program) // INSTRUCTION.size
    if _set_filter(ctypes.create_string_buffer(struct.pack("@HP", length, ctypes.addressof(code)))) != 0:
        raise NoFilter(_refused())


def granted() -> list[str]:
    """Return the names of the filters that work here, as `isolation` has them: each has to kill a child."""
    tried = {
        "seccomp": lambda: forbid_system_calls(loading=True, unsafe=False),
        "seccomp_gpu": lambda: forbid_new_processes(unsafe=False),
        "seccomp_probe": lambda: forbid_children(unsafe=False),
    }
    return [name for name, forbid in tried.items() if _kills(forbid)]


def _kills(forbid: Callable[[], None]) -> bool:
    """Return True if a child under this filter is killed for signalling another process."""
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
    """Return 0; -1 when the kernel refused, or the id of a thread that could not be filtered."""
    ctypes.set_errno(0)
    return int(libc.syscall(number("seccomp"), SET_FILTER, EVERY_THREAD, program))


def _refused() -> str:
    reason = ctypes.get_errno()
    why = os.strerror(reason) if reason else "a thread would stay outside"
    return f"this kernel grants no filter of system calls ({why})"
