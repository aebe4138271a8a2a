"""The bench: what every tool works on: one run's scenario, lineage, journal and executor."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import itertools
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from avo.memory.journal import Attempt, Journal
from avo.memory.lineage import Lineage
from avo.scenarios.abi import HEADER, header
from avo.scenarios.loader import Scenario
from avo.settings import printable, without_secrets
from avo.tools.executor import Executor
from avo.tools.knobs import settings_of
from avo.tools.sources import Sources, digest, read_sources
from avo.tools.spans import Facts, span
from avo.types import ToolError, Verdict

T = TypeVar("T")
LONGEST_DIRECTION = 2000
"""Characters of what an agent says about an attempt."""


def no_limit(wanted: int) -> int:
    return wanted


@dataclass
class Bench:
    """Tools take it as their first argument; models never see it."""

    scenario: Scenario
    target: str
    lineage: Lineage
    journal: Journal
    executor: Executor
    artifacts: Path
    step: int = 0
    """The variation step under way."""
    ended: str = ""
    """Why the worker ended the step by itself, if it did."""
    exhausted: bool = False
    """The worker said that it has no direction left."""
    may_score: Callable[[int], int] = no_limit
    """How many of so many further evaluations may begin."""
    unsafe_shell: bool = False
    """Run the shell tool also where nothing keeps its commands from the rest of the machine."""
    _device: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def work_tree(self) -> Path:
        return self.lineage.folder

    def sources(self) -> Sources:
        """What stands in the work tree. Raises ToolError for what cannot be a candidate."""
        return read_sources(self.work_tree)

    def added(self) -> dict[str, bytes]:
        """Files that the harness puts beside the sources of a version."""
        return {HEADER: header(self.scenario).encode()}

    def log(self, error: BaseException) -> None:
        """Write what nobody expected into the run's artifacts, for people: one line is what agents are told."""
        self.artifacts.mkdir(parents=True, exist_ok=True)
        with (self.artifacts / "errors.log").open("a") as file:
            file.write(printable(without_secrets("".join(traceback.format_exception(error)))))

    async def evaluate(self, files: Sources, direction: str) -> tuple[Attempt, bool]:
        """f of one tree, written to the journal before anything else happens: the attempt, and whether it is new."""
        [(attempt, new)] = await self.evaluate_all([files], direction)
        return attempt, new

    async def evaluate_all(self, trees: Sequence[Sources], direction: str) -> list[tuple[Attempt, bool]]:
        """The same of several trees, as many at a time as there are devices. Raises ToolError at the run's limit."""
        done: dict[str, Attempt] = {}
        fresh: set[str] = set()
        named = [(digest(files), files) for files in trees]
        for group in batched(named, self.executor.devices):
            done |= {tree: known for tree, _ in group if (known := self.journal.attempt_of(tree))}
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
        """The verdict of each, or why there is none."""
        with ThreadPoolExecutor(max(1, len(trees))) as pool:
            under_way = [pool.submit(copy_context().run, self.verdict, files) for files in trees]
            return [future.exception() or future.result() for future in under_way]

    def verdict(self, files: Sources) -> Verdict:
        """f of one tree, which is written nowhere; blocking."""
        facts: Facts = {"avo.scenario": self.scenario.name, "avo.target": self.target, "avo.tree": digest(files)}
        with span("evaluate", facts | {"avo.step": self.step}) as told:
            verdict = self.executor.evaluate(files)
            told |= {"avo.status": str(verdict.status), "avo.score": verdict.score, "avo.unit": verdict.unit}
        return verdict

    def record(self, files: Sources, direction: str, verdict: Verdict, knobs: Mapping[str, str]) -> Attempt:
        """Write an evaluation to the journal, and what it cost; `knobs`: the settings that it says something of."""
        parent = self.lineage.versions()[-1] if self.lineage.versions() else None
        before = self.lineage.files(parent) if parent else {}
        seconds, direction = verdict.cost.get("total", 0.0), direction[:LONGEST_DIRECTION]
        lease = verdict.cost.get("lease", 0.0)
        self.journal.spend(self.step, "worker", "evaluation", seconds=seconds, device=round(lease, 3))
        attempt = self.journal.add_attempt(
            self.step, digest(files), parent.name if parent else "", direction, knobs, verdict,
            unified_diff(before, files), seconds,
        )  # fmt: skip
        self.journal.link_consulted(self.step, attempt.id)
        return attempt

    async def blocking(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread, one at a time, and wait for it to end even when this task is cancelled."""
        async with self._device:
            task = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                with contextlib.suppress(BaseException):
                    await task
                raise


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Pieces of at most `size` items, in order (itertools has it from Python 3.12 on)."""
    return (items[start : start + size] for start in range(0, len(items), size))


def unified_diff(before: Sources, after: Sources) -> str:
    """What changed, file by file."""
    parts: list[str] = []
    for name in sorted({*before, *after}):
        old, new = (side.get(name, b"").decode("utf-8", "replace").splitlines() for side in (before, after))
        parts += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(parts)
