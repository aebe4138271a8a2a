"""The log of a model call: cached tokens and finish_reason, which AutoGen's results leave out."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from autogen_core.models import CreateResult

from avo.agents.models.client import Usage

CUT = ("length", "max_tokens", "model_context_window_exceeded")
"""Finish reasons by which providers mark an answer that reached the limit of output tokens."""


@dataclass
class Overheard:
    """The log of one call."""

    response: Mapping[str, Any] | None = None
    """The provider's answer; None from a client that does not ask by `wire`."""

    @property
    def finish(self) -> str:
        """The provider's finish reason; empty without one."""
        response = self.response or {}
        choice = next(iter(response.get("choices") or [{}]))
        return str(choice.get("finish_reason") or response.get("stop_reason") or "")

    def usage(self, result: CreateResult) -> Usage:
        """Return all tokens of the call. Anthropic counts cached ones separately, the others as part of the prompt."""
        known = (self.response or {}).get("usage")
        if not isinstance(known, Mapping):
            return Usage(result.usage.prompt_tokens, 0, result.usage.completion_tokens)
        if "input_tokens" in known:
            read, written = known.get("cache_read_input_tokens") or 0, known.get("cache_creation_input_tokens") or 0
            return Usage(known["input_tokens"] + read + written, read, known.get("output_tokens") or 0, written)
        details = known.get("prompt_tokens_details") or {}
        cached = details.get("cached_tokens") or known.get("prompt_cache_hit_tokens") or 0
        return Usage(known.get("prompt_tokens") or 0, cached, known.get("completion_tokens") or 0)


LOG: ContextVar[Overheard] = ContextVar("LOG")
"""The log of the call under way; `wire` stores the provider's answer in it."""
