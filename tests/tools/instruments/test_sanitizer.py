"""compute-sanitizer's logs are read: how much was found, and the first of it."""

from __future__ import annotations

from typing import Any

import pytest

from avo.scenarios.loader import Scenario, load
from avo.tools.instruments.sanitizer import Findings, findings, shapes, text

CLEAN = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"
INVALID = """\
========= COMPUTE-SANITIZER
========= Invalid __global__ write of size 2 bytes
=========     at (anonymous namespace)::attention(avo_args)+0x5d0 in attention.cu:112
=========     by thread (31,0,0) in block (3,0,0)
=========     Address 0x7f1d4a600000 is out of bounds
=========     and is 1 bytes after the nearest allocation at 0x7f1d4a400000 of size 2,097,152 bytes
=========     Saved host backtrace up to driver entry point at kernel launch time
=========         Host Frame: cudaLaunchKernel
=========
========= Program hit cudaErrorLaunchFailure (error 719) due to "unspecified launch failure" on CUDA API call.
=========
========= ERROR SUMMARY: 33 errors
========= ERROR SUMMARY: 13 errors were not printed. Use --print-limit option to adjust the number of printed errors
"""
RACES = """\
========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at (anonymous namespace)::attention(avo_args)+0x90 in a.cu:41
=========     and Read access at (anonymous namespace)::attention(avo_args)+0x100 in a.cu:51 [508 hazards]
=========
========= Warning: Race reported between Write access at k+0x10 in a.cu:1
=========     and Read access at k+0x20 in a.cu:2 [4 hazards]
=========
========= RACECHECK SUMMARY: 2 hazards displayed (1 error, 1 warning)
"""


def test_a_clean_log_is_clean() -> None:
    assert findings("memcheck", CLEAN) == Findings("memcheck", 0, ())
    races = findings("racecheck", "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)")
    assert races == Findings("racecheck", 0, ())


def test_a_wrong_access_is_told_with_kernel_line_and_thread() -> None:
    found = findings("memcheck", INVALID)
    assert found is not None
    assert found.errors == 33
    first, second = found.first
    assert first == (
        "Invalid __global__ write of size 2 bytes; at (anonymous namespace)::attention(avo_args)+0x5d0 in "
        "attention.cu:112; by thread (31,0,0) in block (3,0,0); Address 0x7f1d4a600000 is out of bounds"
    )
    assert second.startswith("Program hit cudaErrorLaunchFailure")
    assert "Host Frame" not in "".join(found.first)


def test_a_race_counts_by_its_errors_and_names_both_ends() -> None:
    found = findings("racecheck", RACES)
    assert found is not None
    assert found.errors == 1
    assert "a.cu:41; and Read access" in found.first[0]


@pytest.mark.parametrize("log", ["", "========= COMPUTE-SANITIZER\n", "ERROR SUMMARY: 0 errors", "Killed"])
def test_a_log_without_a_summary_is_never_clean(log: str) -> None:
    assert findings("memcheck", log) is None


def test_a_candidate_cannot_print_an_error_away() -> None:
    found = findings("memcheck", CLEAN + INVALID + CLEAN)
    assert found is not None
    assert not found.clean


def test_the_answer_begins_with_what_was_found() -> None:
    found = [findings("memcheck", CLEAN), findings("racecheck", RACES)]
    shown = text([one for one in found if one], {"bulk copy": 12})
    assert shown.startswith("NOT CLEAN: racecheck 1 errors\nmemcheck (")
    assert "12 bulk copies (TMA); racecheck does not follow mbarriers" in shown
    assert text([Findings("racecheck", 0, ())], {}).startswith("clean: racecheck\n")
    assert "mbarrier" not in text([Findings("racecheck", 0, ())], {"wgmma": 3})


@pytest.mark.parametrize("target", ["sm_90a"])
def test_only_tests_that_an_agent_may_know_are_run(target: str) -> None:
    cases = shapes(load("mha_causal"), target)
    assert cases
    assert not any(case.hidden for case in cases)


def test_without_a_shown_test_the_smallest_timed_case_is_run(tiny: Scenario) -> None:
    values: dict[str, Any] = {"tests": tuple(case for case in tiny.tests if case.hidden)}
    assert [case.id for case in shapes(tiny.model_copy(update=values), "cpu")] == ["wide"]
