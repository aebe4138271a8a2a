"""AddressSanitizer and UBSan on the CPU: what they find is told with kind, line, size and tensor."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from avo.scenarios.loader import Scenario
from avo.tools.build.compilers import forget
from avo.tools.build.sources import Sources
from avo.tools.instruments.cpu_sanitizer import HIDDEN, sanitize_on_cpu
from avo.tools.instruments.harness import Unread
from avo.types import Missing

BODY = """#include "avo_abi.h"
#include <cstdio>
#include <unistd.h>
#include <vector>
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t i = 0; i < a->R; i++) {
        float y = 0;
        for (int64_t j = 0; j < a->C; j++) y += a->a[i * a->C + j] * a->x[j];
        a->y[i] = y;
    }
    volatile float sink = 0;
    FAULTY
    return 0;
}
"""
LINE = 12


LACKS = "echo '/usr/bin/ld: cannot find libasan.so.8.0.0: No such file or directory'; exit 1"


@pytest.fixture
def without_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first C++ compiler in PATH has no sanitizers."""
    compiler = tmp_path / "bin" / "c++"
    compiler.parent.mkdir()
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *-fsanitize*) {LACKS};; esac\nexec {shutil.which("c++")} "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}:{os.environ['PATH']}")
    forget()
    yield
    forget()


def with_fault(faulty: str) -> Sources:
    return {"kernel.cpp": BODY.replace("FAULTY", faulty).encode()}


@pytest.mark.parametrize(
    ("faulty", "tool", "found"),
    [
        ("sink = a->x[a->C];", "address", "heap-buffer-overflow, READ of 4 bytes, at kernel.cpp:12, 0 bytes behind x"),
        ("sink = a->a[-2];", "address", "heap-buffer-overflow, READ of 4 bytes, at kernel.cpp:12, 8 bytes before a"),
        ("a->y[a->R + 1] = 1;", "address", "heap-buffer-overflow, WRITE of 4 bytes, at kernel.cpp:12, 4 bytes"),
        ("sink = *(volatile float*)64;", "address", "SEGV, READ, at kernel.cpp:12"),
        (
            "std::vector<float> own(a->R); sink = own[a->R];", "address",
            "heap-buffer-overflow, READ of 4 bytes, at kernel.cpp:12",
        ),
        ("static int n = 2147483647; n += a->R > 0;", "undefined", "signed integer overflow: 1 + 2147483647"),
        ("sink = 1 << (a->R * 40);", "undefined", "shift exponent 120 is too large for 32-bit type"),
    ],
)  # fmt: skip
def test_a_finding_has_kind_line_size_and_tensor(tiny: Scenario, faulty: str, tool: str, found: str) -> None:
    findings = sanitize_on_cpu(with_fault(faulty), tiny.model_copy(update={"tests": tiny.tests[:1]}), tool)
    assert not findings.clean
    assert findings.first[0].startswith(found)
    assert findings.first[0].endswith("(case odd)")
    assert f"at kernel.cpp:{LINE}" in findings.first[0]


def test_of_a_hidden_test_nothing_is_told_but_that_something_was_found(tiny: Scenario, tmp_path: Path) -> None:
    says = 'fprintf(stderr, "kernel.cpp:%ld:1: runtime error: %ld\\n", a->C, a->R);'
    says = f"if (a->C == 300) {{ sink = a->x[a->C]; {says} }}"
    findings = sanitize_on_cpu(with_fault(says), tiny, "address", tmp_path / "logs")
    assert findings.first == (f"{HIDDEN} (case a hidden test)",)
    assert findings.errors == 1
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {"address-odd.log", "address-wide.log"}
    ends = with_fault("if (a->C == 300) _exit(44);")
    with pytest.raises(Unread) as caught:
        sanitize_on_cpu(ends, tiny, "address")
    assert "44" not in str(caught.value)


def test_the_smallest_timed_case_is_looked_at_too(tiny: Scenario) -> None:
    findings = sanitize_on_cpu(with_fault("if (a->R == 128) sink = a->x[a->C];"), tiny, "address")
    assert [one.rpartition(" (case ")[2] for one in findings.first] == ["wide)"]


@pytest.mark.parametrize(
    ("faulty", "reason"),
    [
        ("return 7;", "avo_launch returned 7"),
        ("_exit(0);", "address did not finish"),
        ('execl("/bin/true", "true", nullptr);', "address did not finish"),
    ],
)
def test_what_did_not_finish_is_not_clean(tiny: Scenario, faulty: str, reason: str) -> None:
    with pytest.raises(Unread, match=reason):
        sanitize_on_cpu(with_fault(faulty), tiny, "address")


@pytest.mark.usefixtures("without_libraries")
def test_without_the_library_it_is_said_what_to_install(tiny: Scenario) -> None:
    with pytest.raises(Missing, match="the address sanitizer is not there: install"):
        sanitize_on_cpu(with_fault(""), tiny, "address")
