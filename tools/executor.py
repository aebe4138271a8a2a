"""Where candidates are built and measured: an Executor. Here, on this machine."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from avo.scenarios.loader import Scenario
from avo.settings import device_lock
from avo.tools.score.builder import Build, build
from avo.tools.score.compilers import compiler_of
from avo.tools.sources import Sources, digest
from avo.types import Comparison, Rejected, Status, Verdict

if TYPE_CHECKING:
    from avo.tools.score.judge import Judge

BUILDS_AT_ONCE = 2
BUILDS_KEPT = 160
"""More than a sweep compiles ahead."""


class Executor(Protocol):
    """Builds and measures candidates of one scenario on one target; blocking, called from a thread."""

    def build(self, files: Sources) -> Build:
        """Compile only. Raises Rejected."""
        ...

    def evaluate(self, files: Sources) -> Verdict:
        """f of one tree; a rejection is a verdict."""
        ...

    def compare(self, incumbent: Sources, candidate: Sources) -> Comparison:
        """Both interleaved in one lease of the device. Raises Rejected."""
        ...

    def prepare(self, trees: list[Sources]) -> None:
        """Compile several trees ahead of their evaluation, side by side."""
        ...


class LocalExecutor:
    """Builds in subprocesses of this machine; one lock per device round every measurement."""

    def __init__(self, scenario: Scenario, target: str, builds: Path | None = None) -> None:
        """`builds`: where the latest libraries are kept by tree; a temporary folder otherwise."""
        self.scenario, self.target = scenario, target
        self._scratch = None if builds else tempfile.TemporaryDirectory(prefix="avo-")
        self._builds = Path(self._scratch.name if self._scratch else builds or "").resolve()
        if builds:
            shutil.rmtree(builds, ignore_errors=True)  # a killed process left them
        self._done: dict[str, Build | Rejected] = {}

    @cached_property
    def judge(self) -> Judge:
        """Loads torch. Raises Missing when the target's device is not there."""
        from avo.tools.score.gpu import require_gpu
        from avo.tools.score.judge import Judge

        if self.target != "cpu":
            require_gpu(self.target)

        return Judge(self.scenario, self.target)

    def build(self, files: Sources) -> Build:
        tree = digest(files)
        if tree not in self._done:
            folder = self._builds / tree
            shutil.rmtree(folder, ignore_errors=True)
            try:
                self._done[tree] = build(files, self.scenario, self.target, folder)
            except Rejected as rejected:
                self._done[tree] = rejected
            self._forget()
        result = self._done[tree]
        if isinstance(result, Rejected):
            raise result
        return result

    def _forget(self) -> None:
        """Delete the oldest builds."""
        for tree in list(self._done)[:-BUILDS_KEPT]:
            del self._done[tree]
            shutil.rmtree(self._builds / tree, ignore_errors=True)

    def prepare(self, trees: list[Sources]) -> None:
        with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
            for future in [pool.submit(self.build, files) for files in trees]:
                with contextlib.suppress(Rejected):
                    future.result()

    def evaluate(self, files: Sources) -> Verdict:
        from avo.tools.score.gpu import gpu
        from avo.tools.score.judge import judged
        from avo.tools.score.roofline import device

        started = time.monotonic()
        unit, version = self.judge.settings.unit, compiler_of(self.target).version
        verdict = Verdict(Status.PASSED, "", unit, device=gpu() if self.judge.on_gpu else device(), compiler=version)
        cost: dict[str, float] = {}
        try:
            built = self.build(files)
            verdict, cost["compile"] = replace(verdict, log=built.log), built.seconds
            with lease(self.target):
                baselines = self.judge.baselines()
                scores, phases = judged(self.judge, built)
            verdict = replace(verdict, cases=tuple(scores), baselines=baselines)
            cost |= phases
        except Rejected as rejected:
            log = rejected.log or verdict.log
            verdict = replace(verdict, status=rejected.status, reason=rejected.reason, log=log)
        return replace(verdict, cost=cost | {"total": time.monotonic() - started})

    def compare(self, incumbent: Sources, candidate: Sources) -> Comparison:
        from avo.tools.score.paired import compare

        builds = self.build(incumbent), self.build(candidate)
        with lease(self.target):
            return compare(self.judge, *builds)


@contextlib.contextmanager
def lease(device: str) -> Iterator[None]:
    """Hold the device alone among all avo processes of this machine; waits for the others."""
    path = device_lock(device)
    with path.open("a") as file:
        with contextlib.suppress(PermissionError):
            path.chmod(0o666)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
