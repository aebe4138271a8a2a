"""Anthropic's models through AutoGen's client, which passes parameters that newer SDKs do not take."""

from __future__ import annotations

from typing import Any

from anthropic import AsyncAnthropic
from autogen_core.models import ChatCompletionClient
from autogen_ext.models.anthropic import BaseAnthropicChatCompletionClient

SAMPLING = ("temperature", "top_p", "top_k")
"""Parameters that are gone from the SDK's signature and from newer models, but still part of the protocol."""
# AutoGen 0.7.5 sends it to `create` of anthropic 2, which has no such parameter.
DEFAULTS = {"temperature": 1.0}
"""Parameters that AutoGen sends unasked, with their values."""


class Messages:
    """The SDK's `client.messages` as AutoGen calls it."""

    def __init__(self, sdk: AsyncAnthropic) -> None:
        self._sdk = sdk

    async def create(self, **arguments: Any) -> Any:
        """Send a request, with explicitly set sampling parameters moved into its body."""
        sampling = {name: arguments.pop(name) for name in SAMPLING if name in arguments}
        asked = {name: value for name, value in sampling.items() if DEFAULTS.get(name) != value}
        return await self._sdk.messages.create(**arguments, extra_body=asked or None)


class Sdk:
    """The part of an SDK client that AutoGen uses."""

    def __init__(self, sdk: AsyncAnthropic) -> None:
        self.messages, self._sdk = Messages(sdk), sdk

    async def close(self) -> None:
        """Close the SDK's client."""
        await self._sdk.close()


def claude(settings: dict[str, Any], **options: Any) -> ChatCompletionClient:
    """Return AutoGen's client with these settings (model, max_tokens, model_info …) over an SDK with these options."""
    info = settings.pop("model_info", None)
    return BaseAnthropicChatCompletionClient(Sdk(AsyncAnthropic(**options)), create_args=settings, model_info=info)
