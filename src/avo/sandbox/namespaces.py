"""A cell: a root folder, a file system, a user and processes of its own for a command of an agent, as far as this
system grants them. Linux only, standard library only, without pathlib: it runs in a bare interpreter.
"""

# ruff: noqa: PTH102, PTH103, PTH109, PTH112, PTH114, PTH115, PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import signal
import socket
import sys
from dataclasses import asdict, dataclass, replace

from avo.sandbox import confine, process_tree, seccomp
from avo.sandbox.confine import libc

CLONE_NEWUTS, MS_NOSUID, MS_NODEV, MS_NOEXEC, MNT_DETACH = 0x04000000, 2, 4, 8, 2
"""Flags of unshare(2), mount(2) and umount2(2)."""
PR_SET_CHILD_SUBREAPER, PR_SET_SECUREBITS, PR_CAPBSET_DROP = 36, 28, 24
"""Options of prctl(2)."""
NO_ROOT = 0b101111
"""Securebits, locked: user 0 regains no capability."""
SCRATCH = "/scratch"
"""The writable folder of a cell with a root folder of its own."""
COUNTS_BY_NAMESPACE = (5, 14)
"""First Linux version that counts a user's processes for each user namespace separately."""
GO = b"g"
"""Message that lets the command begin."""


@dataclass(frozen=True)
class Cell:
    """The isolation and limits requested for a cell; sizes in bytes."""

    folder: str
    """The cell's own, empty folder; it stays empty with a root folder of its own, as files are then kept in memory."""
    read: tuple[str, ...]
    """Files and folders that it may read; missing ones are skipped."""
    devices: tuple[str, ...]
    """Device files that it may read and write."""
    control: int
    """Descriptor of a socket that reports the measures granted, passes a handle of the folder, then waits for GO."""
    user: int = 0
    """User id that the command runs as when avo is root; 0: avo's own."""
    processes: int = 256
    """Processes and threads."""
    disk: int = 1 << 30
    """Size of its file system."""
    files: int = 20_000
    """Number of files in its file system."""
    memory: int = 8 << 30
    """Address space of each process."""
    file_bytes: int = 256 << 20
    """Size of the largest file."""
    cpu_seconds: int = 0
    """CPU time of each process in seconds; 0: no limit."""


def main() -> None:
    """Run `python -m avo.sandbox.namespaces CELL COMMAND…`: enter the cell, wait for GO, execute the command."""
    cell, command = Cell(**json.loads(sys.argv[1])), sys.argv[2:]
    libc.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _write("/proc/self/oom_score_adj", "1000")  # rather than avo, when memory runs out
    others = 0 if cell.user else _running()
    granted = _unshare(cell)
    if "own_user_namespace" in granted and _release() >= COUNTS_BY_NAMESPACE:
        others = 0
    place, handle = cell.folder, -1
    if "namespaces" not in granted:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    elif first := os.fork():
        os.close(cell.control)
        os._exit(_ended(first))
    else:  # the first process of the namespace: when it ends, the kernel ends the rest
        libc.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        handle = _own_root(cell)
    if handle >= 0:
        place = SCRATCH
        granted += ["own_root"]
    else:
        granted += ["read_only"] * ("namespaces" in granted and confine._read_only(confine.Policy(write=(place,))))
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    confine.hide()
    if child := os.fork():
        os.close(cell.control)
        code = _ended(child)
        if "namespaces" not in granted:
            process_tree.end(os.getpid())
        os._exit(code)
    more, lacking = _give_up(replace(cell, processes=cell.processes + others), place, granted)
    with socket.socket(fileno=cell.control) as control:
        told = json.dumps({"granted": granted + more, "place": place, "lacking": lacking}).encode()
        socket.send_fds(control, [told], [handle])
        if control.recv(1) != GO:
            os._exit(1)
    os.close(handle)
    os.chdir(f"{place}/tree")
    os.execvpe(command[0], command, os.environ | {"HOME": place, "TMPDIR": place, "PWD": f"{place}/tree"})


def _unshare(cell: Cell) -> list[str]:
    """Enter new namespaces; return their names. Unless root may, in a user namespace that maps this user to itself."""
    wanted = confine.CLONE_NEWNS | confine.CLONE_NEWPID | confine.CLONE_NEWNET | confine.CLONE_NEWIPC | CLONE_NEWUTS
    if os.geteuid() == 0 and libc.unshare(wanted) == 0:
        return ["namespaces"]
    if cell.user:
        _become(cell.user)
        libc.prctl(confine.PR_SET_DUMPABLE, 1, 0, 0, 0)  # or its own entries in /proc were root's
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(wanted | confine.CLONE_NEWUSER) != 0:
        return []
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    return ["namespaces", "own_user_namespace"]


def _own_root(cell: Cell) -> int:
    """Change to a root folder that holds what the cell reads and SCRATCH, a file system; return a handle of SCRATCH.

    -1 when this system does not grant it; nothing has changed then.
    """
    root, here = cell.folder, os.getcwd()
    if libc.mount(None, b"/", None, confine.MS_REC | confine.MS_PRIVATE, None) != 0:
        return -1
    if not _mount_memory(root, 1 << 20, 1000):
        return -1
    try:
        for path in (*cell.read, *cell.devices):
            _show(path, root)
        for name in (SCRATCH, "/old", "/proc"):
            os.mkdir(root + name)
        # It shows the processes of the cell alone, where it is granted: some tools look for themselves there.
        hardened = MS_NOSUID | MS_NODEV | MS_NOEXEC
        libc.mount(b"proc", f"{root}/proc".encode(), b"proc", hardened, b"subset=pid")
        if not _mount_memory(root + SCRATCH, cell.disk, cell.files) or not confine.mounts_read_only(
            root, root + SCRATCH
        ):
            raise OSError
        os.chdir(root)
        if libc.pivot_root(b".", b"old") != 0:
            raise OSError
    except OSError:
        libc.umount2(root.encode(), MNT_DETACH)
        os.chdir(here)  # which may lie below what was just taken away
        return -1
    os.chdir("/")
    if libc.umount2(b"/old", MNT_DETACH) != 0:
        raise SystemExit("cell: the old root folder stays")  # half a cell is none
    return os.open(SCRATCH, os.O_RDONLY | os.O_DIRECTORY)


def _mount_memory(folder: str, size: int, files: int) -> bool:
    options = f"size={size},nr_inodes={files},mode=0755".encode()
    return bool(libc.mount(b"avo", folder.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options) == 0)


def _show(path: str, root: str) -> None:
    """Make the path visible below the new root: a link as the link itself, anything else as a bind mount."""
    shown = root + path
    if not os.path.lexists(path) or os.path.lexists(shown):
        return
    os.makedirs(os.path.dirname(shown), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), shown)
        return
    if os.path.isdir(path):
        os.mkdir(shown)
    else:
        os.close(os.open(shown, os.O_CREAT | os.O_WRONLY))
    if libc.mount(path.encode(), shown.encode(), None, confine.MS_BIND | confine.MS_REC, None) != 0:
        raise OSError(path)


def _give_up(cell: Cell, place: str, namespaces: list[str]) -> tuple[list[str], str]:
    """Drop the rights that this process does not need, for good; return the names of the measures in force, and why
    there is no filter of system calls, if there is none.
    """
    granted = ["limits"]
    if os.geteuid() == 0 and cell.user:
        _become(cell.user)
    alone = os.geteuid() == cell.user != 0
    granted += ["own_user"] * alone
    for which, value in (
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, cell.file_bytes), (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_AS, cell.memory), (resource.RLIMIT_NPROC, cell.processes),
        (resource.RLIMIT_CPU, cell.cpu_seconds or resource.RLIM_INFINITY), (resource.RLIMIT_MSGQUEUE, 0),
    ):  # fmt: skip
        confine._limit(which, value)
    granted += ["processes"] * (os.getuid() != 0)  # the kernel exempts root
    libc.prctl(PR_SET_SECUREBITS, NO_ROOT, 0, 0, 0)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    granted += ["no_capabilities"] * confine._drop_capabilities()
    granted += ["no_new_privs"] * (libc.prctl(confine.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
    libc.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of user cleared it
    processes = ("/proc",) * (place == SCRATCH)
    policy = confine.Policy(read=(*cell.read, *cell.devices, *processes), write=(place, *cell.devices))
    granted += ["landlock"] * confine._landlock(policy, alone=True)
    kept_apart = alone or "namespaces" in namespaces or confine.landlock_version() >= confine.SCOPED
    lacking = ""
    try:
        seccomp.refuse(signals=not kept_apart)
        granted += ["no_sockets"]
        kept_apart = True
    except seccomp.NoFilter as error:
        lacking = str(error)
    return granted + ["no_signals"] * kept_apart, lacking


def _become(user: int) -> None:
    """Switch to that user for good, as far as this process may."""
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _ended(child: int) -> int:
    """Wait for the child, reaping all others meanwhile; return its exit code as a shell reports it."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _running() -> int:
    """Return the number of this user's processes and threads, which its limit counts, too."""
    count = 0
    for pid in process_tree.of_user(os.getuid()):
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{pid}/task"))
    return count


def _release() -> tuple[int, ...]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(character for character in minor if character.isdecimal()))


def _write(path: str, text: str) -> None:
    with contextlib.suppress(OSError), open(path, "w") as file:
        file.write(text)


def as_json(cell: Cell) -> str:
    """Return the cell as JSON, the argument CELL of `main`."""
    return json.dumps(asdict(cell))


if __name__ == "__main__":
    main()
