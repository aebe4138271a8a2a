"""The exam: every test and every timed shape, launched in a way that detects accesses outside of tensors."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from avo.scenarios.loader import Case
from avo.tools.launch.arena import Arena, Edge
from avo.tools.launch.launcher import Loaded
from avo.tools.reference.check import Tensors, Wanted, expected, ratio_to
from avo.tools.reference.hidden import kept_back
from avo.tools.reference.parts import Parts
from avo.tools.reference.refresh import Pool
from avo.types import Rejected, Status

if TYPE_CHECKING:
    from avo.tools.score.judge import Judge


SETS = {"cpu": 2, "cuda": 3}
"""Input sets that are drawn for a timed case; each launch gets a mixture of two of them."""


@dataclass(frozen=True)
class Question:
    """One set of inputs and the expected outputs."""

    case: Case
    inputs: Tensors
    wanted: Wanted


@dataclass
class Exam:
    """The questions, drawn on first use; with `keep` they are kept, and are the same for both sides of a comparison."""

    judge: Judge
    keep: bool = False
    """True to keep the questions."""
    parts: dict[str, Parts] = field(default_factory=dict)
    """Timed case -> the partial check of its outputs."""
    drawing: dict[str, float] = field(default_factory=dict)
    """Timed case -> seconds that it takes to draw its inputs, on the CPU."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Case -> the largest ratio of an error to the allowed one, over all candidates that passed."""
    _kept: list[Question] = field(default_factory=list)
    _pools: dict[str, Pool] = field(default_factory=dict)
    """Timed case -> its pool, on the CPU."""

    def questions(self) -> Iterator[Question]:
        """Yield the tests, then the timed shapes."""
        if self._kept:
            yield from self._kept
            return
        kept = []
        for question in self._drawn():
            if self.keep:
                kept.append(question)
            yield question
        self._kept = kept

    def forget(self) -> None:
        """Drop the questions that are kept, to free their memory."""
        self._kept = []

    def pool(self, case: Case) -> Pool:
        """Return a pool from which the inputs of a timed case's launches are made.

        On the CPU, where drawing can take longer than launches, it is always the same one, and holds the exam's inputs.
        """
        return self._pools.get(case.id) or self.judge.pool(case, SETS[self.judge.device])

    def _drawn(self) -> Iterator[Question]:
        scenario, target = self.judge.scenario, self.judge.target
        for case in scenario.checked(target):
            yield self._question(case.drawn(secrets.SystemRandom()))
        for case in scenario.timed(target):
            question = self._question(case)
            self.parts[case.id] = Parts(scenario, case, question.inputs, question.wanted)
            if not self.judge.on_gpu:
                begun = time.monotonic()
                self._pools[case.id] = self.judge.pool(case, SETS["cpu"], question.inputs)
                self.drawing[case.id] = time.monotonic() - begun
            yield question

    def _question(self, case: Case) -> Question:
        inputs = self.judge.draw(case)
        return Question(case, inputs, expected(self.judge.scenario, case, inputs))


def examine(exam: Exam, candidate: Loaded, arena: Arena) -> None:
    """Put all questions to a candidate. Raises Rejected for a fault in any launch."""
    for question in exam.questions():
        try:
            with exam.judge.counted(question.case), kept_back(question.case):
                worst = _answer(exam.judge, candidate, arena, question)
        except Rejected as rejected:
            rejected.case = question.case.alias
            raise
        exam.ratios[question.case.id] = max(worst, exam.ratios.get(question.case.id, 0.0))


def _answer(judge: Judge, candidate: Loaded, arena: Arena, question: Question) -> float:
    """Return the largest error ratio of two launches, at different edges of inaccessible memory.

    Raises Rejected unless both are right, and equal in every bit at the same addresses.
    """
    case, scenario = question.case, judge.scenario
    first = _launched(judge, candidate, arena, question, Edge.END)
    worst = ratio_to(scenario, case, question.wanted, first)
    edge = secrets.choice((Edge.START, Edge.ODD))
    second = _launched(judge, candidate, arena, question, edge)
    if _differing(first, second) is not None:  # other addresses may mean another order of sums: the same ones again
        worst = max(worst, ratio_to(scenario, case, question.wanted, second))
        if name := _differing(second, _launched(judge, candidate, arena, question, edge)):
            reason = f"{name} differs between two launches on the same inputs (case {case.label})"
            raise Rejected(Status.NON_DETERMINISTIC, reason)
    return worst


def _launched(judge: Judge, candidate: Loaded, arena: Arena, question: Question, edge: Edge) -> Tensors:
    slot = arena.fenced(question.case, candidate.base, edge)
    return judge.launch_once(candidate, arena, slot, question.inputs)


def _differing(one: Tensors, other: Tensors) -> str | None:
    """Return the name of the first output that differs in a bit; None if there is none."""
    return next((name for name, tensor in one.items() if not torch.equal(tensor, other[name])), None)
