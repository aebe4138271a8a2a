"""The workspace that every tool works on: one run's scenario, lineage, journal and executor."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import itertools
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from avo.faults import Defects, fault_of
from avo.memory.journal.journal import Attempt, Journal
from avo.memory.lineage import Lineage
from avo.scenarios.abi import HEADER, header
from avo.scenarios.loader import Scenario
from avo.settings import printable, without_secrets
from avo.spans import Facts, span
from avo.tools.build.knobs import settings_of
from avo.tools.build.sources import Sources, digest, read_sources
from avo.tools.score.executor import Executor
from avo.types import RULES, AvoError, ToolError, Verdict, Version

T = TypeVar("T")
OLDER, ELSEWHERE = "by an older judge", "on another machine"
"""Reasons why a score does not compare with those that are measured here and now."""
LONGEST_DIRECTION = 2000
"""Maximum length in characters of an agent's description of an attempt."""


@dataclass
class Workspace:
    """The state that tools get as their first argument; models never see it."""

    scenario: Scenario
    target: str
    lineage: Lineage
    journal: Journal
    executor: Executor
    artifacts: Path
    """Folder of the run's reports and logs."""
    step: int = 0
    """Number of the current variation step."""
    ended: str = ""
    """Reason why the worker ended the step by itself, if it did."""
    exhausted: bool = False
    """True if the worker said that it has no direction left."""
    may_score: Callable[[int], int] = lambda wanted: wanted
    """Function that returns how many of that number of further evaluations may begin."""
    fault: AvoError | None = None
    """An error that no agent can correct: the machine's fault, the scenario's or avo's own. It ends the run."""
    defects: Defects = field(default_factory=Defects)
    """Repeated failures of tools, by which a defect of avo is recognized."""
    _device: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while blocking work is under way."""

    @property
    def work_tree(self) -> Path:
        """Folder of the work tree."""
        return self.lineage.folder

    def sources(self) -> Sources:
        """Return the sources in the work tree. Raises ToolError for what cannot be a candidate."""
        return read_sources(self.work_tree)

    def added(self) -> dict[str, bytes]:
        """Return the files that the harness adds to the sources of a version."""
        return {HEADER: header(self.scenario).encode()}

    def log(self, error: BaseException) -> None:
        """Append an unexpected error's traceback to the run's errors.log; agents are shown one line of it."""
        text = printable(without_secrets("".join(traceback.format_exception(error))))
        with contextlib.suppress(OSError):  # the disk may be what is at fault
            self.artifacts.mkdir(parents=True, exist_ok=True)
            with (self.artifacts / "errors.log").open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Store the fault behind an exception in the block: AutoGen passes on no more than its text."""
        try:
            yield
        except Exception as error:
            self.fault = self.fault or fault_of(error)
            raise

    def known(self, files: Sources) -> Attempt | None:
        """Return a tree's evaluation if it need not be repeated; None without one that compares with others."""
        attempt = self.journal.attempt_of(digest(files))
        return None if attempt and self.origin(attempt.verdict) else attempt

    def origin(self, verdict: Verdict) -> str:
        """Return OLDER or ELSEWHERE; "" for a verdict by this judge on this machine."""
        if verdict.rules != RULES:
            return OLDER
        return ELSEWHERE if verdict.passed and not self.executor.measured_here(verdict.device) else ""

    def scored(self, version: Version) -> Version:
        """Return a version with the score that counts: it may have been scored again since it was committed."""
        return scored(self.journal, version)

    async def evaluate(self, files: Sources, direction: str) -> tuple[Attempt, bool]:
        """Evaluate a tree, and journal it before anything else happens; return the attempt, and True if it is new."""
        [(attempt, new)] = await self.evaluate_all([files], direction)
        return attempt, new

    async def evaluate_all(self, trees: Sequence[Sources], direction: str) -> list[tuple[Attempt, bool]]:
        """Evaluate several trees, as many at a time as there are devices; return what `evaluate` returns for each.

        Raises ToolError at the run's limit.
        """
        done: dict[str, Attempt] = {}
        fresh: set[str] = set()
        named = [(digest(files), files) for files in trees]
        for group in batched(named, self.executor.devices):
            done |= {tree: known for tree, files in group if (known := self.known(files))}
            new = {tree: files for tree, files in group if tree not in done}
            if not new:  # nothing to wait for the device for
                continue
            allowed = dict(itertools.islice(new.items(), self.may_score(len(new))))
            verdicts = await self.blocking(lambda: self._side_by_side([*allowed.values()]))  # noqa: B023
            for (tree, files), verdict in zip(allowed.items(), verdicts, strict=True):
                if isinstance(verdict, Verdict):
                    done[tree] = self.record(files, direction, verdict, settings_of(files))
                    fresh.add(tree)
            for failure in verdicts:
                if isinstance(failure, BaseException):
                    raise failure
            if len(allowed) < len(new):
                raise ToolError(f"a limit of this run ends it here: {len(fresh)} of {len(named)} were scored just now")
        return [(done[tree], tree in fresh) for tree, _ in named]

    def _side_by_side(self, trees: list[Sources]) -> list[Verdict | BaseException]:
        """Return the verdict on each tree, or the exception in its place."""
        with ThreadPoolExecutor(max(1, len(trees))) as pool:
            under_way = [pool.submit(copy_context().run, self.verdict, files) for files in trees]
            return [future.exception() or future.result() for future in under_way]

    def verdict(self, files: Sources) -> Verdict:
        """Return the verdict on one tree, without journalling it; blocking."""
        facts: Facts = {"avo.scenario": self.scenario.name, "avo.target": self.target, "avo.tree": digest(files)}
        with span("evaluate", facts | {"avo.step": self.step}) as told:
            verdict = self.executor.evaluate(files)
            told |= {"avo.status": str(verdict.status), "avo.score": verdict.score, "avo.unit": verdict.unit}
        return verdict

    async def look(self, files: Sources) -> Verdict:
        """Return the verdict of a quick look, which is no attempt: only its cost is journalled."""
        first = self.journal.refusing()
        verdict = await self.blocking(lambda: self.executor.look(files, first))
        self._spend("look", verdict)
        return verdict

    def _spend(self, kind: str, verdict: Verdict) -> None:
        seconds, lease = verdict.cost.get("total", 0.0), verdict.cost.get("lease", 0.0)
        self.journal.spend(self.step, "worker", kind, seconds=seconds, device=round(lease, 3))

    def record(self, files: Sources, direction: str, verdict: Verdict, knobs: Mapping[str, str]) -> Attempt:
        """Journal an evaluation and its cost. knobs: the settings that it is evidence about."""
        parent = self.lineage.versions()[-1] if self.lineage.versions() else None
        before = self.lineage.files(parent) if parent else {}
        seconds, direction = verdict.cost.get("total", 0.0), direction[:LONGEST_DIRECTION]
        self._spend("evaluation", verdict)
        if old := self.journal.attempt_of(digest(files)):
            self.journal.forget(old.tree, f"scored anew, since it was scored {self.origin(old.verdict) or 'before'}")
        attempt = self.journal.add_attempt(
            self.step, digest(files), parent.name if parent else "", direction, knobs, verdict,
            unified_diff(before, files), seconds,
        )  # fmt: skip
        self.journal.link_consulted(self.step, attempt.id)
        return attempt

    async def blocking(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread, one at a time, and wait for it to end even if this task is cancelled."""
        async with self._device:
            task = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                with contextlib.suppress(BaseException):
                    await task
                raise


def scored(journal: Journal, version: Version) -> Version:
    """Return a version with the score of its attempt that counts, rounded like a version's."""
    attempt = journal.attempt_of(version.tree)
    if attempt is None or not attempt.verdict.passed:
        return version
    return replace(version, score=float(f"{attempt.verdict.score:.6g}"), scores=attempt.verdict.scores)


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield pieces of at most `size` items, in order (in itertools from Python 3.12 on)."""
    return (items[start : start + size] for start in range(0, len(items), size))


def unified_diff(before: Sources, after: Sources) -> str:
    """Return the changes between two trees, file by file."""
    parts: list[str] = []
    for name in sorted({*before, *after}):
        old, new = (side.get(name, b"").decode("utf-8", "replace").splitlines() for side in (before, after))
        parts += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(parts)
