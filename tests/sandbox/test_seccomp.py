"""Every filter of system calls, run by an interpreter of its instructions over all numbers of both architectures."""

from __future__ import annotations

import errno
import json
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from avo.sandbox.bpf import (
    ALLOW,
    ANY_BIT,
    AT_LEAST,
    EQUAL,
    GIVE,
    INSTRUCTION,
    KILL,
    LOAD,
    X32,
    Argument,
    Rule,
    assemble,
)
from avo.sandbox.seccomp import (
    CALM,
    HOSTILE,
    LOADING,
    REFUSE,
    REFUSED,
    SIGNALS,
    UNKNOWN,
    lacking,
    of_command,
    of_gpu_runner,
    of_probe,
    of_runner,
)
from avo.sandbox.syscalls import ARCHITECTURES, MACHINE, NUMBERS, SAME_EVERYWHERE, number
from avo.settings import PACKAGE
from avo.tools.score.executor import LocalExecutor

filtered = pytest.mark.skipif(bool(lacking()), reason=lacking())
TINY = Path(__file__).parents[1] / "tiny"
PID = 4711
ALL_ONES = 2**64 - 1
ARGUMENTS = [
    (0, 0), (PID, 0), (PID | 1 << 32, 9), (PID + 1, 0), (1, 1), (1, 0), (1, 1 << 3), (0x003D0F00, 0), (0x00010000, 0),
    (0x10000000 | 17, 0), (0x00010000 | 0x20000000, 0), (0x80, 0), (17, 0), (ALL_ONES, ALL_ONES), (PID, PID, 9),
    (PID, PID, 6), (PID + 1, PID, 6),
]  # fmt: skip
"""Of calls: pids, orders to seccomp, flags of threads, of namespaces and of neither; last, numbers of signals."""
OTHERS = {
    "i386": 0x40000003, "32-bit Arm": 0x40000028, "riscv64": 0xC00000F3, "s390x": 0x80000016, "none": 0,
    "big-endian aarch64": 0x800000B7,
}  # fmt: skip
"""AUDIT_ARCH_… of other ways into the kernel."""


def answer(program: bytes, call: int, architecture: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would do with a call: its rules of classic BPF, as far as seccomp takes them."""
    data = struct.pack("=iIQ6Q", call, architecture, 0, *[*arguments, *[0] * 6][:6])
    code = list(INSTRUCTION.iter_unpack(program))
    at = accumulator = 0
    while True:
        instruction, true, false, constant = code[at]
        at += 1
        if instruction == GIVE:
            return int(constant)
        if instruction == LOAD:
            assert constant % 4 == 0
            (accumulator,) = struct.unpack_from("=I", data, constant)
            continue
        holds = {
            EQUAL: accumulator == constant, AT_LEAST: accumulator >= constant, ANY_BIT: bool(accumulator & constant),
        }[instruction]  # fmt: skip
        at += true if holds else false


def runner(call: str, first: int = 0, second: int = 0, third: int = 0, *, loading: bool) -> int:
    """What `of_runner` is meant to do."""
    if call in CALM or (loading and call in LOADING):
        return ALLOW
    if call == "tgkill":
        return ALLOW if first & 0xFFFFFFFF == PID and third != 9 else KILL
    if call == "seccomp" and loading and (first & 0xFFFFFFFF, second & 0xFFFFFFFF) == (1, 1):
        return ALLOW
    return KILL if call in HOSTILE else REFUSE


def without_children(call: str, first: int = 0, second: int = 0, third: int = 0, *, talk: tuple[str, ...]) -> int:
    """What `of_gpu_runner` and `of_probe` are meant to do."""
    first &= 0xFFFFFFFF
    if call == "tgkill":
        return ALLOW if first == PID and third != 9 else KILL
    if call == "prlimit64":
        return ALLOW if first in (0, PID) else REFUSE
    if call == "clone3":
        return UNKNOWN
    if call == "clone":
        return ALLOW if first & 0x00010000 else KILL
    if call in ("rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"):
        return KILL
    return KILL if call in HOSTILE and call not in talk else ALLOW


def command(call: str, first: int = 0, *others: int, signals: bool) -> int:
    """What `of_command` is meant to do."""
    if call == "clone3":
        return UNKNOWN
    namespaces = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x80
    if call == "clone" and first & namespaces:
        return REFUSE
    return REFUSE if call in REFUSED or (signals and call in SIGNALS) else ALLOW


Program = Callable[[str], bytes]
Meant = Callable[..., int]
TALK = ("socket", "connect", "sendto", "sendmsg")
FILTERS: dict[str, tuple[Program, Meant]] = {
    "loading": (lambda m: of_runner(m, PID, loading=True), lambda c, *a: runner(c, *a, loading=True)),
    "loaded": (lambda m: of_runner(m, PID, loading=False), lambda c, *a: runner(c, *a, loading=False)),
    "gpu": (lambda m: of_gpu_runner(m, PID), lambda c, *a: without_children(c, *a, talk=("connect",))),
    "probe": (lambda m: of_probe(m, PID), lambda c, *a: without_children(c, *a, talk=TALK)),
    "command": (lambda m: of_command(m, signals=False), lambda c, *a: command(c, *a, signals=False)),
    "alone": (lambda m: of_command(m, signals=True), lambda c, *a: command(c, *a, signals=True)),
}
every_filter = pytest.mark.parametrize("name", FILTERS)
every_machine = pytest.mark.parametrize("machine", ARCHITECTURES)


@every_machine
@every_filter
def test_exactly_what_the_lists_name_is_allowed_refused_and_killed(name: str, machine: str) -> None:
    make, meant = FILTERS[name]
    program, names = make(machine), {n: call for call, n in NUMBERS[machine].items()}
    for call in range(1024):
        for arguments in ARGUMENTS if call in names else ARGUMENTS[:1]:
            seen = answer(program, call, ARCHITECTURES[machine], arguments)
            assert seen == meant(names.get(call, ""), *arguments), (call, names.get(call), arguments)


@every_machine
@every_filter
def test_numbers_that_mean_nothing_or_another_way_in_kill(name: str, machine: str) -> None:
    program = FILTERS[name][0](machine)
    for call in (*range(X32, X32 + 1024), 2**31 - 1, *range(-1024, 0), -(2**31)):
        assert answer(program, call, ARCHITECTURES[machine]) == KILL
    for other in {*OTHERS.values(), *ARCHITECTURES.values()} - {ARCHITECTURES[machine]}:
        assert {answer(program, call, other) for call in range(-1, 1024)} == {KILL}


def test_a_number_is_another_call_on_another_architecture() -> None:
    of = {machine: of_runner(machine, PID, loading=False) for machine in ARCHITECTURES}
    told = {m: {n: answer(of[m], n, ARCHITECTURES[m]) for n in (0, 1, 57, 63, 222, 220)} for m in of}
    assert told["x86_64"] == {0: ALLOW, 1: ALLOW, 57: KILL, 63: REFUSE, 222: REFUSE, 220: REFUSE}
    assert told["aarch64"] == {0: REFUSE, 1: REFUSE, 57: ALLOW, 63: ALLOW, 222: ALLOW, 220: KILL}


HEADERS = {"x86_64": "x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}


@every_machine
def test_the_table_is_the_kernels(machine: str) -> None:
    header = Path("/usr/include", HEADERS[machine])
    if not header.is_file():
        pytest.skip(f"no {header} here")
    defined = dict(re.findall(r"#define (__NR(?:3264)?_\w+)\s+(\w+)", header.read_text()))
    values = {name: defined.get(value, value) for name, value in defined.items()}
    of_kernel = {name[5:]: int(n) for name, n in values.items() if name.startswith("__NR_") and n.isdecimal()}
    newest = max(of_kernel[name] for name in NUMBERS[machine] if name in of_kernel)
    for name in {name for column in NUMBERS.values() for name in column}:
        ours = NUMBERS[machine].get(name)
        assert ours == of_kernel.get(name) or (ours or 0) > newest, name


def test_where_aarch64_lacks_a_call_the_lists_name_the_one_that_replaced_it() -> None:
    replaced = {"access": "faccessat", "readlink": "readlinkat", "fork": "clone", "vfork": "clone"}
    for names in (CALM, LOADING, HOSTILE, SIGNALS, REFUSED):
        lacked = [name for name in names if number(name, "aarch64") is None and name != "arch_prctl"]
        assert all(replaced[name] in names for name in lacked)


def test_newer_calls_have_one_number_everywhere_and_older_ones_none_on_other_machines() -> None:
    assert number("landlock_restrict_self", "riscv64") == number("landlock_restrict_self", "aarch64") == 446
    assert number("seccomp", "riscv64") is None
    assert all(n < SAME_EVERYWHERE or NUMBERS["aarch64"][name] == n for name, n in NUMBERS["x86_64"].items())
    with pytest.raises(KeyError):
        number("no_such_call", "riscv64")


def test_the_first_rule_that_fits_decides() -> None:
    both = (Argument(0, 7), Argument(5, 0b110, any_bit=True))
    program = assemble("aarch64", [Rule("read", 1, both), Rule("read", 2, (Argument(2, 9),)), Rule("read", 3)], 4)
    calls = [(7, 0, 0, 0, 0, 2), (7, 0, 0, 0, 0, 9), (7, 0, 9, 0, 0, 1), (8, 0, 9, 0, 0, 2), (0, 0, 0, 0, 0, 0)]
    told = [answer(program, 63, ARCHITECTURES["aarch64"], arguments) for arguments in calls]
    assert told == [1, 3, 2, 2, 3]
    assert answer(program, 64, ARCHITECTURES["aarch64"], calls[0]) == 4


def in_child(code: str, *arguments: object, expects: int = 0) -> str:
    """What a process of its own prints, which a filter may end."""
    boot = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\nfrom avo.sandbox import bpf, confine, seccomp\n"
    run = [sys.executable, "-c", f"{boot}confine.libc.prctl(38, 1, 0, 0, 0)\n{code}", *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == expects, done.stderr
    return done.stdout


@filtered
def test_the_kernel_takes_every_program_and_kills_what_is_of_another_architecture() -> None:
    for make, _ in FILTERS.values():
        program = make(next(machine for machine in ARCHITECTURES if machine != MACHINE))
        in_child("seccomp.install(bytes.fromhex(sys.argv[1]))", program.hex(), expects=-signal.SIGSYS)


@filtered
def test_a_runner_opens_files_until_its_candidate_is_loaded_and_no_longer() -> None:
    code = """
def opens():
    try:
        open("/dev/null").close()
        return True
    except PermissionError:
        return False
seccomp.forbid_system_calls(loading=True, unsafe=False)
print(opens())
seccomp.forbid_system_calls(loading=False, unsafe=False)
print(opens(), flush=True)
"""
    assert in_child(code).split() == ["True", "False"]


OPENS = b"""
#include "avo_abi.h"
#include <errno.h>
#include <fcntl.h>
extern "C" int avo_launch(const avo_args*, void*) { return open("/dev/null", O_RDONLY) < 0 ? 100 + errno : 0; }
"""


@filtered
def test_a_launch_that_opens_a_file_is_refused_by_the_filter_before_landlock_is_asked(executor: LocalExecutor) -> None:
    verdict = executor.evaluate({"matvec.cpp": OPENS})
    assert verdict.reason.startswith(f"avo_launch returned {100 + errno.EPERM}"), verdict.reason


@filtered
@pytest.mark.parametrize("forbid", ["forbid_new_processes", "forbid_children"])
def test_threads_that_were_there_before_are_under_the_filter_too(forbid: str) -> None:
    code = f"""
import os, threading
ready = threading.Event()
thread = threading.Thread(target=lambda: ready.wait() and os.fork())
thread.start()
seccomp.{forbid}(unsafe=False)
print("begun", flush=True)
ready.set()
thread.join()
print("alive", flush=True)
"""
    assert in_child(code, expects=-signal.SIGSYS) == "begun\n"


@filtered
@pytest.mark.parametrize("forbid", ["forbid_new_processes", "forbid_children"])
def test_a_candidate_on_a_gpu_changes_no_limit_but_its_own(forbid: str) -> None:
    code = f"""
import os, resource
seccomp.{forbid}(unsafe=False)
for pid in (0, os.getpid(), os.getppid()):
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        print("changed")
    except PermissionError:
        print("refused")
"""
    assert in_child(code).split() == ["changed", "changed", "refused"]


@filtered
@pytest.mark.parametrize("call", ["rt_sigqueueinfo", "rt_tgsigqueueinfo"])
def test_a_queued_signal_kills_who_sends_it(call: str) -> None:
    code = """
import ctypes, os, struct
from avo.sandbox.syscalls import number
seccomp.forbid_new_processes(unsafe=False)
info = ctypes.create_string_buffer(struct.pack("=iii", 0, 0, -1), 128)
pid = os.getppid()
target = (pid,) if sys.argv[1] == "rt_sigqueueinfo" else (pid, pid)
print(confine.libc.syscall(number(sys.argv[1]), *target, 0, info), flush=True)
"""
    assert in_child(code, call, expects=-signal.SIGSYS) == ""


WITHOUT = """
import os, json
from pathlib import Path
if sys.argv[1] == "another architecture":
    confine.libc.personality(8)  # PER_LINUX32: from here on the kernel gives a 32-bit name, as setarch(8) has it
else:
    refused = bpf.Rule("seccomp", bpf.error(38))
    seccomp.install(bpf.assemble(os.uname().machine, [refused], bpf.ALLOW))
os.execv(sys.executable, [sys.executable, "-c", sys.argv[2], *sys.argv[3:]])
"""
EVALUATES = """
import json, os, sys, tempfile
from pathlib import Path
from avo.scenarios.loader import load
from avo.tools.score.executor import LocalExecutor
from avo.tools.build.builder import build
from avo.tools.instruments.harness import probe
from avo.tools.build.seeds import seed_sources
from avo.types import Missing
tiny = load(sys.argv[1])
executor, files, told = LocalExecutor(tiny, "cpu"), seed_sources(tiny, "cpu"), []
for unsafe in ("0", "1"):
    os.environ["AVO_UNSAFE_RUNNER"] = unsafe
    try:
        verdict = executor.evaluate(files)
        told.append([verdict.status, verdict.unisolated])
    except Missing as missing:
        told.append(str(missing))
    with tempfile.TemporaryDirectory() as folder:
        try:
            built = executor.build(files)
            probe(Path(folder), tiny, "cpu", built, tiny.timed("cpu"), warm=0, watched=1)
            told.append("probed")
        except Missing as missing:
            told.append(str(missing))
print(json.dumps(told))
"""


@pytest.mark.slow
@filtered
@pytest.mark.parametrize(
    ("system", "lacks"),
    [
        ("another architecture", "there is no filter of system calls for "),
        ("no seccomp", "this kernel grants no filter of system calls (Function not implemented)"),
    ],
)
def test_without_a_filter_no_candidate_runs_unless_the_user_says_so(system: str, lacks: str) -> None:
    refused, unprobed, (status, unisolated), probed = json.loads(in_child(WITHOUT, system, EVALUATES, TINY))
    assert refused.startswith(f"the runner of candidates does not start: {lacks}")
    assert unprobed.startswith(lacks)
    for line in (refused, unprobed):
        assert line.endswith("; AVO_UNSAFE_RUNNER=1 runs candidates without one")
        assert "\n" not in line
    assert (status, probed) == ("PASSED", "probed")
    assert unisolated.startswith(lacks)
