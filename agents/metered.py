"""A client under the run's limits: asks only while they allow it, and enters each call in the ledger first."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autogen_core.model_context import ChatCompletionContext
from autogen_core.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    LLMMessage,
    ModelInfo,
    UserMessage,
)

from avo.agents.models.client import LONGEST_TEXT, STOPPED, Client, Usage, readable, stopped_answer
from avo.agents.models.prices import Price
from avo.memory.journal.steering import mark_seen, unseen
from avo.settings import without_secrets
from avo.tools.workspace import Workspace

STEERING = "steering"
"""Source and kind of a message from a person to the worker."""

Said = Callable[[], Awaitable[Sequence[LLMMessage]]]
"""Returns people's messages to the worker since the last call."""
Paid = Callable[[Usage, float, CreateResult], Awaitable[None]]
"""Stores a call's usage, seconds and answer."""


async def always() -> bool:
    """Return True: no limit."""
    return True


async def nothing() -> Sequence[LLMMessage]:
    """Return no messages."""
    return []


@dataclass(frozen=True)
class Terms:
    """The conditions under which a run's models are called: limits, names and prices."""

    may_call: Callable[[], Awaitable[bool]] = always
    """Waits while the run is paused; returns False when a limit forbids a further call."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Agent name -> model name."""
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    """Agent name -> price of its model; None when it is not known."""

    def enter(self, workspace: Workspace, agent: str, usage: Usage, seconds: float) -> None:
        """Write one model call into the ledger."""
        price = self.prices.get(agent)
        usd = price.usd(usage.prompt, usage.cached, usage.completion, usage.written) if price else None
        workspace.journal.spend(
            workspace.step, agent, "model", usage.prompt, usage.completion, round(seconds, 3),
            cached=usage.cached, model=self.models.get(agent, ""), usd=usd,
        )  # fmt: skip


class Metered(Client):
    """A client under the run's limits: passes calls on with people's messages, or returns `stopped_answer()`."""

    def __init__(
        self, inner: ChatCompletionClient, paid: Paid, stopped: Callable[[], bool],
        may_call: Callable[[], Awaitable[bool]] = always, said: Said = nothing, *, estimate: bool = False,
    ) -> None:  # fmt: skip
        """paid: stores tokens, seconds and answer of a call before the answer is returned.
        may_call: waits while the run is paused; False at a limit.
        said: returns people's messages since the last call.
        estimate: count four characters as a token where the server reports no usage.
        """
        self._estimate = estimate
        self._inner, self._paid, self._stopped = inner, paid, stopped
        self._may_call, self._said = may_call, said

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Ask the inner client and record the call, also when it raised after tokens were spent."""
        if self._stopped() or not await self._may_call():
            return stopped_answer()
        messages = [*messages, *await self._said()]
        began = time.monotonic()
        try:
            result = await self._inner.create(messages, **options)
        except Exception:  # answers that were of no use are on the bill all the same
            if (usage := getattr(self._inner, "last_usage", Usage())) != Usage():
                await self._paid(usage, time.monotonic() - began, stopped_answer())
            raise
        seconds = time.monotonic() - began
        if isinstance(result.content, list):  # a server knows the key that it was called with, and may say it again
            for call in result.content:
                call.arguments = readable(without_secrets(call.arguments))
        else:
            result.content = fit_to_keep(result.content)
        result.thought = fit_to_keep(result.thought) if result.thought else result.thought
        usage = self._usage(result)
        if usage == Usage() and self._estimate and result.content != STOPPED:
            usage = Usage(self.count_tokens(messages), 0, self.count_tokens([answer_of(result)]))
        if result.content != STOPPED or usage != Usage():
            await self._paid(usage, seconds, result)
        return result

    def _usage(self, result: CreateResult) -> Usage:
        known: Usage = getattr(self._inner, "last_usage", Usage())
        if known != Usage():
            return known
        return Usage(result.usage.prompt_tokens, 0, result.usage.completion_tokens)

    @property
    def model_info(self) -> ModelInfo:
        """The inner client's."""
        return self._inner.model_info


def fit_to_keep(text: str) -> str:
    """Return the text without keys and without characters that UTF-8 cannot encode, cut to LONGEST_TEXT characters."""
    return without_secrets(text).encode("utf-8", "replace").decode()[:LONGEST_TEXT]


def answer_of(result: CreateResult) -> AssistantMessage:
    """Return the result as a message of the conversation."""
    return AssistantMessage(content=result.content, thought=result.thought, source="model")


async def steering(workspace: Workspace, context: ChatCompletionContext) -> Sequence[LLMMessage]:
    """Add people's messages since the last call to the worker's conversation, and return them.

    After a kill in between, they are delivered twice rather than never.
    """
    told = []
    for entry in unseen(workspace.journal):
        message = UserMessage(content=f"A person steers this run: {entry.text}", source=STEERING)
        await context.add_message(message)
        mark_seen(workspace.journal, [entry])
        told.append(message)
    return told
