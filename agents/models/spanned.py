"""Trace spans of model calls and turns: agent, model, tokens and outcome, but no texts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from autogen_core.models import ChatCompletionClient, CreateResult, LLMMessage, ModelInfo

from avo.agents.models.client import Client, Usage
from avo.spans import Facts, span

T = TypeVar("T")


class Spanned(Client):
    """A client that passes calls on, each in a span."""

    def __init__(self, inner: ChatCompletionClient, agent: str, model: str) -> None:
        """model: the spec of `--model`."""
        self._inner = inner
        provider, _, name = model.partition(":") if ":" in model else ("", "", model)
        self._name = name or provider or type(inner).__name__
        self._facts: Facts = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider or "unknown",
            "gen_ai.request.model": self._name, "gen_ai.agent.name": agent,
        }  # fmt: skip

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Ask the inner client in a span with its tokens and finish_reason."""
        with span(f"chat {self._name}", dict(self._facts)) as facts:
            try:
                result = await self._inner.create(messages, **options)
            finally:
                self.last_usage = usage = getattr(self._inner, "last_usage", Usage())
            known = usage != Usage()
            facts["gen_ai.usage.input_tokens"] = usage.prompt if known else result.usage.prompt_tokens
            facts["gen_ai.usage.output_tokens"] = usage.completion if known else result.usage.completion_tokens
            facts["avo.finish_reason"] = result.finish_reason
        return result

    @property
    def model_info(self) -> ModelInfo:
        """The inner client's."""
        return self._inner.model_info


async def turn(agent: str, events: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield the events of an agent's turn, in a span."""
    facts: Facts = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}
    with span(f"invoke_agent {agent}", facts):
        async for event in events:
            yield event
