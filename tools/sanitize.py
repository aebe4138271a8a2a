"""The tool sanitize: races and invalid accesses that the judge's checks may not show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from avo.scenarios.loader import Scenario, family
from avo.tools.build.builder import Build
from avo.tools.build.sources import Sources
from avo.tools.devices.lease import lease
from avo.tools.workspace import Workspace
from avo.types import Missing, ToolError

if TYPE_CHECKING:
    from avo.tools.instruments.sanitizer import Findings

Tool = Literal["usual", "memcheck", "racecheck", "initcheck", "synccheck", "address", "undefined", "all"]
"""Names of sanitizers, and of groups of them."""


async def sanitize(workspace: Workspace, tool: Tool = "usual") -> str:
    """Look for wrong memory accesses, undefined behaviour, races and misused barriers in the work tree, on the tests.

    tool: "usual" is memcheck on a GPU, address and undefined on a CPU. Slow: it instruments every access.
    """
    from avo.tools.instruments.harness import Unread
    from avo.tools.instruments.sanitizer import text

    files, build = workspace.sources(), workspace.executor.build
    try:
        built = await workspace.blocking(lambda: build(files))
        tools = chosen(tool, workspace.target)
        found = await workspace.blocking(lambda: sanitized(built, files, workspace.scenario, workspace.target, tools))
    except (Unread, Missing) as reason:
        raise ToolError(f"not checked: {reason}") from reason
    return text(found, built.sass)


def chosen(tool: str, target: str) -> tuple[str, ...]:
    """Return the sanitizers that a name stands for on a target."""
    from avo.tools.instruments.sanitizer import CPU_TOOLS, TOOLS

    if family(target) == "cpu":
        return tuple(CPU_TOOLS) if tool in ("usual", "all") else (tool,)
    return tuple(TOOLS) if tool == "all" else ("memcheck" if tool == "usual" else tool,)


def sanitized(
    built: Build, files: Sources, scenario: Scenario, target: str, tools: tuple[str, ...], keep: Path | None = None
) -> list[Findings]:
    """Return the findings of each sanitizer in `files` and their build; logs go to `keep`. Waits for the device.

    Raises Unread or Missing when one cannot run.
    """
    from avo.tools.instruments.harness import Unread
    from avo.tools.instruments.sanitizer import CPU_TOOLS, TOOLS
    from avo.tools.instruments.sanitizer import sanitize as run_one

    ours = CPU_TOOLS if family(target) == "cpu" else TOOLS
    if wrong := [tool for tool in tools if tool not in ours]:
        raise Unread(f"{wrong[0]} is not for the target {target}, which has {', '.join(ours)}")
    if family(target) == "cpu":
        from avo.tools.instruments.cpu_sanitizer import sanitize_on_cpu

        with lease(target):
            return [sanitize_on_cpu(files, scenario, tool, keep) for tool in tools]

    from avo.tools.devices.gpu import require_gpu

    require_gpu(target)
    with lease(target) as index:
        return [run_one(built, scenario, target, tool, index, keep) for tool in tools]
