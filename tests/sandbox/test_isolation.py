"""The sandbox keeps what `avo doctor` says of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from avo.sandbox.isolation import MEASURES, measures_in_force
from avo.sandbox.seccomp import lacking
from avo.settings import PACKAGE
from avo.tools.shell import shell
from avo.tools.workspace import Workspace

FILTERED = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from avo.sandbox import confine, seccomp
confine.libc.prctl(confine.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
seccomp.forbid_new_processes(unsafe=False)
thread = threading.Thread(target=lambda: print("a thread", flush=True))
thread.start()
thread.join()
if sys.argv[2] == "fork":
    os.fork()
print("alive", flush=True)
"""


@pytest.mark.skipif(bool(lacking()), reason=lacking())
@pytest.mark.parametrize(("does", "ends", "says"), [("nothing", 0, "a thread\nalive\n"), ("fork", -31, "a thread\n")])
def test_the_runner_of_a_gpu_may_start_threads_but_no_process(does: str, ends: int, says: str) -> None:
    command = [sys.executable, "-c", FILTERED, str(PACKAGE.parent), does]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (ends, says), done.stderr


READS = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from avo.sandbox import confine
confine.hide()
child = '''
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from avo.sandbox import confine
threading.Thread(target=threading.Event().wait, daemon=True).start()  # as the driver of a GPU does
confine.enter(confine.Policy(read=("/proc",)))
for name in ("environ", "mem", "maps"):
    try:
        print(name, "read", open(f"/proc/{os.getppid()}/{name}", "rb").read(1))
    except OSError:
        print(name, "refused")
'''
subprocess.run([sys.executable, "-c", child, sys.argv[1]], check=True)
"""


def test_a_child_that_may_read_proc_does_not_see_the_variables_of_avo() -> None:
    command = [sys.executable, "-c", READS, str(PACKAGE.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["environ refused", "mem refused", "maps refused"]


def test_only_known_measures_are_named() -> None:
    assert set(measures_in_force()) <= set(MEASURES)
    assert "limits" in measures_in_force()


REFUSES = """
import sys
sys.path.insert(0, sys.argv[1])
from avo.sandbox import bpf, confine, isolation, seccomp, syscalls
confine.libc.prctl(confine.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
refused = [bpf.Rule(call, seccomp.REFUSE) for call in sys.argv[2:]]
seccomp.install(bpf.assemble(syscalls.MACHINE, refused, bpf.ALLOW))
print(*isolation.measures_in_force())
"""
UNSHARE, LANDLOCK, SECCOMP = "unshare", "landlock_create_ruleset", "seccomp"


@pytest.mark.skipif(bool(lacking()), reason=lacking())
@pytest.mark.parametrize(
    ("refused", "missing"),
    [
        ([UNSHARE], {"namespaces", "read_only", "shell_root", "shell_disk"}),
        ([LANDLOCK], {"landlock"}),
        ([UNSHARE, LANDLOCK], {measure for measure in MEASURES if measure.startswith("shell")} | {"landlock"}),
        ([SECCOMP], {measure for measure in MEASURES if measure.startswith(("shell", "seccomp"))}),
    ],
    ids=["no namespaces", "no Landlock", "neither", "no seccomp"],
)
def test_a_measure_that_the_system_refuses_is_not_claimed(refused: list[str], missing: set[str]) -> None:
    command = [sys.executable, "-c", REFUSES, str(PACKAGE.parent), *refused]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = set(done.stdout.split())
    assert "limits" in told
    assert not told & missing
    if set(measures_in_force()) == set(MEASURES) and len(refused) == 1:
        assert told == set(MEASURES) - missing


@pytest.mark.skipif("read_only" not in measures_in_force(), reason="this system grants no mounts of its own")
def test_the_shell_changes_no_mode_and_no_time_of_a_file_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("x")
    before = victim.stat()
    journal = workspace.work_tree.parent / "avo.db"
    command = f"chmod 777 {victim}; touch -d 2001-01-01 {victim}; chmod 000 {journal}; chmod 755 matvec.cpp && echo own"
    answer = asyncio.run(shell(workspace, command))
    assert answer.rstrip().endswith("own")
    after = victim.stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)
    assert journal.stat().st_mode & 0o600
