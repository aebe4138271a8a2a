"""Models from a file: an AutoGen component as JSON or YAML, without a key in it."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

from autogen_core.models import ChatCompletionClient

from avo.agents.models.providers import ANTHROPIC_OUTPUT, PROVIDERS, context, info, quiet
from avo.agents.models.resilient import Resilient
from avo.configuration import Configuration, Facts, secret_in
from avo.types import AvoError, Missing

KINDS = {
    "OpenAIChatCompletionClient": "openai",
    "AzureOpenAIChatCompletionClient": "azure",
    "AnthropicChatCompletionClient": "anthropic",
}
"""AutoGen's clients whose HTTP client avo replaces by its own, which checks answers."""
SDK_OPTIONS = ("base_url", "timeout", "max_retries", "default_headers")
"""Keys of a component's config that are options of Anthropic's SDK."""


def is_component(spec: str) -> bool:
    """Return True if the spec is the path of a file."""
    try:
        return bool(spec) and Path(spec).is_file()
    except (OSError, ValueError):
        return False


def component(spec: str, configuration: Configuration) -> Resilient:
    """Return the client that a component file describes. Raises AvoError and Missing, with the file's name."""
    path = Path(spec)
    facts = configuration.models.info.get(spec, Facts())
    try:
        data = _parsed(path)
        if key := secret_in(data):
            raise AvoError(f"{path}: '{key}' holds a key: keys come from the environment only")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inner = _loaded(path, data, configuration, facts)
    except AvoError:
        raise
    except Exception as error:  # what a parser says, or a component raises while it loads, is its own affair
        line = " ".join(str(error).split())
        raise AvoError(f"{path}: no AutoGen model component: {line}") from error
    quiet()
    config = data.get("config", {})
    url = str(config.get("base_url") or config.get("azure_endpoint") or "")
    tokens = facts.context_tokens or context(f"openai:{config.get('model', '')}")
    return Resilient(inner, spec, url, retries=configuration.retries, context_tokens=tokens)


def _parsed(path: Path) -> dict[str, Any]:
    text = path.read_text()
    if path.suffix in (".yaml", ".yml"):
        import yaml  # type: ignore[import-untyped]  # comes with chromadb

        data = yaml.safe_load(text)
    else:
        data = json.loads(text)
    if not isinstance(data, dict) or "provider" not in data:
        raise ValueError("it has no 'provider'")
    return data


def _loaded(path: Path, data: dict[str, Any], configuration: Configuration, facts: Facts) -> ChatCompletionClient:
    """Make the component, with avo's retries in place of the SDK's and with avo's HTTP client where it has one."""
    kind = KINDS.get(str(data["provider"]).rpartition(".")[2])
    if kind is None:
        return ChatCompletionClient.load_component(data)
    given = data.get("config", {})
    config = {"timeout": configuration.retries.request_limit, "model_info": info(), **given, "max_retries": 0}
    if "azure_ad_token_provider" in config:
        return ChatCompletionClient.load_component({**data, "config": config})
    from anthropic import DefaultAsyncHttpxClient as Anthropics
    from autogen_ext.models.anthropic import AnthropicChatCompletionClient
    from autogen_ext.models.openai import AzureOpenAIChatCompletionClient, OpenAIChatCompletionClient
    from openai import DefaultAsyncHttpxClient as OpenAIs

    from avo.agents.models.claude import claude
    from avo.agents.models.wire import wire

    makers: dict[str, Any] = {
        "openai": OpenAIChatCompletionClient, "azure": AzureOpenAIChatCompletionClient,
        "anthropic": AnthropicChatCompletionClient,
    }  # fmt: skip
    schema = makers[kind].component_config_schema
    if unknown := sorted(set(config) - set(schema.model_fields)):
        raise ValueError(f"'{unknown[0]}' is no key of its config")
    settings = schema.model_validate(config).model_dump(exclude_unset=True) | _own_key(path, kind, config)
    streams = configuration.models.stream if facts.stream is None else facts.stream
    if kind == "anthropic":
        settings.setdefault("max_tokens", facts.max_output_tokens or ANTHROPIC_OUTPUT)
        options = {name: settings.pop(name) for name in SDK_OPTIONS if name in settings}
        return claude(settings, http_client=wire(Anthropics, streams=streams, caches=True), **options)
    made: ChatCompletionClient = makers[kind](**settings, http_client=wire(OpenAIs, streams=streams))
    return made


def _own_key(path: Path, kind: str, config: dict[str, Any]) -> dict[str, str]:
    """Return the key for a server at the user's own address: a dummy where it needs none, as the SDK requires one.

    Raises Missing if the SDK will find no key for its provider.
    """
    variable = PROVIDERS[kind].key
    if os.environ.get(variable):
        return {}
    if kind == "openai" and config.get("base_url"):
        return {"api_key": os.environ.get("AVO_API_KEY") or "none"}
    elsewhere = kind == "azure" or str(config.get("model", "")).startswith(("gemini-", "claude-", "Llama-"))
    if kind == "anthropic" or not elsewhere:
        raise Missing(f"{path}: its model needs a key: set {variable}")
    return {}  # AutoGen knows other variables for these
