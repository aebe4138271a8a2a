"""A coding agent as avo meets it: the official SDK's client over a real `avo mcp` process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import ClientSession, types
from mcp.client import stdio
from mcp.client.stdio import StdioServerParameters, stdio_client

TINY = Path(__file__).parents[1] / "tiny"
BOOT = "from avo.cli import main; main()"
HANDED_ON = ("AVO_", "PATH", "PYTHON", "OTEL", "TMPDIR")

stdio.PROCESS_TERMINATION_TIMEOUT = 120.0
"""Seconds that a server has to end by itself once its client left; a slow machine takes more than the SDK's two."""


@dataclass
class Agent:
    """One connection."""

    session: ClientSession
    said: list[str]
    """Notes of progress."""

    async def call(self, tool: str, **arguments: Any) -> str:
        """The tool's answer, which has to be that it worked."""
        text, worked = await self.try_(tool, **arguments)
        assert worked, text
        return text

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The tool's answer, which has to be that it did not."""
        text, worked = await self.try_(tool, **arguments)
        assert not worked, text
        return text

    async def try_(self, tool: str, **arguments: Any) -> tuple[str, bool]:
        async def progress(done: float, total: float | None, message: str | None) -> None:
            self.said.append(message or "")

        result = await self.session.call_tool(tool, arguments, progress_callback=progress)
        (content,) = result.content
        assert isinstance(content, types.TextContent)
        return content.text, not result.isError

    def pending(self) -> list[int | str]:
        """The numbers of requests without an answer, in order."""
        return sorted(self.session._response_streams)

    async def call_off(self, request: int | str) -> None:
        """Tell the server that nobody waits for this request any more."""
        cancelled = types.CancelledNotification(params=types.CancelledNotificationParams(requestId=request))
        await self.session.send_notification(types.ClientNotification(cancelled))

    async def resource(self, uri: Any) -> str:
        (content,) = (await self.session.read_resource(uri)).contents
        assert isinstance(content, types.TextResourceContents)
        return content.text


def server(run: Path, scenario: Path = TINY, errors: Path | None = None) -> StdioServerParameters:
    """How to start `avo mcp`; what it writes to standard error goes to a file if one is named."""
    arguments = ["mcp", str(scenario), "--target", "cpu", "--run", str(run)]
    variables = {name: value for name, value in os.environ.items() if name.startswith(HANDED_ON)}
    return StdioServerParameters(command=sys.executable, args=["-c", BOOT, *arguments], env=variables)


@asynccontextmanager
async def connected(parameters: StdioServerParameters) -> AsyncIterator[Agent]:
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield Agent(session, [])


def play(run: Path, part: Callable[[Agent], Awaitable[Any]], scenario: Path = TINY) -> Any:
    """Connect, let `part` talk to the server, and leave."""

    async def whole() -> Any:
        async with connected(server(run, scenario)) as agent:
            return await part(agent)

    return asyncio.run(whole())
