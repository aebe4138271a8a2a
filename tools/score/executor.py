"""Executors build and measure candidates; LocalExecutor does so on this machine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from avo.sandbox import confine, seccomp
from avo.scenarios.loader import Scenario
from avo.tools.build.builder import Build
from avo.tools.build.cache import cached_build
from avo.tools.build.compilers import compiler_of
from avo.tools.build.sources import Sources, digest
from avo.tools.devices.lease import lease, say_so
from avo.types import RULES, Comparison, Rejected, Status, Verdict, unfit, usual_seconds

if TYPE_CHECKING:
    from avo.tools.score.judge import Judge

MOST_BUILDS_AT_ONCE = 8
"""Maximum number of compilers that run side by side."""


class Executor(Protocol):
    """Builds and measures candidates of one scenario on one target; blocking, called from a thread."""

    def build(self, files: Sources) -> Build:
        """Compile the sources without running them. Raises Rejected."""
        ...

    def evaluate(self, files: Sources) -> Verdict:
        """Return the verdict f on one tree; a rejection is a verdict, too."""
        ...

    def look(self, files: Sources, first: Sequence[str] = ()) -> Verdict:
        """Return a verdict on one timed case and two tests: no score of the scenario. first: tests to prefer."""
        ...

    def compare(self, incumbent: Sources, candidate: Sources, usual: Mapping[str, float] | None = None) -> Comparison:
        """Compare two trees, interleaved in one lease of the device; a side without a score from here is scored first.

        usual: seconds of a launch by case that the incumbent took when it was scored here by these rules. Raises
        Rejected for a fault of the candidate, Unfit for one of the incumbent.
        """
        ...

    def prepare(self, trees: list[Sources]) -> None:
        """Compile several trees side by side, ahead of their evaluation."""
        ...

    def ahead(self, trees: list[Sources]) -> contextlib.AbstractContextManager[None]:
        """Return a context in which these trees are evaluated, and compiled ahead of that."""
        ...

    @property
    def devices(self) -> int:
        """Number of evaluations that can run at once."""
        ...

    def measured_here(self, device: str) -> bool:
        """Return True if a verdict's device is one of this machine's, or if that cannot be known."""
        ...


class LocalExecutor:
    """Builds and measures in subprocesses of this machine, with one lock per device around every measurement."""

    def __init__(self, scenario: Scenario, target: str) -> None:
        confine.hide()  # keys are among its variables
        self.scenario, self.target = scenario, target
        self.say = say_so
        """Called with a line that names the device that is waited for, and its holder."""
        self._rejected: dict[str, Rejected] = {}
        self._judges: dict[int, Judge] = {}
        self._alone: dict[str, Mapping[str, float]] = {}
        """Tree -> seconds of a launch by case, if it passed here."""
        self._here: list[str] = []
        self._under_way: dict[str, Future[Build]] = {}
        """Tree -> its build, while others are measured."""
        self._looks: dict[tuple[str, ...], LocalExecutor] = {}
        """Tests of a look -> the executor of the scenario with these and one timed case."""

    def judge_on(self, device: int) -> Judge:
        """Return the judge on one device; loads torch. Raises Missing without the target's device."""
        from avo.tools.score.judge import Judge

        if device not in self._judges:
            self.require_device()
            self._judges[device] = Judge(self.scenario, self.target, device)
        return self._judges[device]

    def require_device(self) -> None:
        """Raise Missing without the target's device."""
        from avo.tools.devices.gpu import require_gpu

        if self.target != "cpu":
            require_gpu(self.target)

    def build(self, files: Sources) -> Build:
        """Return the build of a tree, from the cache if possible; remembers rejections. Raises Rejected."""
        tree = digest(files)
        if under_way := self._under_way.get(tree):
            return under_way.result()
        return self._built(tree, files)

    def _built(self, tree: str, files: Sources) -> Build:
        if tree not in self._rejected:
            try:
                return cached_build(files, self.scenario, self.target)
            except Rejected as rejected:
                self._rejected[tree] = rejected
        raise self._rejected[tree]

    def prepare(self, trees: list[Sources]) -> None:
        """Compile several trees side by side; those that are rejected raise nothing yet."""
        with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_BUILDS_AT_ONCE)) as pool:
            for future in [pool.submit(self.build, files) for files in trees]:
                with contextlib.suppress(Rejected):
                    future.result()

    @contextlib.contextmanager
    def ahead(self, trees: list[Sources]) -> Iterator[None]:
        """Compile several trees side by side: on the CPU before the block, since compilers disturb what is timed there.

        On a GPU the block begins at once, and `build` waits for the tree that it is asked for. What no compiler has
        begun when the block ends is not compiled.
        """
        if not self.overlaps:
            self.prepare(trees)
            yield
            return
        named = {digest(files): files for files in trees}
        pool = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_BUILDS_AT_ONCE))
        try:
            self._under_way = {tree: pool.submit(self._built, tree, files) for tree, files in named.items()}
            yield
        finally:
            pool.shutdown(cancel_futures=True)
            self._under_way = {}

    @property
    def overlaps(self) -> bool:
        """True if compilers may run while a candidate is timed."""
        return self.target != "cpu"

    @property
    def devices(self) -> int:
        """Number of evaluations that can run at once: 1 on the CPU, else the number of fitting GPUs."""
        from avo.tools.devices.gpu import fitting

        return 1 if self.target == "cpu" else len(fitting(self.target)) or 1

    def measured_here(self, device: str) -> bool:
        """Return True if a verdict's device is one of this machine's, or if no GPU is here to compare with."""
        from avo.tools.devices.gpu import names
        from avo.tools.devices.roofline import device as cpu

        if not self._here:
            self._here = [cpu()] if self.target == "cpu" else names()
        return device in self._here or not self._here  # without a GPU nobody can tell

    def evaluate(self, files: Sources) -> Verdict:
        """Build, check and time one tree; return its verdict, also if it is rejected. Raises Missing, ScenarioError."""
        from avo.tools.devices.gpu import gpu
        from avo.tools.devices.roofline import device
        from avo.tools.score.baseline_cache import baselines_of
        from avo.tools.score.judge import judged

        started = time.monotonic()
        self.require_device()  # the judge is made on the device that is leased, and on no other
        unit, version = self.scenario.target(self.target).unit, compiler_of(self.target).version
        name = device() if self.target == "cpu" else ""
        verdict = Verdict(Status.PASSED, "", unit, device=name, compiler=version, rules=RULES)
        verdict = replace(verdict, unisolated=seccomp.lacking())
        cost: dict[str, float] = {}
        try:
            built = self.build(files)
            verdict, cost["compile"] = replace(verdict, log=built.log, code=built.code), built.seconds
            asked = time.monotonic()
            with self.held() as judge:
                got = time.monotonic()
                if judge.on_gpu:
                    verdict = replace(verdict, device=gpu(judge.index))
                try:
                    baselines = baselines_of(judge, self.say)
                    cost |= {"wait": got - asked, "baselines": time.monotonic() - got}
                    scores, phases = judged(judge, built)
                finally:
                    cost["lease"] = time.monotonic() - got
            verdict = replace(
                verdict, cases=tuple(scores), baselines=baselines.values, missing=baselines.missing,
                baselines_age=baselines.age,
            )  # fmt: skip
            self._alone[digest(files)] = usual_seconds(scores)
            cost |= phases
        except Rejected as rejected:
            log = rejected.log or verdict.log
            verdict = replace(verdict, status=rejected.status, reason=rejected.reason, log=log, case=rejected.case)
        return replace(verdict, cost=cost | {"total": time.monotonic() - started})

    def look(self, files: Sources, first: Sequence[str] = ()) -> Verdict:
        """See `Executor.look`."""
        small = self.scenario.glance(self.target, first)
        shown = tuple(case.id for case in small.tests)
        if shown not in self._looks:
            self._looks[shown] = LocalExecutor(small, self.target)
        self._looks[shown].say = self.say
        return self._looks[shown].evaluate(files)

    def compare(self, incumbent: Sources, candidate: Sources, usual: Mapping[str, float] | None = None) -> Comparison:
        """See `Executor.compare`."""
        from avo.tools.score.paired import compare

        with unfit():
            first = self.build(incumbent)
        second = self.build(candidate)
        with self.held() as judge:
            got = time.monotonic()
            with unfit():
                alone = [usual or self._by_itself(judge, incumbent, first)]
            alone.append(self._by_itself(judge, candidate, second))
            return replace(compare(judge, first, second, alone), lease=time.monotonic() - got)

    def _by_itself(self, judge: Judge, files: Sources, built: Build) -> Mapping[str, float]:
        """Return the seconds of a launch by case, as scored here before, or now. Raises Rejected."""
        from avo.tools.score.judge import judged

        tree = digest(files)
        if tree not in self._alone:
            self._alone[tree] = usual_seconds(judged(judge, built)[0])
        return self._alone[tree]

    @contextlib.contextmanager
    def held(self) -> Iterator[Judge]:
        """Lease a device of the target and yield its judge."""
        from avo.tools.devices.gpu import explained

        with lease(self.target, self.say) as index, explained():
            judge = self.judge_on(index)
            with judge.on_device():
                yield judge
