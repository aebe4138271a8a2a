"""Raw answers from AutoGen's log: cached tokens and finish_reason, which its results leave out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from autogen_core import EVENT_LOGGER_NAME
from autogen_core.logging import LLMCallEvent
from autogen_core.models import CreateResult

from avo.agents.models.client import Usage

CUT = ("length", "max_tokens", "model_context_window_exceeded")
"""Finish reasons by which providers mark an answer that reached the limit of output tokens."""


@dataclass
class Overheard:
    """The log of one call."""

    response: Mapping[str, Any] | None = None
    """The provider's answer; None when the client logs nothing."""

    @property
    def finish(self) -> str:
        """The provider's finish reason; empty without one."""
        response = self.response or {}
        choice = next(iter(response.get("choices") or [{}]))
        return str(choice.get("finish_reason") or response.get("stop_reason") or response.get("done_reason") or "")

    @property
    def cut(self) -> bool:
        """True if the answer reached the limit of output tokens."""
        return self.finish in CUT

    @property
    def counts_cached(self) -> bool:
        """True if the provider reports how much of the prompt came from its cache."""
        usage = (self.response or {}).get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        known = (
            details.get("cached_tokens"),
            usage.get("cache_read_input_tokens"),
            usage.get("prompt_cache_hit_tokens"),
        )
        return any(count is not None for count in known)

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


_call: ContextVar[Overheard | None] = ContextVar("_call", default=None)
"""The log of the current task: tasks created while it is set inherit it, as contexts are copied."""


class Listener(logging.Handler):
    """A log handler that stores each call's answer in the current task's log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Store the answer of an LLMCallEvent."""
        heard = _call.get()
        if heard is not None and isinstance(record.msg, LLMCallEvent):
            heard.response = record.msg.kwargs.get("response")


LISTENER = Listener()


@contextmanager
def overhearing() -> Iterator[Overheard]:
    """Yield the log of the tasks that are created in the block."""
    logger = logging.getLogger(EVENT_LOGGER_NAME)
    if LISTENER not in logger.handlers:
        logger.addHandler(LISTENER)
        logger.setLevel(logging.INFO)
    heard = Overheard()
    token = _call.set(heard)
    try:
        yield heard
    finally:
        _call.reset(token)
