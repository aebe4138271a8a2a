"""An answer: text for people and models, and data for programs."""

from __future__ import annotations

from dataclasses import dataclass

from avo.tools.payloads import Payload, Rejection
from avo.types import Rejected, ToolError, Unknown


@dataclass(frozen=True)
class Answer:
    """The answer of a tool, or a brief."""

    text: str
    """For people and models."""
    data: Payload | None = None
    """For programs; None if there is nothing for them."""
    worked: bool = True
    """False if the tool could not do what it was asked."""


def failed(error: ToolError | Unknown | Rejected, before: str = "") -> Answer:
    """Return the answer of a tool that could not do what it was asked; its text starts with `before`."""
    if isinstance(error, Rejected):
        return Answer(f"{before}{error}", Rejection(str(error.status), error.reason), False)
    data = getattr(error, "data", None)
    return Answer(f"{before}{error}", data if isinstance(data, Payload) else None, False)
