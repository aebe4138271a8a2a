"""The providers that avo knows by name: protocols, addresses, keys, and their models' capabilities."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from autogen_core.models import ChatCompletionClient, ModelFamily, ModelInfo

from avo.agents.models.resilient import Resilient
from avo.configuration import Configuration, Facts
from avo.types import AvoError, Missing


@dataclass(frozen=True)
class Provider:
    """A provider of models: its protocol, address and key."""

    spec: str
    make: Callable[[str, Facts, str, str, dict[str, Any]], ChatCompletionClient]
    """Creates a client from the model's name, its facts, the base URL, the key and the options of every SDK."""
    key: str = ""
    """Environment variable that holds the key."""
    needs_key: bool = True
    url: str = ""
    """Default base URL, unless `url_variable` is set."""
    url_variable: str = ""
    own: bool = False
    """True if --base-url applies to it."""
    family: str = ModelFamily.UNKNOWN
    context_tokens: int = 128_000
    """Default context length, in tokens."""


CONTEXTS = (
    ("gpt-5", 272_000), ("gpt-4.1", 1_047_576), ("gpt-4o", 128_000), ("o1", 200_000), ("o3", 200_000), ("o4", 200_000),
    ("claude", 200_000), ("gemini", 1_048_576), ("deepseek", 128_000), ("qwen3", 128_000),
)  # fmt: skip
"""Context length of a model in tokens, by the beginning of its name."""
ANTHROPIC_OUTPUT = 16_000
"""Default limit of an answer of Anthropic's models, in tokens."""
AZURE_VERSION = "2024-10-21"


def info(family: str = ModelFamily.UNKNOWN) -> ModelInfo:
    """Return the capabilities that AutoGen needs for a model whose name it does not know."""
    return ModelInfo(vision=False, function_calling=True, json_output=True, family=family, structured_output=False)


def hosted(spec: str, configuration: Configuration, base_url: str = "") -> Resilient:
    """Return the client of `KIND:NAME`. Raises Missing without its key or address, AvoError for an invalid address."""
    kind, _, name = spec.partition(":")
    provider = PROVIDERS[kind]
    facts = configuration.models.info.get(spec, Facts())
    key = os.environ.get(provider.key)
    if provider.needs_key and not key:
        raise Missing(f"model {spec} needs a key: set {provider.key}")
    named = _ollama_host() if kind == "ollama" else os.environ.get(provider.url_variable, "")
    url = checked_url(base_url or named or provider.url, spec)
    if not url:
        how = "give --base-url URL" if provider.own else f"set {provider.url_variable}"
        raise Missing(f"model {spec} needs the address of its server: {how}")
    # The tries of Resilient are the only ones: it says how long it waits, the SDKs do not.
    options = {"max_retries": 0, "timeout": configuration.retries.request_limit, "model_info": info(provider.family)}
    streams = configuration.models.stream if facts.stream is None else facts.stream
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # AutoGen's opinion of names that it does not know
        inner = provider.make(name, facts, url, key or "none", options | {"streams": streams})
    quiet()
    return Resilient(inner, spec, url, provider.key, configuration.retries, facts.context_tokens or context(spec))


def context(spec: str) -> int:
    """Return a model's context length in tokens, by its name."""
    kind, _, name = spec.partition(":")
    bare = name.rpartition("/")[2]
    default = PROVIDERS[kind].context_tokens
    if kind == "ollama":  # the server's setting counts, not what the model could take
        return default
    return next((tokens for prefix, tokens in CONTEXTS if bare.startswith(prefix)), default)


def checked_url(url: str, spec: str) -> str:
    """Return the URL unchanged. Raises AvoError if it is not http(s) or holds a name or a password."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise AvoError(f"model {spec}: '{url.rpartition('@')[2]}' is no address: it begins with http:// or https://")
    if parts.username or parts.password:
        raise AvoError(f"model {spec}: its address holds a name or a password: keys come from the environment only")
    return url


def quiet() -> None:
    """Suppress AutoGen's warnings about what avo checks itself."""
    for message in ("Finish reason mismatch", "Resolved model mismatch", "Tool call function arguments field"):
        warnings.filterwarnings("ignore", message=message)


def _ollama_host() -> str:
    """Return the base URL from OLLAMA_HOST, parsed as by Ollama: scheme and port may be left out."""
    host = os.environ.get("OLLAMA_HOST", "")
    if not host:
        return ""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = "127.0.0.1" if parts.hostname in (None, "0.0.0.0") else parts.hostname
    return f"{parts.scheme}://{name}:{parts.port or 11434}/v1"


def _openai(
    name: str, facts: Facts, url: str, key: str, options: dict[str, Any], *,
    place: str = "base_url", limit: str = "max_completion_tokens", signs: bool = False, **settings: Any,
) -> ChatCompletionClient:  # fmt: skip
    """Create AutoGen's client of OpenAI, or of Azure.

    place, limit: the parameters for the address and for the longest answer.
    """
    from autogen_ext.models.openai import AzureOpenAIChatCompletionClient, OpenAIChatCompletionClient
    from openai import DefaultAsyncHttpxClient

    from avo.agents.models.wire import wire

    settings |= {place: url, "http_client": wire(DefaultAsyncHttpxClient, streams=options.pop("streams"), signs=signs)}
    if facts.max_output_tokens:
        settings[limit] = facts.max_output_tokens
    maker: Any = OpenAIChatCompletionClient if place == "base_url" else AzureOpenAIChatCompletionClient
    made: ChatCompletionClient = maker(model=name, api_key=key, **options, **settings)
    return made


def _compatible(
    name: str, facts: Facts, url: str, key: str, options: dict[str, Any], *, signs: bool = False
) -> ChatCompletionClient:
    # The `name` that AutoGen puts beside a message is OpenAI's own; other servers may refuse it.
    return _openai(
        name, facts, url, key, options, limit="max_tokens", signs=signs, include_name_in_message=False
    )  # fmt: skip


def _azure(name: str, facts: Facts, url: str, key: str, options: dict[str, Any]) -> ChatCompletionClient:
    version = os.environ.get("OPENAI_API_VERSION") or AZURE_VERSION
    return _openai(
        name, facts, url, key, options, place="azure_endpoint", azure_deployment=name, api_version=version
    )  # fmt: skip


def _anthropic(name: str, facts: Facts, url: str, key: str, options: dict[str, Any]) -> ChatCompletionClient:
    from anthropic import DefaultAsyncHttpxClient

    from avo.agents.models.claude import claude
    from avo.agents.models.wire import wire

    http = wire(DefaultAsyncHttpxClient, streams=options.pop("streams"), caches=True)
    settings = {
        "model": name, "max_tokens": facts.max_output_tokens or ANTHROPIC_OUTPUT,
        "model_info": options.pop("model_info"),
    }  # fmt: skip
    return claude(settings, base_url=url, api_key=key, http_client=http, **options)


PROVIDERS = {
    "openai": Provider(
        "openai:NAME", _openai, "OPENAI_API_KEY", url="https://api.openai.com/v1", url_variable="OPENAI_BASE_URL"
    ),
    "anthropic": Provider(
        "anthropic:NAME", _anthropic, "ANTHROPIC_API_KEY", url="https://api.anthropic.com",
        url_variable="ANTHROPIC_BASE_URL", family=ModelFamily.CLAUDE_4_SONNET, context_tokens=200_000,
    ),
    "gemini": Provider(
        "gemini:NAME", partial(_compatible, signs=True), "GEMINI_API_KEY", url="https://generativelanguage.googleapis.com/v1beta/openai/",
        url_variable="GEMINI_BASE_URL", family=ModelFamily.GEMINI_2_5_PRO, context_tokens=1_048_576,
    ),
    "azure": Provider("azure:DEPLOYMENT", _azure, "AZURE_OPENAI_API_KEY", url_variable="AZURE_OPENAI_ENDPOINT"),
    "ollama": Provider(
        "ollama:NAME", _compatible, needs_key=False, url="http://localhost:11434/v1", url_variable="OLLAMA_HOST",
        own=True, context_tokens=32_768,
    ),
    "openai-compatible": Provider(
        "openai-compatible:NAME", _compatible, "AVO_API_KEY", needs_key=False, url_variable="AVO_BASE_URL", own=True
    ),
}  # fmt: skip
"""Kind, the first part of a spec -> provider."""
