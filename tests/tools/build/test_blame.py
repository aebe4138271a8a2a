"""Whose fault it is that nothing is compiled: a machine's is no verdict, and no candidate passes its own off as one."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avo.scenarios.loader import Scenario
from avo.tools.build import compilation
from avo.tools.build.builder import build
from avo.tools.build.compilers import compiler_of, cxx
from avo.tools.build.sources import Sources
from avo.tools.score.executor import LocalExecutor
from avo.types import AvoError, Missing, Rejected, ScenarioError, Status

SLIP = {"a.cpp": b'#include "avo_abi.h"\nextern "C" int avo_launch(const avo_args* a, void*) { return slip; }\n'}
FORGED = rb"\ng++: fatal error: Killed signal terminated program cc1plus\nx: No space left on device\n"
FORGERY = {
    "a.cpp": b'#pragma message "'
    + FORGED.replace(b"\n", b"\\n")
    + b'"\n#line 1 "'
    + FORGED.replace(b"\n", b"\\n")
    + b'"\n'
    b'asm(".print \\"Killed\\"");\n' + SLIP["a.cpp"]
}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def wrapper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A script that stands before the C++ compiler; a test writes into it. It lies where compilers may be read."""
    folder = Path(f"/opt/avo-test-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no folder in /opt can be made, where the sandbox lets compilers be")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield folder / "c++"
    shutil.rmtree(folder)


def write(wrapper: Path, text: str) -> None:
    """Make it a compiler that answers --version, and does `text` else."""
    real = shutil.which("g++") or "/usr/bin/c++"
    wrapper.write_text(f'#!/bin/sh\nREAL={real}\n[ "$1" = --version ] && exec $REAL "$@"\n{text}\n')
    wrapper.chmod(0o755)


def blamed(scenario: Scenario, files: Sources) -> AvoError:
    """The error that is no verdict; it is one line, and nothing is remembered of it."""
    executor = LocalExecutor(scenario, "cpu")
    with pytest.raises(AvoError) as caught:
        executor.build(files)
    assert "\n" not in str(caught.value)
    with pytest.raises(type(caught.value)):
        executor.build(files)
    return caught.value


def with_target(scenario: Scenario, **update: Any) -> Scenario:
    return scenario.model_copy(update={"targets": {"cpu": scenario.target("cpu").model_copy(update=update)}})


def test_a_compiler_that_went_is_missing_and_serves_again_when_it_is_back(
    tiny: Scenario, seed: Sources, wrapper: Path
) -> None:
    wrapper.symlink_to("/usr/bin/c++")
    executor = LocalExecutor(tiny, "cpu")
    with pytest.raises(Rejected):
        executor.build(SLIP)
    assert cxx().path == str(wrapper)
    wrapper.unlink()
    with pytest.raises(Missing, match=rf"^the compiler {re.escape(str(wrapper))} is gone: put it back"):
        executor.build(seed)
    wrapper.symlink_to("/usr/bin/c++")
    assert executor.build(seed).library.is_file()
    assert compiler_of("cpu").path == str(wrapper)


def test_a_compiler_that_is_another_one_now_is_seen(wrapper: Path) -> None:
    write(wrapper, 'exec $REAL "$@"')
    before = cxx().version
    wrapper.write_text("#!/bin/sh\necho another compiler\n")
    assert cxx().version == "another compiler" != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 0", "does not work: it ended with 0 and made no library"),
        (
            "echo 'cc1plus: fatal error: cannot execute: No such file' >&2; exit 1",
            "does not work: cc1plus: fatal error",
        ),
        ('exec $REAL -B /opt/avo-test-$PPID/ -fno-such-option "$@"', "does not work: "),
        ("echo 'x.cpp:1:1: error: an upgrade is under way'; exit 1", "does not work: x.cpp:1:1: error: an upgrade"),
        ('exec /nowhere/g++ "$@"', "does not work: "),
    ],
    ids=["idle", "without its parts", "with an option it does not know", "broken", "empty"],
)
def test_a_compiler_that_compiles_nothing_is_no_verdict(
    tiny: Scenario, seed: Sources, wrapper: Path, text: str, said: str
) -> None:
    write(wrapper, text)
    fault = blamed(tiny, seed)
    assert isinstance(fault, Missing)
    assert str(fault).startswith(f"the compiler {wrapper} ")
    assert said in str(fault)


@pytest.mark.parametrize("part", ["cc1plus", "as", "ld"])
def test_a_part_of_the_compiler_that_is_killed_is_no_verdict(
    tiny: Scenario, seed: Sources, wrapper: Path, part: str
) -> None:
    write(wrapper, f'exec $REAL -B {wrapper.parent}/ "$@"')
    (wrapper.parent / part).write_text("#!/bin/sh\nkill -9 $$\n")
    (wrapper.parent / part).chmod(0o755)
    assert "signal" in str(blamed(tiny, seed))


@pytest.mark.parametrize("victims", [1, 2])
def test_a_compile_that_was_killed_once_is_done_again(
    tiny: Scenario, seed: Sources, wrapper: Path, victims: int
) -> None:
    """By somebody who kills large compiles only, such as a system that is short of memory."""
    write(wrapper, f'exec $REAL -B {wrapper.parent}/ "$@"')
    part = wrapper.parent / "cc1plus"
    real = subprocess.run(["g++", "-print-prog-name=cc1plus"], capture_output=True, text=True, check=True).stdout
    part.write_text(
        f'#!/bin/sh\ncase "$*" in *trial*) ;; *) for n in {" ".join(map(str, range(victims)))}; do\n'
        f'[ -e ./killed$n ] || {{ : > ./killed$n; kill -9 $$; }}; done;; esac\nexec {real.strip()} "$@"\n'
    )
    part.chmod(0o755)
    if victims == 1:
        assert LocalExecutor(tiny, "cpu").build(seed).library.is_file()
    else:
        assert "the compiler is ended by others, perhaps for want of memory" in str(blamed(tiny, seed))


def test_a_full_disk_is_no_verdict(tiny: Scenario, seed: Sources, wrapper: Path) -> None:
    write(wrapper, "echo 'x.s: fatal error: error writing to x.s: No space left on device' >&2; exit 1")
    assert "does not work" in str(blamed(tiny, seed))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d))\n"
        "from avo.scenarios.loader import load; from avo.tools.score.executor import LocalExecutor\n"
        "from avo.tools.build.seeds import seed_sources\n"
        "scenario = load(sys.argv[1]); LocalExecutor(scenario, 'cpu').build(seed_sources(scenario, 'cpu'))"
    )
    for most in (500, 9000):  # bytes of a file: too few for the sources, and for what is made of them
        command = [sys.executable, "-c", code % (most, most), str(tiny.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1].startswith("avo.types.Missing: "), done.stderr
        assert "File too large" in done.stderr.splitlines()[-1]


def test_a_cache_that_cannot_be_written_to_is_no_verdict(
    tiny: Scenario, seed: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AVO_CACHE", str(tmp_path / "file"))
    assert "AVO_CACHE" in str(blamed(tiny, seed))
    monkeypatch.setenv("AVO_CACHE", "/proc/avo")
    assert "AVO_CACHE" in str(blamed(tiny, seed))


def test_too_few_descriptors_are_no_verdict(tiny: Scenario, seed: Sources) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    cxx()
    held = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 2, hard))
    try:
        fault = blamed(tiny, seed)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(held[0])
    assert isinstance(fault, Missing)
    assert "Too many open files" in str(fault)


def test_a_compiler_that_gets_no_time_on_a_busy_machine_is_no_verdict(
    tiny: Scenario, seed: Sources, wrapper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(wrapper, "exec sleep 100")
    monkeypatch.setattr(compilation, "BUSY_SECONDS", 0.2)
    fault = blamed(with_target(tiny, compile_seconds=0.3), seed)
    assert isinstance(fault, Missing)
    assert str(fault).startswith("the machine is busy, or a disk does not answer: within 1 s the compiler got 0.")


def test_a_compiler_that_was_stopped_for_a_while_goes_on(tiny: Scenario, seed: Sources, wrapper: Path) -> None:
    """As on a machine that gives it little: its limit is one of CPU time."""
    write(wrapper, 'sleep 1.5; exec $REAL "$@"')
    assert LocalExecutor(with_target(tiny, compile_seconds=1.2), "cpu").build(seed).library.is_file()


def test_flags_that_no_compiler_takes_are_the_scenarios_fault(tiny: Scenario, seed: Sources) -> None:
    fault = blamed(with_target(tiny, flags=("-O3", "-fno-such-flag-at-all")), seed)
    assert isinstance(fault, ScenarioError)
    assert str(fault).startswith(f"{tiny.path / 'scenario.toml'}: targets.cpu.flags")
    assert "-fno-such-flag-at-all" in str(fault)


@pytest.mark.parametrize("files", [SLIP, FORGERY], ids=["a slip", "one that speaks of a killed compiler"])
def test_an_error_in_the_sources_is_the_candidates(tiny: Scenario, files: Sources, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        build(files, tiny, "cpu", tmp_path / "build")
    assert caught.value.status is Status.COMPILE_ERROR


def test_a_compiler_that_crashes_over_the_sources_is_the_candidates(
    tiny: Scenario, seed: Sources, wrapper: Path, tmp_path: Path
) -> None:
    write(wrapper, 'case "$*" in *trial*) exec $REAL "$@";; esac; kill -SEGV $$')
    with pytest.raises(Rejected) as caught:
        build(seed, tiny, "cpu", tmp_path / "build")
    assert caught.value.status is Status.COMPILE_ERROR


def test_memory_that_a_compile_takes_without_end_is_the_candidates(
    tiny: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation, "LEAST_MEMORY", 256 << 20)
    monkeypatch.setattr(compilation, "MOST_MEMORY", 256 << 20)
    doubled = b"".join(b"#define T%d T%d T%d\n" % (n, n - 1, n - 1) for n in range(1, 30))
    with pytest.raises(Rejected) as caught:
        build({"a.cpp": b"#define T0 1+\n" + doubled + b"int endless = T29 1;\n"}, tiny, "cpu", tmp_path / "build")
    assert caught.value.status is Status.COMPILE_ERROR


def test_what_the_user_stops_is_neither(tiny: Scenario, seed: Sources, wrapper: Path) -> None:
    from avo.sandbox.process import kill_all
    from avo.types import Cancelled

    write(wrapper, "echo > ./begun; exec sleep 100")
    executor, raised = LocalExecutor(tiny, "cpu"), list[BaseException]()

    def work() -> None:
        try:
            executor.build(seed)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not kill_all():
        time.sleep(0.01)
    thread.join(30)
    assert [type(error) for error in raised] == [Cancelled]


@pytest.mark.parametrize("tool", ["readelf", "objdump"])
def test_a_tool_that_is_killed_over_a_large_library_is_no_verdict(
    tiny: Scenario, seed: Sources, wrapper: Path, tool: str
) -> None:
    write(wrapper, 'exec $REAL "$@"')
    real, own = shutil.which(tool), wrapper.parent / tool
    own.write_text(f'#!/bin/sh\ncase "$PWD" in */.trial-*) exec {real} "$@";; esac\nexit 137\n')
    own.chmod(0o755)
    assert str(blamed(tiny, seed)).startswith(f"{tool} is ended by others, perhaps for want of memory: ")


@pytest.mark.parametrize("text", ["exit 0", "exit 1"])
@pytest.mark.parametrize("tool", ["readelf", "objdump"])
def test_a_tool_beside_the_compiler_that_does_not_work_is_no_verdict(
    tiny: Scenario, seed: Sources, wrapper: Path, tool: str, text: str
) -> None:
    write(wrapper, 'exec $REAL "$@"')
    (wrapper.parent / tool).write_text(f"#!/bin/sh\n{text}\n")
    (wrapper.parent / tool).chmod(0o755)
    fault = blamed(tiny, seed)
    assert isinstance(fault, Missing)
    assert str(fault).startswith(f"{tool} does not work here")
