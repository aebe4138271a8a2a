"""An external operator's step: what people and programs do through commands, in the journal like an agent's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from avo.memory.journal import EXTERNAL
from avo.run import open_run, plant_seed
from avo.scenarios.loader import Scenario
from avo.tools.bench import Bench
from avo.tools.seeds import folder_sources
from avo.tools.sources import Sources
from avo.types import AvoError, Rejected, ToolError


@dataclass
class Offered(Bench):
    """A bench whose candidate lies elsewhere than in the work tree, which stays as it is."""

    offered: Sources = field(default_factory=dict)

    def sources(self) -> Sources:
        return self.offered


@contextmanager
def external_step(run: Path, scenario: Scenario, target: str, path: Path | None) -> Iterator[Bench]:
    """The run's bench over the candidate in `path` (default: the work tree); a new run gets its seed first.

    The step stays open: evaluations belong to it until a commit, which closes it.
    """
    import asyncio

    if path and not path.is_dir():
        raise AvoError(f"no folder '{path}'")
    offered = folder_sources(path) if path else None
    with open_run(run, scenario, target) as bench:
        asyncio.run(plant_seed(bench))
        if offered is not None:
            bench = Offered(**{f.name: getattr(bench, f.name) for f in fields(bench)}, offered=offered)
        bench.step, _ = bench.journal.open_step(bench.lineage.best().name, EXTERNAL)
        yield bench


def answer(bench: Bench, tool: str, said: str, work: Callable[[], Awaitable[str]]) -> tuple[str, bool]:
    """What a tool answers and whether it did what was asked; both sides are kept as messages."""
    import asyncio

    async def call() -> tuple[str, bool]:
        try:
            return await work(), True
        except (ToolError, Rejected) as error:
            return str(error), False

    bench.journal.add_message(bench.step, EXTERNAL, "call", f"{tool}: {said}", "", tool)
    text, worked = asyncio.run(call())
    bench.journal.add_message(bench.step, EXTERNAL, "result", text, "", tool)
    return text, worked
