"""The MCP server: avo's tools, the brief and the run's lists for one client. The only module that imports the SDK."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

from mcp import McpError, types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from pydantic import AnyUrl

import avo
from avo.mcp.desk import Desk
from avo.mcp.stdio import Answers, Lines
from avo.operators.external import RULES
from avo.operators.signals import heeded
from avo.tools.answer import Answer
from avo.tools.workspace import Workspace
from avo.types import AvoError

if TYPE_CHECKING:
    from anyio import AsyncFile

EVERY = 1.0
"""Seconds between two progress notifications."""
NOT_FOUND = -32002
"""MCP's error code for a missing resource."""
BRIEF = "What this step is about: the task, the versions so far, the latest attempts, the notes."
RESOURCES = {
    "brief": BRIEF, "lineage": "The versions kept so far, oldest first.", "notes": "Lessons that were written down.",
}  # fmt: skip
"""Name of a resource -> its description."""


async def serve(workspace: Workspace, stdio: tuple[int, int]) -> int:
    """Serve until the client leaves (return 0) or a signal comes (return its number). Nothing is left running.

    stdio: file descriptors of input and output.
    """
    loop, signals, desk = asyncio.get_running_loop(), list[int](), Desk(workspace)
    lines = Lines(stdio[0])
    answers = Answers(stdio[1], lines.end)
    made = _server(desk)

    def leave(number: int) -> None:
        signals.append(number)
        lines.end()

    for number in heeded():
        loop.add_signal_handler(number, leave, number)
    try:
        # The SDK reads lines and writes texts, nothing else of a file.
        async with stdio_server(cast("AsyncFile[str]", lines), cast("AsyncFile[str]", answers)) as (read, write):
            await made.run(read, write, made.create_initialization_options())
    finally:
        await desk.close()
        answers.close()
    return signals[0] if signals else 0


def _server(desk: Desk) -> Server[Any, Any]:
    made: Server[Any, Any] = Server("avo", avo.__version__, RULES.read_text())

    async def list_tools(_: types.ListToolsRequest) -> types.ServerResult:
        tools = [
            types.Tool(
                name=tool.name, description=tool.description, inputSchema=tool.schema,
                annotations=types.ToolAnnotations(readOnlyHint=not tool.changes, openWorldHint=False),
            )
            for tool in desk.registry.tools.values()
        ]  # fmt: skip
        return types.ServerResult(types.ListToolsResult(tools=tools))

    async def call_tool(request: types.CallToolRequest) -> types.ServerResult:
        task = desk.start(request.params.name, request.params.arguments or {})
        answer = await _reported(made, request.params.name, desk, task)
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=answer.text or "(no output)")]
        return types.ServerResult(types.CallToolResult(content=content, isError=not answer.worked))

    async def list_prompts(_: types.ListPromptsRequest) -> types.ServerResult:
        return types.ServerResult(types.ListPromptsResult(prompts=[types.Prompt(name="brief", description=BRIEF)]))

    async def get_prompt(request: types.GetPromptRequest) -> types.ServerResult:
        if request.params.name != "brief":
            raise McpError(types.ErrorData(code=types.INVALID_PARAMS, message="there is one prompt: brief"))
        said = types.TextContent(type="text", text=await _read(desk, "brief"))
        message = types.PromptMessage(role="user", content=said)
        return types.ServerResult(types.GetPromptResult(description=BRIEF, messages=[message]))

    async def list_resources(_: types.ListResourcesRequest) -> types.ServerResult:
        there = [
            types.Resource(name=name, uri=AnyUrl(f"avo://{name}"), description=what, mimeType="text/plain")
            for name, what in RESOURCES.items()
        ]
        return types.ServerResult(types.ListResourcesResult(resources=there))

    async def read_resource(request: types.ReadResourceRequest) -> types.ServerResult:
        uri = request.params.uri
        name = str(uri).removeprefix("avo://").strip("/")
        if name not in RESOURCES:
            names = ", ".join(f"avo://{known}" for known in RESOURCES)
            raise McpError(types.ErrorData(code=NOT_FOUND, message=f"no resource {uri}; there are: {names}"))
        text = await _read(desk, name)
        content = types.TextResourceContents(uri=uri, text=text, mimeType="text/plain")
        return types.ServerResult(types.ReadResourceResult(contents=[content]))

    made.request_handlers |= {
        types.ListToolsRequest: list_tools, types.CallToolRequest: call_tool,
        types.ListPromptsRequest: list_prompts, types.GetPromptRequest: get_prompt,
        types.ListResourcesRequest: list_resources, types.ReadResourceRequest: read_resource,
    }  # fmt: skip
    return made


async def _read(desk: Desk, name: str) -> str:
    try:
        return await desk.read(name)
    except AvoError as error:
        raise McpError(types.ErrorData(code=types.INTERNAL_ERROR, message=str(error))) from error


async def _reported(made: Server[Any, Any], name: str, desk: Desk, task: asyncio.Task[Answer]) -> Answer:
    """Wait for a call and notify the client of the elapsed seconds; a client's cancellation stops the call."""
    context, started = made.request_context, time.monotonic()
    token = context.meta.progressToken if context.meta else None
    try:
        while not (await asyncio.wait({task}, timeout=EVERY))[0]:
            if token is not None:
                seconds = round(time.monotonic() - started, 1)
                await context.session.send_progress_notification(token, seconds, message=f"{name}: {seconds:.0f} s")
        return task.result()
    except asyncio.CancelledError:
        desk.stop(task)
        raise
