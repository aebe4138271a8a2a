"""Takes rights away from this process before it runs untrusted code: Linux only, standard library only.

Every measure is attempted, and those in force are returned; `avo doctor` prints them.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from dataclasses import asdict, dataclass

from avo.sandbox.syscalls import number

libc = ctypes.CDLL(None, use_errno=True)
"""The C library; calls of it set errno."""

PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 4, 1, 38
"""Options of prctl(2)."""
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
"""Flags of unshare(2)."""
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x00020000, 4096, 16384, 1 << 18
"""Flag of unshare(2) for mounts, and flags of mount(2)."""
MOUNT_SETATTR = number("mount_setattr")
"""Number of the system call."""
MOUNT_ATTR_RDONLY, AT_RECURSIVE, AT_FDCWD = 1, 0x8000, -100
"""Arguments of mount_setattr(2)."""
CAPABILITY_VERSION_3 = 0x20080522
"""Version of the structures of capset(2)."""
LANDLOCK_CREATE, LANDLOCK_ADD = number("landlock_create_ruleset"), number("landlock_add_rule")
"""Numbers of the system calls."""
LANDLOCK_RESTRICT = number("landlock_restrict_self")
"""Number of the system call."""
LANDLOCK_READ = 1 << 0 | 1 << 2 | 1 << 3
"""Landlock's rights to execute, to read a file and to list a folder."""
LANDLOCK_RIGHTS = {1: 1 << 13, 2: 1 << 14, 3: 1 << 15, 4: 1 << 15, 5: 1 << 16}
"""Landlock's ABI version -> the bit above its highest right on files."""
TCP, SCOPED = 4, 6
"""First ABI versions of Landlock that restrict TCP, and abstract sockets and signals to other processes."""


@dataclass(frozen=True)
class Policy:
    """The rights and resource limits of a child process."""

    read: tuple[str, ...] = ()
    """Folders that it may read; missing ones are skipped."""
    write: tuple[str, ...] = ()
    """Folders that it may change; missing ones are skipped."""
    memory: int = 0
    """Address space in bytes; 0: no limit."""
    file_bytes: int = 0
    """Size in bytes of the largest file that it may write."""
    own_processes: bool = False
    """True to put it into a process namespace, so that everything it starts ends with it."""


def hide() -> None:
    """Make this process undumpable: children in namespaces can read neither its environment nor its memory in /proc."""
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def enter(policy: Policy) -> list[str]:
    """Apply the policy to this process for good; return the names of the measures in force."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    in_force = ["limits"]
    _limit(resource.RLIMIT_CORE, 0)
    # 0 forbids also what is printed to a file: a Python child whose stdout is one ends with code 120.
    _limit(resource.RLIMIT_FSIZE, policy.file_bytes)
    _limit(resource.RLIMIT_NOFILE, 1024)
    if policy.memory:
        _limit(resource.RLIMIT_AS, policy.memory)
    # /proc stays that of the outside: in an own process namespace a program that looks for itself there finds another.
    namespaces = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | (CLONE_NEWPID if policy.own_processes else 0)
    if libc.unshare(namespaces | CLONE_NEWNS) == 0:
        in_force.append("namespaces")
        # Landlock does not cover chmod, chown and utime.
        if _read_only(policy):
            in_force.append("read_only")
    elif libc.unshare(namespaces) == 0:
        in_force.append("namespaces")
    elif _drop_capabilities():  # a process with threads gets no namespace of its own
        in_force.append("no_capabilities")
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        in_force.append("no_new_privs")
    if _landlock(policy):
        in_force.append("landlock")
    return in_force


def _drop_capabilities() -> bool:
    """Drop all capabilities, as with CAP_PERFMON alone root could read any process's environment; True if done."""
    none = ctypes.create_string_buffer(24)
    return bool(libc.capset(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), none) == 0)


def _read_only(policy: Policy) -> bool:
    """Make all file systems read-only but the policy's folders, for modes, owners and times, too; True if done."""
    here, folders = os.getcwd(), [folder for folder in policy.write if os.path.isdir(folder)]  # noqa: PTH109, PTH112
    libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    for folder in folders:
        libc.mount(folder.encode(), folder.encode(), None, MS_BIND | MS_REC, None)
    done = mounts_read_only("/", *folders)
    os.chdir(here)  # onto the new mount
    return done


def mounts_read_only(root: str, *writable: str) -> bool:
    """Make all mounts below `root` read-only, then these folders, each a mount, writable again; True if done."""
    attribute = struct.Struct("=QQQQ")  # struct mount_attr: set, clear, propagation, user namespace
    changes = [(root, (MOUNT_ATTR_RDONLY, 0), AT_RECURSIVE)]
    changes += [(folder, (0, MOUNT_ATTR_RDONLY), 0) for folder in writable]
    for folder, change, deep in changes:
        how = ctypes.create_string_buffer(attribute.pack(*change, 0, 0))
        if libc.syscall(MOUNT_SETATTR, AT_FDCWD, folder.encode(), deep, how, attribute.size) != 0:
            return False
    return True


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def landlock_version() -> int:
    """Return the ABI version of the kernel's Landlock; 0 if it has none."""
    return max(int(libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)), 0)


def _landlock(policy: Policy, *, alone: bool = False) -> bool:
    """Restrict files that can be opened to the policy's folders, for good; open files stay open. True if done.

    alone: also forbid TCP, abstract sockets, and signals to processes other than those that this one starts from then
    on.
    """
    abi = landlock_version()
    if not abi:
        return False
    rights = LANDLOCK_RIGHTS.get(abi, 1 << 16) - 1
    more = (TCP, SCOPED) if alone else ()
    asked = [rights, *(0b11 for version in more if abi >= version)]
    attributes = ctypes.create_string_buffer(struct.pack(f"={len(asked)}Q", *asked))
    ruleset = libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(8 * len(asked)), 0)
    if ruleset < 0:
        return False
    for folders, allowed in ((policy.read, LANDLOCK_READ), (policy.write, rights)):
        for folder in folders:
            try:
                handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            is_folder = os.path.isdir(folder)  # noqa: PTH112 (pathlib is not loaded here)
            # Execute, write, read, truncate: a rule about a file that names a folder's right is refused whole (EINVAL).
            kept = allowed if is_folder else allowed & (1 << 0 | 1 << 1 | 1 << 2 | 1 << 14)
            rule = ctypes.create_string_buffer(struct.pack("=Qi", kept, handle))
            libc.syscall(LANDLOCK_ADD, ruleset, 1, rule, 0)
            os.close(handle)
    done: bool = libc.syscall(LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return done


def main() -> None:
    """Run `python -m avo.sandbox.confine REPORT POLICY COMMAND…`: enter the policy, then execute the command.

    REPORT is a file descriptor that the command does not inherit. One JSON object a line is written to it: that the
    command is about to begin, why it could not, or its exit code and its peak memory in bytes. With the single argument
    `probe`, print the measures in force.
    """
    if sys.argv[1:] == ["probe"]:
        from avo.sandbox.seccomp import granted  # which stands on this module

        print(json.dumps(enter(Policy(file_bytes=1 << 20)) + granted()), flush=True)
        return
    report, policy, command = int(sys.argv[1]), Policy(**json.loads(sys.argv[2])), sys.argv[3:]
    os.set_inheritable(report, False)
    try:
        enter(policy)
        if policy.own_processes:
            child = os.fork()  # the first process of the new namespace: when it ends, the kernel ends the rest
            if child:
                _, status, used = os.wait4(child, 0)
                code = os.waitstatus_to_exitcode(status)
                _report(report, code=code, peak_memory=used.ru_maxrss << 10)
                os._exit(code & 0xFF)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _report(report, begins=True)
        os.execvp(command[0], command)
    except (OSError, ValueError) as error:  # ValueError: setrlimit, above a limit of the user's own
        _report(report, failed=getattr(error, "strerror", None) or str(error))
        os._exit(1)


def _report(descriptor: int, **facts: object) -> None:
    os.write(descriptor, json.dumps(facts).encode() + b"\n")


def as_json(policy: Policy) -> str:
    """Return the policy as JSON, the argument POLICY of `main`."""
    return json.dumps(asdict(policy))


if __name__ == "__main__":
    main()
