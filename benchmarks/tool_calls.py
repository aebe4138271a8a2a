"""Milliseconds that registry, context and journal add to a tool call, with 100 and with 10,000 earlier messages."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from autogen_core import FunctionCall
from autogen_core.models import AssistantMessage, FunctionExecutionResult, FunctionExecutionResultMessage

from avo.agents.context import JournalContext
from avo.agents.workbench import RegistryWorkbench
from avo.run import open_run, plant_seed
from avo.scenarios.loader import load
from avo.tools.all_tools import registry

TEXT = "x" * 2000
CALLS = 300


async def call(context: JournalContext, workbench: RegistryWorkbench, number: int) -> float:
    """One round as AutoGen makes it: the model's call into the context, the tool, its result, what the model sees."""
    started = time.perf_counter()
    function = FunctionCall(id=f"c{number}", name="lineage", arguments="{}")
    await context.add_message(AssistantMessage(content=[function], source="worker", thought=TEXT))
    answer = await workbench.call_tool("lineage", {})
    result = FunctionExecutionResult(
        content=answer.to_text() + TEXT, name="lineage", call_id=function.id, is_error=False
    )
    await context.add_message(FunctionExecutionResultMessage(content=[result]))
    await context.get_messages()
    return time.perf_counter() - started


async def measure() -> dict[str, object]:
    scenario = load(str(Path(__file__).parents[1] / "tests" / "tiny"))
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, open_run(Path(folder), scenario, "cpu", "tuner") as workspace:
        await plant_seed(workspace)
        workspace.journal.begin_session()
        workspace.step, _ = workspace.journal.open_step("v0")
        workbench = RegistryWorkbench(registry(workspace))
        for earlier in (100, 10_000):
            context = JournalContext("worker", workspace)
            while workspace.journal.count("messages") < earlier:
                await call(context, workbench, workspace.journal.count("messages"))
            started = time.perf_counter()
            context = JournalContext("worker", workspace)
            rebuilt = time.perf_counter() - started
            times = sorted([await call(context, workbench, n) for n in range(CALLS)])
            size = (Path(folder) / "avo.db").stat().st_size
            results[f"{earlier} messages"] = {
                "median_ms": round(statistics.median(times) * 1e3, 2),
                "p95_ms": round(times[int(0.95 * CALLS)] * 1e3, 2),
                "rebuild_context_s": round(rebuilt, 3),
                "database_mb": round(size / 1e6, 1),
            }
    return results


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure()), indent=1))
