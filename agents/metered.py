"""The client of an agent: asks its model only while the run's limits allow it, and enters each call in the ledger."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autogen_core.models import AssistantMessage, CreateResult, LLMMessage, ModelInfo, SystemMessage, UserMessage

from avo.agents.context import JournalContext
from avo.agents.models.client import LONGEST_TEXT, STOPPED, Client, Usage, readable, stopped_answer
from avo.agents.models.errors import ContextTooLong
from avo.agents.models.prices import Price
from avo.agents.worker import NAME as WORKER
from avo.memory.journal.steering import mark_seen, unseen
from avo.settings import without_secrets
from avo.spans import span
from avo.tools.workspace import Workspace
from avo.types import AvoError

STEERING = "steering"
"""Source and kind of a message from a person to the worker."""


async def always() -> bool:
    """Return True: no limit."""
    return True


@dataclass(frozen=True)
class Terms:
    """The conditions under which a run's models are called: limits, names and prices."""

    may_call: Callable[[], Awaitable[bool]] = always
    """Waits while the run is paused; returns False when a limit forbids a further call."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Agent name -> model name."""
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    """Agent name -> price of its model; None when it is not known."""


class Metered(Client):
    """A client under the run's terms, for one agent.

    It shortens a conversation that the provider finds too long, and adds people's messages to the worker's.
    """

    def __init__(
        self, inner: Client, workspace: Workspace, agent: str, terms: Terms, stopped: Callable[[], bool],
        context: JournalContext | None = None,
    ) -> None:  # fmt: skip
        """context: the agent's conversation, which answers and people's messages are added to."""
        self._inner, self._workspace, self._agent, self._terms = inner, workspace, agent, terms
        self._stopped, self._context = stopped, context

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Ask until the provider accepts the length of the conversation; return `stopped_answer()` at a limit.

        Raises AvoError when even the shortest conversation is too long.
        """
        while True:
            try:
                return await self._asked(messages, options)
            except ContextTooLong as error:
                if not (self._context and self._context.shorten()):
                    raise AvoError(f"the model's context is too short even for the latest messages: {error}") from error
                system = [message for message in messages if isinstance(message, SystemMessage)]
                messages = [*system, *await self._context.get_messages()]

    async def _asked(self, messages: Sequence[LLMMessage], options: dict[str, Any]) -> CreateResult:
        """Ask the inner client and record the call, also when it raised after tokens were spent."""
        if self._stopped() or not await self._terms.may_call():
            return stopped_answer()
        messages = [*messages, *await self._said()]
        began = time.monotonic()
        try:
            result = await self._traced(messages, options)
        except Exception:  # answers that were of no use are on the bill all the same
            if self._inner.last_usage != Usage():
                self._enter(self._inner.last_usage, began)
            raise
        if isinstance(result.content, list):  # a server knows the key that it was called with, and may say it again
            for call in result.content:
                call.arguments = readable(without_secrets(call.arguments))
            if self._context and result.finish_reason == "length" and result.content:
                self._context.was_cut(result.content[-1].id)  # the last call is not whole: answered with an error
        else:
            result.content = fit_to_keep(result.content)
        result.thought = fit_to_keep(result.thought) if result.thought else result.thought
        answer = AssistantMessage(content=result.content, thought=result.thought, source=self._agent)
        usage = self._usage(result)
        if usage == Usage() and self._inner.paid and result.content != STOPPED:  # the server does not count
            usage = Usage(self.count_tokens(messages), 0, self.count_tokens([answer]))
        with self._workspace.journal.together():
            if result.content != STOPPED or usage != Usage():
                self._enter(usage, began)
            if self._context and result.content != STOPPED:
                await self._context.answered(answer)
        return result

    async def _traced(self, messages: Sequence[LLMMessage], options: dict[str, Any]) -> CreateResult:
        """Ask the inner client in a span with its tokens and finish_reason."""
        spec = self._terms.models.get(self._agent, "")
        provider, _, name = spec.partition(":")
        name = name or provider or type(self._inner).__name__
        with span(f"chat {name}", {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider if ":" in spec else "unknown",
            "gen_ai.request.model": name, "gen_ai.agent.name": self._agent,
        }) as facts:  # fmt: skip
            result = await self._inner.create(messages, **options)
            usage = self._usage(result)
            facts["gen_ai.usage.input_tokens"], facts["gen_ai.usage.output_tokens"] = usage.prompt, usage.completion
            facts["avo.finish_reason"] = result.finish_reason
        return result

    def _usage(self, result: CreateResult) -> Usage:
        known = self._inner.last_usage
        return known if known != Usage() else Usage(result.usage.prompt_tokens, 0, result.usage.completion_tokens)

    def _enter(self, usage: Usage, began: float) -> None:
        """Write one model call into the ledger."""
        price = self._terms.prices.get(self._agent)
        usd = price.usd(usage.prompt, usage.cached, usage.completion, usage.written) if price else None
        self._workspace.journal.spend(
            self._workspace.step, self._agent, "model", usage.prompt, usage.completion,
            round(time.monotonic() - began, 3), cached=usage.cached, model=self._terms.models.get(self._agent, ""),
            usd=usd,
        )  # fmt: skip

    async def _said(self) -> Sequence[LLMMessage]:
        """Add people's messages since the last call to the worker's conversation, and return them.

        After a kill in between, they are delivered twice rather than never.
        """
        told: list[LLMMessage] = []
        if self._context is None or self._agent != WORKER:
            return told
        for entry in unseen(self._workspace.journal):
            message = UserMessage(content=f"A person steers this run: {entry.text}", source=STEERING)
            await self._context.add_message(message)
            mark_seen(self._workspace.journal, [entry])
            told.append(message)
        return told

    @property
    def model_info(self) -> ModelInfo:
        """The inner client's."""
        return self._inner.model_info


def fit_to_keep(text: str) -> str:
    """Return the text without keys and without characters that UTF-8 cannot encode, cut to LONGEST_TEXT characters."""
    return without_secrets(text).encode("utf-8", "replace").decode()[:LONGEST_TEXT]
