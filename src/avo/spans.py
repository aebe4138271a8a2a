"""Spans: work under way, for whoever traces it. Nobody does by default, and then a span is nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Facts = dict[str, str | int | float]
"""Names and values of a span, by OpenTelemetry's conventions; never a prompt, an answer or a path of the user's."""
Opener = Callable[[str, Facts], AbstractContextManager[Facts]]

_opener: Opener | None = None


def span(name: str, facts: Facts) -> AbstractContextManager[Facts]:
    """Trace the block. What it adds to the facts that it is given is told when it ends; so is an exception's class."""
    return _opener(name, facts) if _opener else nullcontext(facts)


def trace_with(opener: Opener | None) -> None:
    """Have every span opened by this from now on; None: by nobody."""
    global _opener
    _opener = opener
