"""The tool registry as AutoGen's Workbench: calls never raise.

Faults that no agent can mend (a lost GPU, a full disk, a broken scenario) are stored in the workspace: the step is
interrupted but stays open, and no further model call is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from autogen_core import CancellationToken
from autogen_core.tools import ParametersSchema, TextResultContent, ToolResult, ToolSchema, Workbench

from avo.agents.models.messages import INTERRUPTED
from avo.faults import fault_of
from avo.scenarios.discreet import discreet
from avo.settings import without_secrets
from avo.tools.answer import Answer
from avo.tools.payloads import Committed, Ended, Interrupted, Payload
from avo.tools.registry import Registry, Tool
from avo.types import Cancelled

CLOSING = " The step is over: answer with one line that sums it up."
"""Appended to the result of the call that ended the step."""


class RegistryWorkbench(Workbench):
    """All tools of the registry, or only those that read."""

    def __init__(
        self, registry: Registry, *, reading_only: bool = False, heard: dict[str, Payload] | None = None
    ) -> None:
        """heard: receives the payloads of the answers, by call id."""
        self._registry, self._heard = registry, {} if heard is None else heard
        tools = [tool for tool in registry.tools.values() if not (reading_only and tool.changes)]
        self.names = [tool.name for tool in tools]
        self._one_by_one = asyncio.Lock()
        self._schemas = [_schema(tool) for tool in tools]  # once: pydantic takes 10 ms for all of them

    async def list_tools(self) -> list[ToolSchema]:
        """Return the schemas of the tools."""
        return list(self._schemas)

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        """Call a tool and store its payload; an unknown name gets an error as its result."""
        if name not in self.names:
            return _result(name, Answer(f"there is no tool '{name}'; there are: {', '.join(self.names)}", worked=False))
        answer = await self._answer(name, arguments)
        if call_id and answer.data:
            self._heard[call_id] = answer.data
        return _result(name, answer)

    async def _answer(self, name: str, arguments: Mapping[str, Any] | None) -> Answer:
        workspace = self._registry.workspace
        if workspace.fault:  # another call of the same answer met it
            return Answer(INTERRUPTED, Interrupted(), False)
        try:
            answer = await self._call(name, arguments)
        except Cancelled:
            return Answer(f"{name}: stopped by the user", Interrupted(), False)
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                workspace.log(error)
                fault = workspace.defects.failed(name, error)
            if fault:
                workspace.fault = workspace.fault or fault
                return Answer(INTERRUPTED, Interrupted(), False)
            line = without_secrets(f"{name}: internal error: {type(error).__name__}: {error}")
            return Answer(discreet(line, workspace.scenario), worked=False)
        workspace.defects.worked(name)
        return answer

    async def _call(self, name: str, arguments: Mapping[str, Any] | None) -> Answer:
        """Call a tool. AutoGen starts all calls of an answer at once; those with effects run in the model's order."""
        if not self._registry.tools[name].changes:
            return await self._registry.call(name, arguments)
        async with self._one_by_one:
            return await self._registry.call(name, arguments)

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def reset(self) -> None:
        """Nothing to reset."""

    async def save_state(self) -> Mapping[str, Any]:
        """Return no state: all of it is in the journal."""
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Do nothing: all state is in the journal."""


def _schema(tool: Tool) -> ToolSchema:
    schema = tool.schema
    return ToolSchema(
        name=tool.name,
        description=tool.description,
        parameters=ParametersSchema(
            type="object",
            properties=schema.get("properties", {}),
            required=schema.get("required", []),
            additionalProperties=False,
        ),
    )


def _result(name: str, answer: Answer) -> ToolResult:
    closing = CLOSING if isinstance(answer.data, Committed | Ended) else ""
    content = (answer.text or "(no output)") + closing
    return ToolResult(name=name, result=[TextResultContent(content=content)], is_error=not answer.worked)
