"""A cell holds a hostile command, with all that this system grants and with parts of it taken away."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from avo.sandbox.isolation import measures_in_force
from avo.sandbox.process import Ends, kill_all
from avo.sandbox.process_tree import descendants
from avo.sandbox.seccomp import lacking
from avo.settings import PACKAGE
from avo.tools.shell import Limits, in_cell, toolchain
from avo.types import ToolError

REACH = (Path(__file__).parents[1] / "hostile" / "reach.cxx").read_text()
OWN = f"8642.{os.getpid()}"
"""What no process of another test run sleeps for."""
UNSHARE, LANDLOCK, SECCOMP = "unshare", "landlock_create_ruleset", "seccomp"
LESS = {"everything": (), "no namespaces": (UNSHARE,), "no Landlock": (LANDLOCK,)}
"""Systems that a command has to be held on: which calls the kernel refuses."""
RUNS = """
import json, sys
from pathlib import Path
from avo.sandbox import bpf, confine, seccomp, syscalls
from avo.tools import shell
order = json.loads(sys.argv[1])
if order["refused"]:
    confine.libc.prctl(confine.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    refused = [bpf.Rule(call, seccomp.REFUSE) for call in order["refused"]]
    seccomp.install(bpf.assemble(syscalls.MACHINE, refused, bpf.ALLOW))
try:
    done, left = shell.in_cell(
        Path(order["tree"]), order["command"], order["seconds"], shell.Limits(**order["limits"])
    )
except shell.ToolError as error:
    print(json.dumps({"refused": str(error)}))
else:
    print(json.dumps({"code": done.code, "output": done.output, "killed": done.killed, "timed_out": done.timed_out}))
"""

granted = measures_in_force()
held = pytest.mark.skipif("shell" not in granted, reason="this system has neither namespaces nor Landlock")
counted = pytest.mark.skipif("shell_processes" not in granted, reason="this system does not bound processes")
taken_away = pytest.mark.skipif(bool(lacking()), reason=lacking())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.cpp").write_text("int a;\n")
    return folder


def on_less(tree: Path, command: str, less: str, seconds: int = 20, **limits: int) -> dict[str, Any]:
    """The command on a system with less, in a process of its own."""
    refused = {**LESS, "neither": (UNSHARE, LANDLOCK), "no filter": (SECCOMP,)}[less]
    order = {"refused": refused, "tree": str(tree), "command": command, "seconds": seconds, "limits": limits}
    boot = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{RUNS}"
    done = subprocess.run([sys.executable, "-c", boot, json.dumps(order)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@contextmanager
def listening(tmp_path: Path) -> Iterator[tuple[int, str, str]]:
    """A TCP port, a socket's path and an abstract name that answer."""
    path, name = str(tmp_path / "s"), f"avo-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as plain,
        socket.socket(socket.AF_UNIX) as abstract,
    ):  # fmt: skip
        plain.bind(path)
        abstract.bind(f"\0{name}\0")
        for server in (plain, abstract):
            server.listen()
        os.chmod(path, 0o777)  # noqa: PTH101
        yield tcp.getsockname()[1], path, name


def alive(argument: str) -> bool:
    """Whether a process with that argument is there, looked for a while because a kill takes its time."""
    for _ in range(100):
        found = False
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found = found or argument.encode() in path.read_bytes().split(b"\0")
            except OSError:
                continue
        if not found:
            return False
        time.sleep(0.05)
    return True


@held
@taken_away
@pytest.mark.parametrize("less", LESS)
def test_a_program_reaches_nobody_and_nothing_of_it_stays(tree: Path, tmp_path: Path, less: str) -> None:
    with listening(tmp_path) as (port, path, name), subprocess.Popen(["sleep", f"{OWN}0"]) as bystander:
        arguments = f"{port} {path} {name} {bystander.pid} {OWN}1"
        command = f"cat > reach.cxx <<'END'\n{REACH}\nEND\nc++ -o reach reach.cxx && ./reach {arguments}"
        answer = on_less(tree, command, less)
        bystander.kill()
    assert answer["output"].rstrip().endswith("end"), answer
    told = dict(line.split(": ") for line in answer["output"].splitlines() if ": " in line)
    assert len(told) == 13, answer
    assert [way for way, how in told.items() if how == "reached"] == []
    assert not alive(f"{OWN}1")


@held
@taken_away
@pytest.mark.parametrize("less", LESS)
def test_no_signal_reaches_avo_or_anybody_else(tree: Path, less: str) -> None:
    with subprocess.Popen(["sleep", f"{OWN}7"]) as bystander:
        command = f"echo begun; kill -9 {bystander.pid}; kill -9 {os.getpid()}; kill -9 $PPID; kill -9 0"
        answer = on_less(tree, command, less)  # which would not come if it had reached its avo
        still_there = bystander.poll() is None
        bystander.kill()
    assert answer["output"].startswith("begun\n")
    assert still_there


@held
@taken_away
@pytest.mark.parametrize("less", LESS)
def test_nothing_elsewhere_is_read_or_written(tree: Path, tmp_path: Path, less: str) -> None:
    (tmp_path / "secret").write_text("a-planted-secret")
    command = f"""
        cat {tmp_path}/secret /etc/shadow /etc/passwd /proc/*/environ; ls -A ~ /root /home {tree} {PACKAGE}
        for place in {tmp_path} {tree} {PACKAGE} /tmp /dev/shm /var/tmp /usr /etc; do echo x > $place/avo-test-x; done
        ln -s {tmp_path}/secret link; cat link; ln {tmp_path}/secret hard; cat hard; echo; echo the end"""
    answer = on_less(tree, command, less)
    assert answer["output"].rstrip().endswith("the end")
    assert "a-planted-secret" not in answer["output"]
    assert "root:" not in answer["output"]
    assert "settings.py" not in answer["output"]
    for place in (tmp_path, tree, PACKAGE, "/tmp", "/dev/shm", "/var/tmp", "/usr", "/etc"):
        assert not Path(place, "avo-test-x").exists()


@held
@taken_away
@counted
@pytest.mark.parametrize("less", LESS)
def test_a_fork_bomb_is_bounded_and_over_with_the_call(tree: Path, less: str) -> None:
    argument = f"{OWN}2"
    bomb = f"bomb() {{ sleep {argument} & bomb | bomb & }}; bomb; sleep 100"
    answer = on_less(tree, bomb, less, 2, processes=50)
    assert answer["timed_out"] or answer["code"] != 0
    assert "annot fork" in answer["output"]
    assert not alive(argument)


@held
@taken_away
@pytest.mark.parametrize("less", LESS)
@pytest.mark.parametrize(
    "fills", ["cat /dev/zero > x", "i=0; while true; do i=$((i+1)); : > f$i || exit 1; done"], ids=["bytes", "files"]
)
def test_the_disk_is_not_filled(tree: Path, tmp_path: Path, less: str, fills: str) -> None:
    free = os.statvfs(tmp_path).f_bavail
    answer = on_less(tree, fills, less, 30, disk=20 << 20, files=5000)
    full = "No space left on device" in answer["output"] or answer["killed"] == "it wrote more than 20 MB or 5000 files"
    assert full or "File size limit exceeded" in answer["output"], answer
    assert not answer["timed_out"]
    assert free - os.statvfs(tmp_path).f_bavail < (2 << 30) // os.statvfs(tmp_path).f_frsize
    assert [path.name for path in tree.iterdir()] == ["a.cpp"]


@held
def test_memory_of_all_processes_together_is_bounded(tree: Path) -> None:
    hoard = "(head -c 200000000 /dev/zero; sleep 60) | tail -c 190000000 > x & "
    done, _ = in_cell(tree, hoard * 3 + "wait", 40, Limits(memory=300 << 20))
    assert done.killed == "it took more than 300 MB of memory"
    assert not done.timed_out


@held
def test_memory_of_one_process_is_bounded(tree: Path) -> None:
    done, _ = in_cell(tree, "head -c 200000000 /dev/zero | tail -c 190000000", 40, Limits(process_memory=100 << 20))
    assert "memory exhausted" in done.output


@held
def test_output_without_end_is_kept_by_head_and_tail(tree: Path) -> None:
    done, _ = in_cell(tree, "echo first; head -c 2000000000 /dev/zero; echo last", 60)
    assert done.output.startswith("first\n")
    assert done.output.endswith("last\n")
    assert "bytes left out" in done.output
    assert len(done.output) < 200_000


def test_the_ends_of_a_stream_take_no_more_room_when_it_is_long() -> None:
    ends = Ends(10, 5)
    for number in range(100_000):
        ends.add(f"{number:010}".encode() * 100)
    assert str(ends) == "0000000000\n[... 99999985 bytes left out ...]\n99999"
    assert sum(len(part) for part in (ends._head, ends._tail)) < 4 << 20
    short = Ends(10, 5)
    short.add(b"0123456789abcde")
    assert str(short) == "0123456789abcde"


@taken_away
def test_without_both_the_shell_is_off(tree: Path) -> None:
    answer = on_less(tree, "echo > b.h", "neither")
    assert answer == {
        "refused": "the shell is off: this system has neither namespaces nor Landlock to keep a command in"
    }
    assert not (tree / "b.h").exists()


@held
@taken_away
def test_without_a_filter_of_system_calls_the_shell_is_off(tree: Path) -> None:
    lacks = "this kernel grants no filter of system calls (Operation not permitted)"
    assert on_less(tree, "echo > b.h", "no filter") == {"refused": f"the shell is off: {lacks}"}
    assert not (tree / "b.h").exists()


@held
@pytest.mark.parametrize(
    "escape",
    [
        "cd ..; rm -rf tree; ln -s / tree",
        "cd ..; rm -rf tree; ln -s {outside} tree",
        "cd ..; mv tree x; echo > tree",
        "rm a.cpp; ln -s {outside}/secret.h a.cpp; ln -s {outside} parts; ln {outside}/secret.h b.h; mkfifo f.h",
        "mkdir .git; echo x > .git/x.h; mkdir parts; ln -s ../.git parts/git; mkdir .GIT; echo x > .GIT/x.h",
        "mkdir parts; chmod 000 parts",
    ],
)
def test_what_is_taken_over_comes_from_nowhere_else(tree: Path, tmp_path: Path, escape: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.h").write_text("a-planted-secret")
    try:
        in_cell(tree, escape.format(outside=outside), 20)
    except ToolError as error:
        assert "nothing was taken over" in str(error)  # noqa: PT017
    for path in tree.rglob("*"):
        assert path.is_file()
        assert not path.is_symlink()
        assert "a-planted-secret" not in path.read_text()
        assert path.suffix in (".cpp", ".h")
    assert not (tree / ".git").exists()


@held
def test_more_sources_than_a_candidate_may_have_are_not_taken_over(tree: Path) -> None:
    with pytest.raises(ToolError, match="more than 256 sources; nothing was taken over"):
        in_cell(tree, "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo > f$i.h; done", 20)
    assert [path.name for path in tree.iterdir()] == ["a.cpp"]


@held
def test_the_compiler_of_a_gpu_and_its_disassembler_work(tree: Path) -> None:
    folders, path = toolchain("sm_90a")
    if not folders:
        pytest.skip("there is no nvcc here")
    (tree / "a.cu").write_text("__global__ void one(float* x) { x[threadIdx.x] += 1; }\n")
    command = f"{path}nvcc -arch=sm_90a -cubin -o a.cubin a.cu && cuobjdump -sass a.cubin"
    done, _ = in_cell(tree, command, 120, tools=folders)
    if "shell_root" in granted:  # with a /proc of its own: cuobjdump looks for itself there
        assert done.code == 0, done.output
        assert "Function : _Z3onePf" in done.output


def test_descendants_are_found_over_sessions() -> None:
    with subprocess.Popen(["sh", "-c", f"setsid sleep {OWN}5 & sleep {OWN}6"]) as child:
        while len(descendants(child.pid)) < 2:
            time.sleep(0.01)
        found = descendants(child.pid)
        child.kill()
    for pid in found:
        os.kill(pid, 9)
    assert len(found) == 2
    assert kill_all() == 0
