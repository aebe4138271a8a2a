"""The base class of avo's model clients."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
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
"""Estimate of the characters per token, used before a provider has counted."""

POLL = 0.2
"""Seconds between two checks whether the user stopped the run."""
LONGEST_TEXT = 200_000
"""Longest answer that is kept, in characters."""
STOPPED = "[stopped by the user: no further model call]"
"""Content of the answer that replaces a model's at a limit."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one model call."""

    prompt: int = 0
    """Tokens of the whole prompt, the cached part included."""
    cached: int = 0
    """Prompt tokens from the provider's cache."""
    completion: int = 0
    """Tokens of the answer."""
    written: int = 0
    """Prompt tokens that the provider wrote into its cache, where it reports them: they may cost more."""


def stopped_answer() -> CreateResult:
    """Return the answer that replaces a model's once no further call may be made."""
    return CreateResult(finish_reason="stop", content=STOPPED, usage=RequestUsage(0, 0), cached=False)


async def rest(seconds: float, stopped: Callable[[], bool]) -> None:
    """Sleep for `seconds`, or until the run is stopped."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not stopped():
        await asyncio.sleep(min(left, POLL))


def readable(arguments: str) -> str:
    """Return a call's arguments in a form that AutoGen parses or refuses: empty text becomes `{}`, invalid JSON is cut.

    AutoGen catches only JSONDecodeError; any other error of json would leave the agent waiting for ever.
    """
    try:
        json.loads(arguments or "{}")
    except json.JSONDecodeError:
        return arguments.encode("utf-8", "replace").decode() if arguments.strip() else "{}"
    except (ValueError, RecursionError):
        return f"(not readable as JSON: {arguments[:200]!a} …)"
    return arguments or "{}"


class Client(ChatCompletionClient):
    """The methods of AutoGen's client interface besides `create`: no streaming, and usage is kept in the journal."""

    component_type = "model"
    last_usage = Usage()
    """Usage of the last call, where a client knows more than `CreateResult.usage`."""
    context_tokens = 0
    """Length of the model's context, in tokens; 0 when not known."""
    paid = True
    """False if its calls cost nothing."""
    heard: Mapping[str, Payload] = {}
    """Payloads of the agent's messages, by call id or kind. A language model ignores them: it reads the texts."""

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
        """Return the model's answer."""
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
        """Raise NotImplementedError: avo does not stream to AutoGen."""
        raise NotImplementedError("avo does not stream: a cut stream looks like a short answer")

    async def close(self) -> None:
        """Do nothing: no resource is held."""

    def actual_usage(self) -> RequestUsage:
        """Return zero: usage is in the journal."""
        return RequestUsage(0, 0)

    def total_usage(self) -> RequestUsage:
        """Return zero: usage is in the journal."""
        return RequestUsage(0, 0)

    def count_tokens(self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []) -> int:
        """Estimate the tokens of the messages from their length as JSON."""
        return sum(len(message.model_dump_json()) for message in messages) // CHARACTERS_PER_TOKEN

    def remaining_tokens(self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = []) -> int:
        """Return a number that never limits AutoGen: avo bounds the context itself."""
        return 1_000_000 - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelCapabilities:
        """The capabilities that AutoGen may assume."""
        return ModelCapabilities(vision=False, function_calling=True, json_output=True)

    @property
    def model_info(self) -> ModelInfo:
        """The capabilities that AutoGen may assume."""
        return ModelInfo(
            vision=False, function_calling=True, json_output=True, family="unknown", structured_output=False
        )
