"""The worker: the coding agent that edits, measures and commits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, TypeVar

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage, ToolCallRequestEvent
from autogen_core import CancellationToken

from avo.spans import Facts, span
from avo.tools.workspace import Workspace

NAME = "worker"
T = TypeVar("T")
ROUNDS = 25
"""Model calls per turn; the next turn continues from the last result."""


class Worker(AssistantAgent):
    """An AssistantAgent that counts turns without tool calls and drops its inner events."""

    def __init__(self, workspace: Workspace, **options: Any) -> None:
        # AutoGen's default is one round a turn.
        super().__init__(NAME, max_tool_iterations=ROUNDS, **options)
        self._workspace = workspace
        self.idle_turns = 0
        """Consecutive turns without a tool call."""

    async def on_messages_stream(
        self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken
    ) -> AsyncGenerator[BaseAgentEvent | BaseChatMessage | Response, None]:
        """Take one turn, in a trace span."""
        called = False
        with self._workspace.noted():
            async for event in turn(NAME, super().on_messages_stream(messages, cancellation_token)):
                called = called or isinstance(event, ToolCallRequestEvent)
                if isinstance(event, Response):
                    self.idle_turns = 0 if called else self.idle_turns + 1
                    yield Response(chat_message=event.chat_message)
                else:
                    yield event


async def turn(agent: str, events: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield the events of an agent's turn, in a span."""
    facts: Facts = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}
    with span(f"invoke_agent {agent}", facts):
        async for event in events:
            yield event
