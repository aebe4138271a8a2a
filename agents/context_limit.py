"""A client that shortens the conversation when the provider finds it too long, and marks answers that were cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autogen_core.models import ChatCompletionClient, CreateResult, LLMMessage, ModelInfo, SystemMessage

from avo.agents.context import CHARACTERS, JournalContext
from avo.agents.models.client import CHARACTERS_PER_TOKEN, Client
from avo.agents.models.errors import ContextTooLong
from avo.types import AvoError

SHARE = 0.6
"""Fraction of a model's context that messages may fill: tools, the answer and dense text need the rest."""
MOST = 480_000
"""Largest budget of a paid model, in characters, however long its context: every call pays for its prompt."""


def budget_of(model: object) -> int:
    """Return the characters that a model may be shown, by its `context_tokens` where they are known."""
    tokens = int(getattr(model, "context_tokens", 0) or 0)
    budget = int(tokens * SHARE) * CHARACTERS_PER_TOKEN or CHARACTERS
    return min(budget, MOST) if getattr(model, "paid", True) else budget


class Fitted(Client):
    """A client that compacts the conversation and asks again until the provider accepts its length."""

    def __init__(self, inner: ChatCompletionClient, context: JournalContext) -> None:
        self._inner, self._context = inner, context

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Ask the inner client. Raises AvoError when even the shortest conversation is too long."""
        while True:
            try:
                result = await self._inner.create(messages, **options)
                break
            except ContextTooLong as error:
                if not self._context.shorten():
                    raise AvoError(f"the model's context is too short even for the latest messages: {error}") from error
                system = [message for message in messages if isinstance(message, SystemMessage)]
                messages = [*system, *await self._context.get_messages()]
        if result.finish_reason == "length" and isinstance(result.content, list) and result.content:
            self._context.was_cut(result.content[-1].id)  # the last call is not whole: answered with an error
        return result

    @property
    def model_info(self) -> ModelInfo:
        """The inner client's."""
        return self._inner.model_info
