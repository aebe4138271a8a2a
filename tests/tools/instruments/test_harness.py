"""Instruments watch a candidate in a child that has no keys, no network and no other files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from avo.sandbox.isolation import measures_in_force
from avo.sandbox.process import Finished
from avo.sandbox.seccomp import lacking
from avo.scenarios.loader import Scenario
from avo.settings import PACKAGE
from avo.tools.build.builder import build
from avo.tools.build.sources import Sources
from avo.tools.instruments import harness
from avo.tools.instruments.harness import (
    Cage,
    Unread,
    borne,
    find,
    probe,
    source_line,
    watch_on_cpu,
    watch_on_gpu,
    why_not,
)
from avo.tools.instruments.instrument_sandbox import LEVELS
from avo.tools.instruments.probe import LAUNCHED, NOT_FILTERED, REFUSED

ISOLATED = {"namespaces", "landlock"} <= set(measures_in_force())
filtered = pytest.mark.skipif(bool(lacking()), reason=lacking())
needs_isolation = pytest.mark.skipif(not ISOLATED, reason="this kernel grants no namespaces or no Landlock")


def probed(tiny: Scenario, files: Sources, folder: Path) -> Finished:
    """A probe of the only timed case, without an instrument."""
    built = build(files, tiny, "cpu", folder / "build")
    orders = probe(folder, tiny, "cpu", built, tiny.timed("cpu"), warm=1, watched=3)
    return watch_on_cpu(orders, folder, built, 20)


def launcher(body: str) -> Sources:
    return {"matvec.cpp": f'#include "avo_abi.h"\n#include <stdio.h>\n#include <stdlib.h>\n{body}'.encode()}


def test_a_probe_launches_with_the_inputs_of_the_scenario(tiny: Scenario, tmp_path: Path) -> None:
    body = """
    static int calls;
    extern "C" int avo_launch(const avo_args* a, void*) {
        double sum = 0;
        for (int64_t i = 0; i < a->R * a->C; i++) sum += a->a[i] * a->a[i];
        a->y[a->R - 1] = 1;
        printf("%d %lld %lld %.3f\\n", ++calls, (long long)a->R, (long long)a->C, sum / (a->R * a->C));
        fflush(stdout);
        return 0;
    }"""
    done = probed(tiny, launcher(body), tmp_path)
    assert done.code == 0
    *lines, last = [line.split() for line in done.output.splitlines()]
    assert " ".join(last) == LAUNCHED
    assert [line[0] for line in lines] == ["1", "2", "3", "4"]
    assert {(line[1], line[2]) for line in lines} == {("128", "4096")}
    assert float(lines[0][3]) == pytest.approx(1, abs=0.1)  # randn


def test_a_candidate_that_refuses_is_told_by_its_answer(tiny: Scenario, tmp_path: Path) -> None:
    done = probed(tiny, launcher('extern "C" int avo_launch(const avo_args*, void*) { return 7; }'), tmp_path)
    assert done.code == REFUSED
    assert why_not(done) == f"probe: avo_launch returned 7 in case wide (exit code {REFUSED})"


@pytest.mark.parametrize(
    "crime", ["fork();", "kill(getppid(), SIGKILL);", "socket(AF_INET, SOCK_STREAM, 0);", 'system("true");']
)
def test_a_hostile_candidate_gets_no_further_than_in_the_judges_runner(
    crime: str, tiny: Scenario, tmp_path: Path
) -> None:
    headers = "#include <signal.h>\n#include <sys/socket.h>\n#include <unistd.h>\n"
    body = f'extern "C" int avo_launch(const avo_args*, void*) {{ {crime} puts("done"); fflush(stdout); return 0; }}'
    done = probed(tiny, launcher(headers + body), tmp_path)
    assert done.code == -signal.SIGSYS
    assert "done" not in done.output


def test_no_key_reaches_an_instrument(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for level in LEVELS:
        done = watch_on_gpu(["/usr/bin/env"], tmp_path, Cage(level, "GPU-1", "cpu"), 20)
        assert "secret" not in done.output
        if "cage:" not in done.output:
            assert "CUDA_VISIBLE_DEVICES=GPU-1" in done.output


@needs_isolation
def test_in_a_namespace_there_is_a_loopback_and_nothing_else(tmp_path: Path) -> None:
    talk = (
        "import socket; s = socket.create_server(('127.0.0.1', 0));"
        "c = socket.create_connection(s.getsockname(), 5); print('talked');"
        "print(socket.socket().connect_ex(('127.0.0.1', {port})))"
    )
    with socket.create_server(("127.0.0.1", 0)) as outside:
        command = [sys.executable, "-I", "-S", "-c", talk.format(port=outside.getsockname()[1])]
        inside, refused = watch_on_gpu(command, tmp_path, Cage("namespaces", "", "cpu"), 20).output.split()
    assert inside == "talked"
    assert refused != "0"


@needs_isolation
@pytest.mark.parametrize("level", [level for level in LEVELS if not level.startswith("limits")])
def test_in_a_cage_only_its_folder_can_be_written(level: str, tmp_path: Path) -> None:
    (tmp_path / "cage").mkdir()
    for path, written in ((tmp_path / "cage" / "own", True), (tmp_path / "other", False)):
        watch_on_gpu(["/bin/sh", "-c", f"echo x > {path}"], tmp_path / "cage", Cage(level, "", "cpu"), 20)
        assert path.is_file() == written


UNFILTERED = f"""
import json, os, sys
sys.path.insert(0, {str(PACKAGE.parent)!r})
from avo.sandbox import bpf, confine, seccomp, syscalls
confine.libc.prctl(38, 1, 0, 0, 0)
seccomp.install(bpf.assemble(syscalls.MACHINE, [bpf.Rule("seccomp", seccomp.REFUSE)], bpf.ALLOW))
os.execv(sys.argv[1], sys.argv[1:])
"""


@filtered
@pytest.mark.parametrize("unsafe", ["", "1"])
def test_a_probe_without_a_filter_loads_no_candidate_unless_the_user_says_so(
    unsafe: str, tiny: Scenario, seed: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVO_UNSAFE_RUNNER", unsafe)
    built = build(seed, tiny, "cpu", tmp_path / "build")
    orders = probe(tmp_path, tiny, "cpu", built, tiny.timed("cpu"), warm=0, watched=1)
    done = subprocess.run([sys.executable, "-c", UNFILTERED, *orders], capture_output=True, text=True, check=False)
    lacks = "probe: this kernel grants no filter of system calls (Operation not permitted); AVO_UNSAFE_RUNNER=1"
    assert done.returncode == (0 if unsafe else NOT_FILTERED)
    assert done.stderr.startswith(LAUNCHED if unsafe else lacks)


@filtered
@pytest.mark.parametrize(
    ("deed", "allowed"),
    [
        ("import threading; t = threading.Thread(target=print); t.start(); t.join()", True),
        ("import socket; a, b = socket.socketpair(); a.send(b'x'); a.sendmsg([b'y'])", True),
        ("os.kill(os.getppid(), 0)", False),
        ("os.fork()", False),
        ("os.posix_spawn('/bin/true', ['true'], {})", False),
        ("os.system('true')", False),
        ("os.execv('/bin/true', ['true'])", False),
        ("import signal; signal.raise_signal(signal.SIGURG)", True),
    ],
)
def test_a_process_that_may_have_no_children_has_none(deed: str, allowed: bool) -> None:
    setup = f"import os, sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); from avo.sandbox import confine, seccomp;"
    run = "confine.libc.prctl(38, 1, 0, 0, 0); seccomp.forbid_children(unsafe=False);"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"{setup}{run}{deed}; print('done')"], capture_output=True)
    assert done.returncode == (0 if allowed else -signal.SIGSYS), done.stderr
    assert done.stdout.endswith(b"done\n") == allowed


def test_a_cage_ends_with_its_time(tmp_path: Path) -> None:
    done = watch_on_gpu(["/bin/sleep", "60"], tmp_path, Cage("limits", "", "cpu"), 0.5)
    assert done.timed_out
    assert "took longer than" in why_not(done)


@needs_isolation
def test_the_strictest_level_that_an_instrument_bears_is_taken_and_kept(tmp_path: Path) -> None:
    asked = []

    def works(command: list[str], folder: Path, cage: Cage) -> str:
        asked.append(cage.level)
        done = watch_on_gpu(["/bin/sh", "-c", f"echo x > {tmp_path / 'beyond'}"], folder, cage, 20)
        return "" if done.code == 0 else why_not(done)

    try:
        assert borne("writes elsewhere", "cpu", "", works) == LEVELS[2]
        assert asked == [*LEVELS[:3]]
        assert borne("writes elsewhere", "cpu", "", works) == LEVELS[2]
        assert asked == [*LEVELS[:3]]
    finally:
        harness._borne.clear()


@filtered
def test_no_level_that_needs_a_filter_is_claimed_without_one() -> None:
    code = f"""
import sys
sys.path.insert(0, {str(PACKAGE.parent)!r})
from avo.tools.instruments.harness import borne
print(borne("bears all", "cpu", "", lambda command, folder, cage: ""))
"""
    run = [sys.executable, "-c", UNFILTERED, sys.executable, "-c", code]
    variables = os.environ | {"AVO_UNSAFE_RUNNER": "1"}
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=variables)
    assert done.stdout == "namespaces\n", done.stderr


def test_an_instrument_that_works_nowhere_says_why() -> None:
    with pytest.raises(Unread, match=r"^ncu does not work here: no counters \(ERR_X\) \[namespaces, no children\]$"):
        borne("ncu", "cpu", "", lambda _, __, cage: f"no {'counters (ERR_X)' if cage.level == LEVELS[0] else 'driver'}")


def test_refused_counters_are_told_in_one_line() -> None:
    output = "==PROF== Connected\n==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU"
    line = why_not(Finished(1, output, 1.0, False))
    assert "ERR_NVGPUCTRPERM" in line
    assert "NVreg_RestrictProfilingToAdminUsers=0" in line
    assert "\n" not in line


def test_a_user_who_may_not_watch_is_told_in_one_line() -> None:
    output = "Error:\nAccess to performance monitoring is limited.\nsee kernel.perf_event_paranoid\n  -1: Allow all"
    assert why_not(Finished(255, output, 1.0, False)).startswith("kernel.perf_event_paranoid does not let")


def test_a_tool_is_found_on_the_path_or_where_it_is_installed(tmp_path: Path) -> None:
    assert find("sh")
    for version in ("2024.3.0", "2025.3.1"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "no_such_tool").touch()
    assert find("no_such_tool", f"{tmp_path}/*/no_such_tool") == str(tmp_path / "2025.3.1" / "no_such_tool")
    assert find("no_such_tool") == ""


def test_a_source_line_is_found_by_name_and_number() -> None:
    sources = {"parts/work.h": b"one\n  two\n"}
    assert source_line("work.h:2", sources) == "two"
    assert source_line("work.h:3", sources) == ""
    assert source_line("other.h:1", sources) == ""
    assert source_line("", sources) == ""
