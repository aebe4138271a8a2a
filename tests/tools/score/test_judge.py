"""The judge: what is right passes, what is not gets its own verdict, and no launch sees old data."""

from __future__ import annotations

import json
import re

import pytest
import torch

from avo.scenarios.loader import Case, Scenario
from avo.tools.build.sources import Sources
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge
from avo.tools.score.paired import compare
from avo.tools.score.timing import Timing
from avo.types import Rejected, Status, Unfit, usual_seconds, verdict_from

LINE = "a->y[i] = y;"
REMEMBERS = """
    static uint64_t seen[4096];
    static int count, repeats;
    uint64_t hash = 14695981039346656037u;
    for (int64_t j = 0; j < 2 * a->C; j++)
        hash = (hash ^ reinterpret_cast<const uint32_t*>(j % 2 ? a->x : a->a)[j / 2]) * 1099511628211u;
    for (int j = 0; j < count; j++)
        if (seen[j] == hash && ++repeats > ALLOWED) return 7;
    if (count < 4096) seen[count++] = hash;
    for (int64_t n = 0; n < a->R; n++) {"""


def with_change(files: Sources, old: str, new: str) -> Sources:
    """The same sources with one text replaced, which must be there."""
    changed = {name: content.replace(old.encode(), new.encode()) for name, content in files.items()}
    assert changed != files
    return changed


def remembering(seed: Sources, allowed: int) -> Sources:
    """The seed, but a launch fails once the same x and first row of a have come back more than `allowed` times."""
    return with_change(seed, "for (int64_t n = 0; n < a->R; n++) {", REMEMBERS.replace("ALLOWED", str(allowed)))


def agreements(executor: LocalExecutor) -> int:
    """Launches that see the data of the one before, to see whether outputs agree: one of each test and case."""
    return len(executor.scenario.checked("cpu")) + len(executor.scenario.timed("cpu"))


def test_the_seed_passes_with_every_figure(
    executor: LocalExecutor, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timing, "supported", 0.0)  # a neighbour may slow the launches that have to bear a score out
    verdict = executor.evaluate(seed)
    assert (verdict.status, verdict.reason, verdict.unit) == (Status.PASSED, "", "GFLOP/s")
    [case] = verdict.cases
    assert case.id == "wide"
    assert case.value == pytest.approx(2 * 128 * 4096 / case.min_ms / 1e6)
    assert min(case.samples_ms) == pytest.approx(case.min_ms, abs=1e-5)
    assert case.noise == pytest.approx(case.median_ms / case.min_ms)
    assert 0 < case.error_ratio <= 1
    assert 0 < case.seconds <= verdict.cost["check"] + verdict.cost["time"]
    assert verdict.score == pytest.approx(case.value)
    assert verdict.baselines["torch_mv"]["wide"] > 0
    assert set(verdict.cost) == {"compile", "wait", "baselines", "lease", "check", "time", "kernel", "total"}
    assert verdict.device
    assert verdict.compiler


def test_a_verdict_survives_json(executor: LocalExecutor, seed: Sources) -> None:
    for files in (seed, with_change(seed, LINE, "a->y[i] = 3;"), {"a.cpp": b"int x"}):
        verdict = executor.evaluate(files)
        assert verdict_from(json.loads(json.dumps(verdict.as_dict()))) == verdict


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        ("if (i != 1) a->y[i] = y;", Status.NOT_WRITTEN, "left 1 of 3 elements of y unwritten"),
        ("", Status.NOT_WRITTEN, "left 3 of 3 elements of y unwritten"),
        ("a->y[i] = y; a->y[a->R] = y;", Status.OUT_OF_BOUNDS, "wrote outside of y"),
        ("a->y[i] = y; a->y[-1] = y;", Status.OUT_OF_BOUNDS, "wrote outside of y"),
        ("a->y[i] = y; const_cast<float*>(a->x)[a->C - 1] = 0;", Status.INPUT_MODIFIED, "input x changed"),
        ("a->y[i] = y; const_cast<float*>(a->a)[0] += 1;", Status.INPUT_MODIFIED, "input a changed"),
        ("static int k; a->y[i] = y * (1 + 1e-6f * (k++ / 3 % 2));", Status.NON_DETERMINISTIC, "y differs"),
        ("a->y[i] = 0.f / 0.f;", Status.INCORRECT_NUMERICAL, "y[0] of shape [3] is nan, expected "),
        ("a->y[i] = i == 2 ? y * 1.01f : y;", Status.INCORRECT_NUMERICAL, "; 1 of 3 elements is wrong (case odd)"),
        ("a->y[i] = a->R == 128 && i == 127 ? 0 : y;", Status.INCORRECT_NUMERICAL, "y[127] of shape [128] is 0, "),
        ("return 1;", Status.UNSUPPORTED, "avo_launch returned 1: unsupported case"),
        ("return -3;", Status.RUNTIME_ERROR, "avo_launch returned -3"),
        ("return -1700;", Status.RUNTIME_ERROR, "avo_launch returned -1700 (case odd)"),
        ("*(volatile int*)64 = 1;", Status.RUNTIME_ERROR, "SIGSEGV"),
    ],
)
def test_what_is_wrong_is_told_apart(
    executor: LocalExecutor, seed: Sources, line: str, status: Status, reason: str
) -> None:
    verdict = executor.evaluate(with_change(seed, LINE, line))
    assert verdict.status is status
    assert reason in verdict.reason
    assert not verdict.cases
    assert verdict.score == 0


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("return int(a->C);", Status.RUNTIME_ERROR),
        ("if (a->C % 4) __builtin_trap(); else *(volatile int*)64 = 1;", Status.RUNTIME_ERROR),
        ("_exit(int(a->C % 256));", Status.RUNTIME_ERROR),
        ("if (i != 1) a->y[i] = y;", Status.NOT_WRITTEN),
        ("a->y[i] = y; a->y[-1] = y;", Status.OUT_OF_BOUNDS),
        ("a->y[i] = i == a->C % a->R ? 0 : y * float(a->C);", Status.INCORRECT_NUMERICAL),
        ("a->y[i] = i == a->C % a->R ? 0 / 0.f : y;", Status.INCORRECT_NUMERICAL),
        ("a->y[i] = y; const_cast<float*>(a->x)[0] = 0;", Status.INPUT_MODIFIED),
        ("static int k; a->y[i] = y * (1 + 1e-6f * (k++ / a->R % 2));", Status.NON_DETERMINISTIC),
    ],
)
def test_the_reason_for_a_hidden_test_tells_nothing_of_its_shape(
    tiny: Scenario, seed: Sources, line: str, status: Status
) -> None:
    told = set()
    for rows, columns in ((5, 300), (8, 513)):
        (hidden,) = (case for case in tiny.tests if case.hidden)
        case = hidden.model_copy(update={"dims": {"R": rows, "C": columns}})
        judge = LocalExecutor(tiny.model_copy(update={"tests": (case,)}), "cpu")
        verdict = judge.evaluate({n: b"#include <unistd.h>\n" + t for n, t in with_change(seed, LINE, line).items()})
        assert verdict.status is status, verdict.reason
        told.add((verdict.reason, verdict.log))
        assert not set(verdict.reason) & set("0123456789[")
    assert len(told) == 1


def test_a_candidate_that_sleeps_is_ended_with_a_reason_of_its_own(
    executor: LocalExecutor, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avo.tools.launch.patience.ASLEEP_SECONDS", 0.3)
    for naps, microseconds in (("1", 900000), ("1", 20000), ("a->R == 128", 20000)):
        nap = f"if (i == 0 && {naps}) usleep({microseconds}); {LINE}"
        changed = {n: b"#include <unistd.h>\n" + t for n, t in with_change(seed, LINE, nap).items()}
        verdict = executor.evaluate(changed)
        assert verdict.status is Status.TIMEOUT
        assert verdict.reason.startswith(
            ("slept in its launches, for more than 0.3 s together", "took too long (case a")
        )
    assert "slept" in verdict.reason


def test_launches_that_each_take_almost_too_long_are_ended_after_a_few(
    executor: LocalExecutor, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avo.tools.launch.patience.FIRST", 0.1)
    spins = f"const auto end = clock() + CLOCKS_PER_SEC / 10; while (i == 0 && a->R == 128 && clock() < end); {LINE}"
    monkeypatch.setattr("avo.tools.launch.patience.EACH", 0.01)
    changed = {n: b"#include <ctime>\n" + t for n, t in with_change(seed, LINE, spins).items()}
    verdict = executor.evaluate(changed)
    assert verdict.status is Status.TIMEOUT
    assert re.match(r"\d+ launches together took longer than 0\.\d+ s", verdict.reason)


def test_a_launch_that_takes_too_long_is_ended(executor: LocalExecutor, seed: Sources) -> None:
    verdict = executor.evaluate(with_change(seed, LINE, 'a->y[i] = y; while (a->R == 128) __asm__ volatile("");'))
    assert verdict.status is Status.TIMEOUT
    assert "longer than 2 s" in verdict.reason
    assert "wide" in verdict.reason


def test_no_two_launches_of_an_evaluation_see_the_same_data(executor: LocalExecutor, seed: Sources) -> None:
    repeats = agreements(executor)
    verdict = executor.evaluate(remembering(seed, repeats))
    assert verdict.status is Status.PASSED, verdict.reason
    verdict = executor.evaluate(remembering(seed, repeats - 1))
    assert (verdict.status, verdict.reason) == (Status.RUNTIME_ERROR, "avo_launch returned 7 (case wide)")


@pytest.mark.slow
def test_no_two_launches_of_a_comparison_see_the_same_data(executor: LocalExecutor, seed: Sources) -> None:
    checks = agreements(executor)
    usual = usual_seconds(executor.evaluate(seed).cases)
    often, seldom = (executor.build(remembering(seed, allowed)) for allowed in (checks, checks - 1))
    with executor.held() as judge:
        assert compare(judge, often, often, [usual, usual]).ratio > 0
        with pytest.raises(Rejected, match="avo_launch returned 7"):
            compare(judge, often, seldom, [usual, usual])
        with pytest.raises(Unfit, match="avo_launch returned 7"):
            compare(judge, seldom, often, [usual, usual])


def test_the_reason_for_a_hidden_test_does_not_name_it(executor: LocalExecutor, seed: Sources) -> None:
    verdict = executor.evaluate(with_change(seed, LINE, "a->y[i] = a->C == 300 ? 3 : y;"))
    assert verdict.status is Status.INCORRECT_NUMERICAL
    assert verdict.reason.endswith("(case a hidden test)")
    assert "large" not in verdict.reason


def test_two_draws_differ_and_have_the_shapes_of_the_case(tiny: Scenario) -> None:
    judge, case = Judge(tiny, "cpu"), Case(id="x", dims={"R": 5, "C": 9})
    first, second = judge.draw(case), judge.draw(case)
    assert (first["a"].shape, first["x"].shape) == ((5, 9), (9,))
    assert not torch.equal(first["a"], second["a"])
