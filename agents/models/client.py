"""The base of avo's own model clients."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autogen_core import CancellationToken
from autogen_core.models import (
    ChatCompletionClient,
    CreateResult,
    LLMMessage,
    ModelCapabilities,
    ModelInfo,
    RequestUsage,
)
from autogen_core.tools import Tool, ToolSchema
from pydantic import BaseModel

from avo.tools.payloads import Payload

CHARACTERS_PER_TOKEN = 4
"""For a bound on the context before a provider has counted."""

LONGEST_TEXT = 200_000
"""Characters of an answer that are kept."""
STOPPED = "[stopped by the user: no further model call]"


@dataclass(frozen=True)
class Usage:
    """Tokens of one model call."""

    prompt: int = 0
    """All of it, with the cached part."""
    cached: int = 0
    completion: int = 0
    written: int = 0
    """The part of the prompt that the provider put into its cache, where it says so: it may cost more."""


def stopped_answer() -> CreateResult:
    """What stands in for a model's answer once no further call is to be made."""
    return CreateResult(finish_reason="stop", content=STOPPED, usage=RequestUsage(0, 0), cached=False)


def readable(arguments: str) -> str:
    """Arguments that AutoGen can parse or refuse: an empty text means none, and what no parser survives is cut.

    AutoGen catches JSONDecodeError alone; anything else that json raises would leave the agent waiting for ever.
    """
    try:
        json.loads(arguments or "{}")
    except json.JSONDecodeError:
        return arguments.encode("utf-8", "replace").decode() if arguments.strip() else "{}"
    except (ValueError, RecursionError):
        return f"(not readable as JSON: {arguments[:200]!a} …)"
    return arguments or "{}"


class Client(ChatCompletionClient):
    """What AutoGen asks of a client beyond `create`: no streaming, usage kept in the journal instead."""

    component_type = "model"
    last_usage = Usage()
    """Of the last call, where a client knows more than `CreateResult.usage` says."""

    def hears(self, payloads: Mapping[str, Payload]) -> None:
        """Before each step: what programs read of its messages, by call's id or kind; it grows meanwhile.

        A language model reads words.
        """

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: CancellationToken | None = None,
    ) -> CreateResult:
        raise NotImplementedError

    def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = [],
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: CancellationToken | None = None,
    ) -> AsyncGenerator[str | CreateResult, None]:
        raise NotImplementedError("avo does not stream: a cut stream looks like a short answer")

    async def close(self) -> None:
        """Nothing is held open."""

    def actual_usage(self) -> RequestUsage:
        return RequestUsage(0, 0)

    def total_usage(self) -> RequestUsage:
        return RequestUsage(0, 0)

    def count_tokens(self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []) -> int:
        return sum(len(message.model_dump_json()) for message in messages) // CHARACTERS_PER_TOKEN

    def remaining_tokens(self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []) -> int:
        return 1_000_000 - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelCapabilities:
        return ModelCapabilities(vision=False, function_calling=True, json_output=True)

    @property
    def model_info(self) -> ModelInfo:
        return ModelInfo(
            vision=False, function_calling=True, json_output=True, family="unknown", structured_output=False
        )
