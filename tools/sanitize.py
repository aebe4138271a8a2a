"""Check a candidate with compute-sanitizer: races and accesses that the judge's checks may not show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from avo.scenarios.loader import Scenario, family
from avo.tools.bench import Bench
from avo.tools.executor import lease
from avo.tools.score.builder import Build
from avo.types import Missing, ToolError

if TYPE_CHECKING:
    from avo.tools.score.sanitizer import Findings

Tool = Literal["memcheck", "racecheck", "initcheck", "synccheck", "all"]


async def sanitize(bench: Bench, tool: Tool = "memcheck") -> str:
    """Look for wrong memory accesses, races and misused barriers in the work tree, on the tests that you may know.

    tool: memcheck, racecheck, initcheck, synccheck or all. Slow: it instruments every access. CUDA targets only.
    """
    from avo.tools.score.instrument import Unread
    from avo.tools.score.sanitizer import text

    files, build = bench.sources(), bench.executor.build
    try:
        built = await bench.blocking(lambda: build(files))
        found = await bench.blocking(lambda: sanitized(built, bench.scenario, bench.target, chosen(tool)))
    except (Unread, Missing) as reason:
        raise ToolError(f"not checked: {reason}") from reason
    return text(found, built.sass)


def chosen(tool: str) -> tuple[str, ...]:
    """The tools that a name stands for."""
    from avo.tools.score.sanitizer import TOOLS

    return tuple(TOOLS) if tool == "all" else (tool,)


def sanitized(
    built: Build, scenario: Scenario, target: str, tools: tuple[str, ...], keep: Path | None = None
) -> list[Findings]:
    """What each of the tools finds; their logs go to `keep`. Waits for the device.

    Raises Unread or Missing when they cannot look.
    """
    from avo.tools.score.instrument import Unread
    from avo.tools.score.sanitizer import sanitize as run_one

    if family(target) == "cpu":
        raise Unread("compute-sanitizer is for CUDA targets; the CPU's candidates run between guard bands anyway")

    from avo.tools.score.gpu import require_gpu

    require_gpu(target)
    with lease(target) as index:
        return [run_one(built, scenario, target, tool, index, keep) for tool in tools]
