"""Candidates that are wrong, that cheat, and that are odd but legal: each gets the verdict its first lines name."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from avo.scenarios.loader import load
from avo.tools.audit.redteam import NO_GAIN, SCENARIO, Candidate, RedTeam, candidates, chosen, fault, quick
from avo.tools.build.compilers import compiler_of
from avo.types import AvoError, Missing, Rejected, Status

pytestmark = pytest.mark.slow

CPU, CUDA = candidates("cpu"), candidates("sm_90a")
HONEST = [candidate for candidate in CPU if candidate.honest]
USELESS = [candidate for candidate in CPU if candidate.expected == NO_GAIN]
REJECTED = [candidate for candidate in CPU if candidate not in HONEST and candidate not in USELESS]
AT_BUILD = {Status.COMPILE_ERROR, Status.FORBIDDEN_LIBRARY, Status.INCORRECT_DTYPE}
"""Verdicts that need no device."""
BY_COMPILER = [c for c in CUDA if set(c.expected.split("|")) <= AT_BUILD or c.because.startswith("exports")]
HONEST_CUDA = [c for c in CUDA if c.honest]


def by_name(found: list[Candidate]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("candidate", found, ids=[candidate.name for candidate in found])


@pytest.fixture(scope="module")
def team() -> RedTeam:
    """The CPU's, with everything compiled before the first test."""
    team = RedTeam("cpu")
    team.prepare(CPU)
    return team


@pytest.fixture(scope="module")
def cuda_team() -> RedTeam:
    try:
        compiler_of("sm_90a")
    except Missing as missing:
        pytest.skip(str(missing))
    team = RedTeam("sm_90a")
    team.prepare([*BY_COMPILER, *HONEST_CUDA])
    return team


def test_there_are_many_of_each_kind() -> None:
    assert len(REJECTED) >= 30
    assert len(HONEST) >= 4
    assert len([c for c in CUDA if not c.honest]) >= 36
    assert len(HONEST_CUDA) >= 8
    assert len(BY_COMPILER) >= 10


@by_name(REJECTED)
def test_is_rejected_for_its_own_reason(team: RedTeam, candidate: Candidate) -> None:
    verdict = team.executor(candidate.scenario).evaluate(candidate.files)
    assert not fault(candidate, verdict.status, verdict.reason), f"{verdict.status}: {verdict.reason}"
    assert verdict.score == 0
    assert not verdict.cases
    assert "root:" not in verdict.reason + verdict.log
    assert verdict.reason.encode()  # a lone surrogate cannot be told


@by_name(HONEST)
def test_is_legal_and_passes(team: RedTeam, candidate: Candidate) -> None:
    verdict = team.executor(candidate.scenario).evaluate(candidate.files)
    assert verdict.status is Status.PASSED, verdict.reason
    assert verdict.score > 0


@by_name(USELESS)
def test_gains_nothing_in_score_or_comparison(team: RedTeam, candidate: Candidate) -> None:
    (outcome,) = team.play([candidate])
    assert not outcome.fault, f"{outcome.got}: {outcome.reason}"


@by_name(BY_COMPILER)
def test_is_refused_for_a_gpu_before_it_runs(cuda_team: RedTeam, candidate: Candidate) -> None:
    with pytest.raises(Rejected) as rejected:
        cuda_team.executor(candidate.scenario).build(candidate.files)
    assert not fault(candidate, rejected.value.status, rejected.value.reason), str(rejected.value)


@by_name(HONEST_CUDA)
def test_builds_for_a_gpu(cuda_team: RedTeam, candidate: Candidate) -> None:
    built = cuda_team.executor(candidate.scenario).build(candidate.files)
    assert built.kernels
    assert not any(kernel.spill_stores for kernel in built.kernels)


@pytest.mark.parametrize("target", ["cpu", "sm_90a"])
def test_every_name_is_there_once_and_every_verdict_exists(target: str) -> None:
    found = candidates(target)
    assert len({candidate.name for candidate in found}) == len(found)
    for candidate in found:
        assert set(candidate.expected.split("|")) <= {*Status, NO_GAIN}, candidate.name
        re.compile(candidate.because)


def test_a_verdict_is_held_against_what_was_expected() -> None:
    wrong = next(c for c in CPU if c.name == "zeros")
    assert fault(wrong, "INCORRECT_NUMERICAL", "o[0] is 0, expected 3; 4 of 4 elements are wrong") == ""
    assert fault(wrong, "INCORRECT_NUMERICAL", "o has a relative error of 2e-02 > 0.004") == "wrong_reason"
    assert fault(wrong, "RUNTIME_ERROR", "4 of 4 elements are wrong") == "wrong_reason"
    assert fault(wrong, "PASSED", "") == "wrongly_accepted"
    assert fault(replace(wrong, expected="TIMEOUT|INCORRECT_NUMERICAL"), "TIMEOUT", "4 of 4 elements are wrong") == ""
    assert fault(HONEST[0], "PASSED", "") == ""
    assert fault(HONEST[0], "TIMEOUT", "") == "wrongly_rejected"
    assert fault(HONEST[0], "ERROR", "") == "wrongly_rejected"
    assert fault(USELESS[0], NO_GAIN, "") == ""
    assert fault(USELESS[0], "RUNTIME_ERROR", "") == ""
    assert fault(USELESS[0], "PASSED", "2.00 times the honest score") == "wrongly_accepted"
    assert fault(USELESS[0], "ERROR", "") == "wrong_reason"


def test_names_choose_and_an_unknown_one_has_a_neighbour() -> None:
    assert [c.name for c in chosen(CPU, ["zeros"])] == ["zeros"]
    assert {c.name for c in chosen(CUDA, ["calls_*", "zeros"])} >= {"calls_cudnn", "calls_cublas", "zeros"}
    assert chosen(CPU, []) == CPU
    with pytest.raises(AvoError, match="no candidate 'zeroes' in the red team; did you mean 'zeros'"):
        chosen(CPU, ["zeroes"])


def test_a_gpu_is_tried_on_its_shortest_cases_alone() -> None:
    scenario = quick(load(SCENARIO), "sm_90a", 2)
    assert [case.id for case in scenario.timed("sm_90a")] == ["s4k", "s8k"]
    assert scenario.checked("sm_90a") == load(SCENARIO).checked("sm_90a")


def test_a_candidate_may_be_of_another_scenario_and_an_incumbent() -> None:
    by_scenario = {c.name: c.scenario for c in CPU}
    assert by_scenario["zeros"] == SCENARIO
    assert load(by_scenario["keeps_norms"]).name == "norms"
    assert {"works_twice_as_incumbent", "writes_zeros_as_incumbent"} <= {c.name for c in CPU if c.incumbent}
    assert all(c.because and c.expected == NO_GAIN for c in (*CPU, *CUDA) if c.incumbent)
    own = next(c.files for c in CPU if c.name == "keeps_norms")
    assert set(own) == {"keeps_norms.cpp", "seed.h", "takeover.h", "reach.h"}


def test_an_honest_incumbent_is_as_fast_in_a_comparison_as_the_scores_say(team: RedTeam) -> None:
    cheat = next(c for c in CPU if c.name == "works_twice_after_the_first_block")
    seed = replace(cheat, files=team.honest(cheat.scenario))
    assert team.verdict(seed)[0] == NO_GAIN
