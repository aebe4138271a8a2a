"""An answer: words for people and models, and beside them what programs read of it."""

from __future__ import annotations

from dataclasses import dataclass

from avo.tools.payloads import Payload, Rejection
from avo.types import Rejected, ToolError


@dataclass(frozen=True)
class Answer:
    """Of a tool, or a brief."""

    text: str
    data: Payload | None = None
    worked: bool = True
    """False when it could not do what was asked."""


def failed(error: ToolError | Rejected, before: str = "") -> Answer:
    """Of a tool that could not do what was asked."""
    if isinstance(error, Rejected):
        return Answer(f"{before}{error}", Rejection(str(error.status), error.reason), False)
    return Answer(f"{before}{error}", error.data if isinstance(error.data, Payload) else None, False)
