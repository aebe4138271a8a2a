"""Trace spans of running work. Without a tracer, which is the default, they do nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Facts = dict[str, str | int | float]
"""Attributes of a span, by OpenTelemetry's conventions; never a prompt, an answer or a path of the user's."""
Opener = Callable[[str, Facts], AbstractContextManager[Facts]]
"""Opens a span, given its name and attributes."""

_opener: Opener | None = None


def span(name: str, facts: Facts) -> AbstractContextManager[Facts]:
    """Trace the block. Attributes added inside are exported at its end, as is the class of an exception."""
    return _opener(name, facts) if _opener else nullcontext(facts)


def trace_with(opener: Opener | None) -> None:
    """Set the function that opens spans from now on; None disables them."""
    global _opener
    _opener = opener
