"""Anthropic's models through AutoGen's client, which passes parameters that newer SDKs do not take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from anthropic import AsyncAnthropic
from autogen_core.models import ChatCompletionClient
from autogen_ext.models.anthropic import BaseAnthropicChatCompletionClient

SAMPLING = ("temperature", "top_p", "top_k")
"""Parameters that are gone from the SDK's signature and from newer models, but still part of the protocol."""
# AutoGen 0.7.5 sends it to `create` of anthropic 2, which has no such parameter.
DEFAULTS = {"temperature": 1.0}
"""Parameters that AutoGen sends unasked, with their values."""


def claude(settings: dict[str, Any], **options: Any) -> ChatCompletionClient:
    """Return AutoGen's client with these settings (model, max_tokens, model_info …) over an SDK with these options."""
    sdk = AsyncAnthropic(**options)

    async def create(**arguments: Any) -> Any:
        """Send a request, with explicitly set sampling parameters moved into its body."""
        sampling = {name: arguments.pop(name) for name in SAMPLING if name in arguments}
        asked = {name: value for name, value in sampling.items() if DEFAULTS.get(name) != value}
        return await sdk.messages.create(**arguments, extra_body=asked or None)

    used: Any = SimpleNamespace(messages=SimpleNamespace(create=create), close=sdk.close)  # what AutoGen uses of an SDK
    info = settings.pop("model_info", None)
    return BaseAnthropicChatCompletionClient(used, create_args=settings, model_info=info)
