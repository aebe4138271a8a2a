"""The table of system calls: their names, and their numbers on each architecture that avo can filter.

Standard library only. Numbers are those of the kernel's unistd tables: arch/x86/entry/syscalls/syscall_64.tbl and, for
aarch64, include/uapi/asm-generic/unistd.h. aarch64 never had the calls that newer ones had replaced when it began.
"""

from __future__ import annotations

import os

MACHINE = os.uname().machine
"""The architecture of this process, as the kernel names it."""
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Architecture -> AUDIT_ARCH_…, which the kernel passes to a filter with every call; other ABIs have other values."""
SAME_EVERYWHERE = 424
"""First number from which on a call has the same number on every architecture."""

_TABLE = """
read 0 63 | write 1 64 | close 3 57 | lseek 8 62 | readv 19 65 | writev 20 66 | pread64 17 67
mmap 9 222 | mprotect 10 226 | munmap 11 215 | brk 12 214 | mremap 25 216 | madvise 28 233
rt_sigaction 13 134 | rt_sigprocmask 14 135 | rt_sigreturn 15 139 | sigaltstack 131 132
sched_yield 24 124 | sched_getaffinity 204 123 | getcpu 309 168 | membarrier 324 283 | rseq 334 293
nanosleep 35 101 | gettimeofday 96 169 | clock_gettime 228 113 | clock_getres 229 114 | clock_nanosleep 230 115
getpid 39 172 | gettid 186 178 | exit 60 93 | exit_group 231 94 | restart_syscall 219 128
futex 202 98 | getrandom 318 278 | arch_prctl 158 - | prctl 157 167 | seccomp 317 277 | prlimit64 302 261

fstat 5 80 | newfstatat 262 79 | access 21 - | faccessat 269 48 | faccessat2 439 439
readlink 89 - | readlinkat 267 78 | open 2 - | openat 257 56 | openat2 437 437

socket 41 198 | connect 42 203 | sendto 44 206 | sendmsg 46 211 | sendmmsg 307 269
clone 56 220 | clone3 435 435 | fork 57 - | vfork 58 - | execve 59 221 | execveat 322 281
kill 62 129 | tkill 200 130 | tgkill 234 131 | rt_sigqueueinfo 129 138 | rt_tgsigqueueinfo 297 240
pidfd_send_signal 424 424 | pidfd_open 434 434 | pidfd_getfd 438 438
ptrace 101 117 | process_vm_readv 310 270 | process_vm_writev 311 271 | process_madvise 440 440 | kcmp 312 272
unshare 272 97 | setns 308 268 | bpf 321 280 | perf_event_open 298 241 | userfaultfd 323 282
io_uring_setup 425 425 | io_uring_enter 426 426 | io_uring_register 427 427
keyctl 250 219 | add_key 248 217 | request_key 249 218 | syslog 103 116
open_by_handle_at 304 265 | fanotify_init 300 262

mount 165 40 | umount2 166 39 | pivot_root 155 41 | chroot 161 51 | open_tree 428 428 | move_mount 429 429
fsopen 430 430 | fsconfig 431 431 | fsmount 432 432 | fspick 433 433 | mount_setattr 442 442 | open_tree_attr 467 467
init_module 175 105 | finit_module 313 273 | delete_module 176 106 | kexec_load 246 104 | kexec_file_load 320 294
memfd_create 319 279 | memfd_secret 447 447 | shmget 29 194 | semget 64 190 | msgget 68 186 | mq_open 240 180
landlock_create_ruleset 444 444 | landlock_add_rule 445 445 | landlock_restrict_self 446 446
"""
"""Name, number on x86_64, number on aarch64; a dash where an architecture has no such call."""


_ENTRIES = [entry.split() for line in _TABLE.splitlines() for entry in line.split("|") if line]
NUMBERS = {
    machine: {entry[0]: int(entry[column]) for entry in _ENTRIES if entry[column] != "-"}
    for column, machine in enumerate(ARCHITECTURES, 1)
}
"""Architecture -> call -> number; calls that an architecture does not have are absent."""


def number(name: str, machine: str = MACHINE) -> int | None:
    """Return a call's number; None where that architecture has no such call, or its number is unknown.

    Raises KeyError for a name that is not in the table.
    """
    known = {column[name] for column in NUMBERS.values() if name in column}
    if not known:
        raise KeyError(name)
    if machine in NUMBERS:
        return NUMBERS[machine].get(name)
    newest = max(known)
    return newest if newest >= SAME_EVERYWHERE else None
