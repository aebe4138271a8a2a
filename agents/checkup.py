"""A one-call check that a model can do the work: it answers, calls a tool, and its tokens are counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from autogen_core.models import CreateResult, LLMMessage, SystemMessage, UserMessage
from autogen_core.tools import ParametersSchema, ToolSchema

from avo.agents.models.prices import how_to_give, model_name, prices
from avo.agents.models.resilient import Resilient
from avo.agents.specs import client, named
from avo.configuration import Retries, load

TOOL = ToolSchema(
    name="report_sum", description="Report the sum of two numbers.",
    parameters=ParametersSchema(type="object", properties={"total": {"type": "integer"}}, required=["total"]),
)  # fmt: skip
QUESTION = "Call the tool report_sum with the sum of 2 and 3."
PATIENCE = Retries(first_wait=0.5, longest_wait=2, give_up=20, request_limit=60)
"""Waits between tries, in seconds: short, as a person is waiting."""


@dataclass(frozen=True)
class Found:
    """The capabilities of a model, as one call showed them."""

    model: str
    said: str
    works: bool
    """True if the model called the tool."""
    prompt_tokens: int
    completion_tokens: int
    context_tokens: int
    price: str
    """USD per million tokens, as text; empty when the price is not known."""

    def lines(self) -> list[tuple[str, bool, str]]:
        """Return (capability, present or not, details) for each capability, for printing."""
        counted = self.prompt_tokens > 0 and self.completion_tokens > 0
        tokens = f"{self.prompt_tokens} + {self.completion_tokens} tokens"
        return [
            ("answers", True, self.said),
            ("calls tools", self.works, "" if self.works else "a model that calls no tools cannot work"),
            ("counts tokens", counted, tokens if counted else "a limit in tokens or USD sees nothing"),
            ("context", self.context_tokens > 0, f"{self.context_tokens} tokens, unless [models.info] says otherwise"),
            ("price", bool(self.price), self.price or f"--budget-usd needs it; {how_to_give(self.model)}"),
        ]


def check(spec: str, base_url: str, say: Callable[[str], None]) -> Found | None:
    """Ask the model of `spec` once and return its capabilities; None for the tuner, which is no language model.

    Raises Missing and AvoError, as a run with that model would.
    """
    configuration = load()
    spec, _ = named(spec, configuration=configuration)
    model = client(spec, configuration.model_copy(update={"retries": PATIENCE}), base_url)
    if not isinstance(model, Resilient):
        return None
    model.say = say
    result = asyncio.run(_asked(model))
    usage, price = model.last_usage, prices(configuration.prices).of(model_name(spec))
    return Found(
        spec, _said(result), _called(result), usage.prompt, usage.completion, model.context_tokens,
        f"{price.prompt:g}, cached {price.cached:g}, answer {price.completion:g} USD per million" if price else "",
    )  # fmt: skip


async def _asked(model: Resilient) -> CreateResult:
    messages: list[LLMMessage] = [
        SystemMessage(content="You test a connection."), UserMessage(content=QUESTION, source="user")
    ]  # fmt: skip
    try:
        return await model.create(messages, tools=[TOOL])
    finally:
        await model.close()


def _called(result: CreateResult) -> bool:
    calls = result.content if isinstance(result.content, list) else []
    with suppress(ValueError):
        return any(call.name == TOOL["name"] and json.loads(call.arguments) == {"total": 5} for call in calls)
    return False


def _said(result: CreateResult) -> str:
    if isinstance(result.content, str):
        return " ".join(result.content.split())[:60]
    return ", ".join(f"{call.name}({call.arguments[:40]})" for call in result.content)
