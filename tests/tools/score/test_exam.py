"""The exam: every test and every timed shape, two launches each; the same for both sides of a comparison."""

from __future__ import annotations

import torch

from avo.scenarios.loader import Scenario
from avo.tools.build.sources import Sources
from avo.tools.score.exam import Exam, examine
from avo.tools.score.executor import LocalExecutor
from avo.tools.score.judge import Judge


def test_tests_come_first_then_timed_shapes_and_each_of_those_gets_a_way_to_be_checked_in_part(tiny: Scenario) -> None:
    exam = Exam(Judge(tiny, "cpu"))
    asked = [question.case.id for question in exam.questions()]
    assert asked == ["odd", "large values", "wide"]
    assert set(exam.parts) == {"wide"}


def test_an_exam_is_drawn_anew_unless_it_is_kept(tiny: Scenario) -> None:
    judge = Judge(tiny, "cpu")
    for keep in (False, True):
        exam = Exam(judge, keep=keep)
        first, second = list(exam.questions()), list(exam.questions())
        assert [one.case.id for one in first] == [one.case.id for one in second]
        for one, other in zip(first, second, strict=True):
            assert torch.equal(one.inputs["a"], other.inputs["a"]) is keep
            assert torch.equal(one.wanted["y"][0], other.wanted["y"][0]) is keep


def test_a_kept_exam_asks_the_second_for_the_same_shapes_of_tests_with_ranges(tiny: Scenario) -> None:
    ranged = tiny.tests[0].model_copy(update={"ranges": {"R": (1, 60), "C": (1, 5000)}})
    exam = Exam(Judge(tiny.model_copy(update={"tests": (ranged,)}), "cpu"), keep=True)
    first, second = ([one.case.dims for one in exam.questions()] for _ in range(2))
    assert first == second
    other = Exam(Judge(exam.judge.scenario, "cpu"), keep=True)
    assert [one.case.dims for one in other.questions()] != first


def test_what_an_exam_saw_of_the_error_is_the_worst_of_all_who_sat_it(executor: LocalExecutor, seed: Sources) -> None:
    rough = {n: t.replace(b"a->y[i] = y;", b"a->y[i] = y * (1 + 2e-6f);") for n, t in seed.items()}
    with executor.held() as judge:
        exam = Exam(judge, keep=True)
        ratios = []
        for files in (seed, rough, seed):
            with judge.load(executor.build(files)) as (candidate, arena):
                examine(exam, candidate, arena)
            ratios.append(dict(exam.ratios))
    assert set(ratios[0]) == {"odd", "large values", "wide"}
    assert all(0 < ratios[0][case] < ratios[1][case] <= 1 for case in ratios[0])
    assert ratios[2] == ratios[1]
