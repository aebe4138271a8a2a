"""A model under the run's limits: asked while they allow it, entered in the ledger before its answer counts."""

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
"""Source and kind of a message in which a person speaks to the worker."""

Said = Callable[[], Awaitable[Sequence[LLMMessage]]]
Paid = Callable[[Usage, float, CreateResult], Awaitable[None]]


async def always() -> bool:
    return True


async def nothing() -> Sequence[LLMMessage]:
    return []


@dataclass(frozen=True)
class Terms:
    """On what terms the models of a run are called."""

    may_call: Callable[[], Awaitable[bool]] = always
    """Waits while the run is paused; False when a limit forbids a further call."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Agent -> the name of its model."""
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    """Agent -> what its model costs; None when that is not known."""

    def enter(self, workspace: Workspace, agent: str, usage: Usage, seconds: float) -> None:
        """Write one call into the ledger."""
        price = self.prices.get(agent)
        usd = price.usd(usage.prompt, usage.cached, usage.completion, usage.written) if price else None
        workspace.journal.spend(
            workspace.step, agent, "model", usage.prompt, usage.completion, round(seconds, 3),
            cached=usage.cached, model=self.models.get(agent, ""), usd=usd,
        )  # fmt: skip


class Metered(Client):
    """Passes calls on while they are allowed, with what people said meanwhile; answers by itself when they are not."""

    def __init__(
        self, inner: ChatCompletionClient, paid: Paid, stopped: Callable[[], bool],
        may_call: Callable[[], Awaitable[bool]] = always, said: Said = nothing, *, estimate: bool = False,
    ) -> None:  # fmt: skip
        """paid: keeps tokens, seconds and answer of a call before the answer is handed on.

        estimate: reckon four characters to a token where a server does not say how many there were.
        """
        self._estimate = estimate
        self._inner, self._paid, self._stopped = inner, paid, stopped
        self._may_call, self._said = may_call, said

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
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
        return self._inner.model_info


def fit_to_keep(text: str) -> str:
    """Without keys, without what UTF-8 cannot hold, and not too long."""
    return without_secrets(text).encode("utf-8", "replace").decode()[:LONGEST_TEXT]


def answer_of(result: CreateResult) -> AssistantMessage:
    return AssistantMessage(content=result.content, thought=result.thought, source="model")


async def steering(workspace: Workspace, context: ChatCompletionContext) -> Sequence[LLMMessage]:
    """Put what people said since the last call into the worker's conversation: the messages.

    A kill in between tells them twice rather than never.
    """
    told = []
    for entry in unseen(workspace.journal):
        message = UserMessage(content=f"A person steers this run: {entry.text}", source=STEERING)
        await context.add_message(message)
        mark_seen(workspace.journal, [entry])
        told.append(message)
    return told
