"""The builder: one library from a candidate's files, linked against nothing but the runtime of its language."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from avo.scenarios.abi import header
from avo.scenarios.loader import Scenario
from avo.tools.build.builder import build
from avo.tools.build.compilers import cxx
from avo.tools.build.sources import Sources, digest
from avo.tools.score.executor import LocalExecutor
from avo.types import Missing, Rejected, Status

LAUNCH = '#include "avo_abi.h"\nextern "C" int avo_launch(const avo_args* a, void*) { %s return 0; }\n'


def source(body: str = "", before: str = "") -> Sources:
    return {"a.cpp": (before + LAUNCH % body).encode()}


def with_target(scenario: Scenario, **update: Any) -> Scenario:
    """The scenario with its CPU target changed."""
    return scenario.model_copy(update={"targets": {"cpu": scenario.target("cpu").model_copy(update=update)}})


def rejection(files: Sources, scenario: Scenario, folder: Path) -> Rejected:
    with pytest.raises(Rejected) as caught:
        build(files, scenario, "cpu", folder / "build")
    return caught.value


def test_a_candidate_becomes_a_library_beside_a_fresh_header(tiny: Scenario, seed: Sources, tmp_path: Path) -> None:
    built = build({**seed, "avo_abi.h": b"#error forged"}, tiny, "cpu", tmp_path / "build")
    assert built.library == tmp_path / "build" / "candidate.so"
    assert built.library.read_bytes()[:4] == b"\x7fELF"
    assert (tmp_path / "build" / "avo_abi.h").read_text() == header(tiny)
    assert built.log == ""
    assert build(seed, tiny, "cpu", tmp_path / "again").tree == digest(seed)


def test_sources_in_folders_are_compiled_together(tiny: Scenario, tmp_path: Path) -> None:
    files = {
        "launch.cpp": b'#include "parts/work.h"\n' + (LAUNCH % "work(a); more(a);").encode(),
        "parts/work.h": b'#include "avo_abi.h"\nvoid work(const avo_args*);\nextern "C" void more(const avo_args*);\n',
        "parts/work.cpp": b'#include "work.h"\nvoid work(const avo_args* a) { a->y[0] = 1; }\n',
        "parts/deep/more.cc": b'#include "../work.h"\nvoid more(const avo_args* a) { a->y[1] = 1; }\n',
        "notes.md": b"# not compiled\n",
    }
    assert build(files, tiny, "cpu", tmp_path / "build").library.is_file()
    without = {name: content for name, content in files.items() if name != "parts/work.cpp"}
    assert rejection(without, tiny, tmp_path).status in (Status.COMPILE_ERROR, Status.FORBIDDEN_LIBRARY)


def test_the_first_error_is_the_reason_and_the_rest_is_the_log(tiny: Scenario, tmp_path: Path) -> None:
    rejected = rejection(source("first_slip; second_slip;"), tiny, tmp_path)
    assert rejected.status is Status.COMPILE_ERROR
    assert "first_slip" in rejected.reason
    assert "second_slip" not in rejected.reason
    assert "second_slip" in rejected.log
    assert str(tmp_path) not in rejected.log + rejected.reason


def test_a_warning_is_kept_with_the_build(tiny: Scenario, tmp_path: Path) -> None:
    assert "look here" in build(source(before="#warning look here\n"), tiny, "cpu", tmp_path / "build").log


def test_a_log_without_end_is_cut(tiny: Scenario, tmp_path: Path) -> None:
    rejected = rejection(source("".join(f"slip_{n}; " for n in range(2000))), tiny, tmp_path)
    assert "characters left out" in rejected.log
    assert len(rejected.log) < 7000


def test_nothing_to_compile_is_told(tiny: Scenario, tmp_path: Path) -> None:
    rejected = rejection({"a.h": b"int x;"}, tiny, tmp_path)
    assert (rejected.status, rejected.reason) == (Status.COMPILE_ERROR, "no .cpp, .cc, .c file to compile")


@pytest.mark.parametrize(
    "text", [b"int other;", b'#include "avo_abi.h"\nnamespace x { int avo_launch(); int f() { return 0; } }']
)
def test_a_library_without_the_function_is_unsupported(tiny: Scenario, tmp_path: Path, text: bytes) -> None:
    rejected = rejection({"a.cpp": text}, tiny, tmp_path)
    assert rejected.status is Status.UNSUPPORTED
    assert rejected.reason == 'exports no extern "C" function avo_launch'


@pytest.mark.parametrize("name", ["dlopen", "dlsym"])
def test_a_library_that_could_load_others_is_forbidden(tiny: Scenario, tmp_path: Path, name: str) -> None:
    declared = f'extern "C" void* {name}(const void*, ...);\n'
    rejected = rejection(source(f"if ({name}(a, 1)) return 2;", declared), tiny, tmp_path)
    assert rejected.status is Status.FORBIDDEN_LIBRARY
    assert f"imports {name}; a candidate must not load libraries" in rejected.reason


def test_a_function_of_another_library_is_forbidden(tiny: Scenario, tmp_path: Path) -> None:
    rejected = rejection(source("cblas_sgemv();", 'extern "C" void cblas_sgemv();\n'), tiny, tmp_path)
    assert rejected.status is Status.FORBIDDEN_LIBRARY
    assert "cblas_sgemv" in rejected.reason


def test_another_library_is_forbidden(tiny: Scenario, tmp_path: Path) -> None:
    threaded = with_target(tiny, flags=("-fopenmp", "-Wl,--no-as-needed"))
    rejected = rejection(source("\n#pragma omp parallel\na->y[0] = 1;\n"), threaded, tmp_path)
    assert rejected.status is Status.FORBIDDEN_LIBRARY
    assert "linked against lib" in rejected.reason
    assert "only the runtime of C++ and CUDA is allowed" in rejected.reason


def test_the_runtime_of_the_language_is_allowed(tiny: Scenario, tmp_path: Path) -> None:
    before = "#include <cmath>\n#include <string>\n#include <vector>\n"
    body = "std::vector<std::string> v(3, std::to_string(std::exp(a->x[0]))); a->y[0] = v.size();"
    assert build(source(body, before), tiny, "cpu", tmp_path / "build").library.is_file()


def test_all_of_the_runtime_that_is_allowed_can_be_loaded(tiny: Scenario, seed: Sources) -> None:
    """libmvec among it, which -ffast-math makes of an exp in a loop."""
    linked = with_target(
        tiny, flags=("-O3", "-Wl,--no-as-needed", "-l:libmvec.so.1", "-lm", "-lstdc++", "-lgcc_s"), baselines=()
    )
    verdict = LocalExecutor(linked, "cpu").evaluate(seed)
    assert verdict.status is Status.PASSED, verdict.reason


COMPILER_COUNTS = """
    constexpr long counted = [] {
        long n = 0;
        for (int i = 0; i < 4000; i++)
            for (int j = 0; j < 4000; j++) n ^= j;
        return n;
    }();
"""
"""Seconds of work for a compiler, by any machine's measure many times what the test allows."""


def test_compiling_too_long_is_a_timeout(tiny: Scenario, tmp_path: Path) -> None:
    rejected = rejection(source(COMPILER_COUNTS), with_target(tiny, compile_seconds=0.02), tmp_path)
    assert (rejected.status, rejected.reason) == (Status.TIMEOUT, "compiling took longer than 0.02 s")


def test_no_file_of_this_machine_can_be_compiled_in(tiny: Scenario, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h"
    secret.write_text("#error a-planted-secret\n")
    rejected = rejection(source(before=f'#include "{secret}"\n'), tiny, tmp_path)
    assert rejected.status is Status.COMPILE_ERROR
    assert "a-planted-secret" not in rejected.log + rejected.reason


def test_without_a_compiler_one_line_says_how_to_get_one(
    tiny: Scenario, seed: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(Missing, match=r"no C\+\+ compiler found.*apt-get install") as caught:
            build(seed, tiny, "cpu", tmp_path / "build")
    assert "\n" not in str(caught.value)
    assert cxx().path == shutil.which("c++")
