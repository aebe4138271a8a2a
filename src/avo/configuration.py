"""The user's settings: avo.toml in the working directory, else in the user's config folder. It never holds keys."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avo.settings import user_folder
from avo.types import AvoError, unknown_key

NAME = "avo.toml"
SECRET = re.compile(r"(^|_|-)(api_?key|key|token|secret|password|authorization)$", re.IGNORECASE)
"""Names under which people write keys."""
LOOKS_SECRET = re.compile(r"^(sk-|sk_|AIza|Bearer )\S{8,}")
"""Values that look like keys, whatever their name."""


class Table(BaseModel):
    """A table of avo.toml: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Facts(Table):
    """Properties of a model that avo cannot find out."""

    context_tokens: int = Field(default=0, ge=0)
    """Length of its context; 0: by its name."""
    max_output_tokens: int = Field(default=0, ge=0)
    """Longest answer to ask for; 0: Anthropic's 16000, else the provider's own."""
    stream: bool | None = None


class ModelTable(Table):
    """[models]"""

    worker: str = ""
    supervisor: str = ""
    base_url: str = ""
    """Of openai-compatible and ollama models."""
    stream: bool = False
    """Ask for streams: for servers that answer in no other way."""
    info: dict[str, Facts] = {}
    """By the spec of a model."""


class Retries(Table):
    """[retries]: all in seconds; each can also be set by the variable AVO_ and its name."""

    first_wait: float = Field(default=1.0, gt=0)
    longest_wait: float = Field(default=300.0, gt=0)
    give_up: float = Field(default=6 * 3600.0, ge=0)
    """Of nothing but failures, after which the run ends; 0: never."""
    request_limit: float = Field(default=600.0, gt=0)
    """For one request, the answer included."""


class Configuration(Table):
    """The whole file."""

    models: ModelTable = ModelTable()
    retries: Retries = Retries()
    prices: dict[str, Any] = {}
    """By model: USD per million tokens of prompt, cached prompt and completion."""


def found() -> Path | None:
    """Return the path of the avo.toml in effect; None without one."""
    home = user_folder("XDG_CONFIG_HOME", ".config")
    return next((path for path in (Path(NAME), *([home / "avo" / NAME] if home else [])) if path.is_file()), None)


def load() -> Configuration:
    """Return the user's settings; variables override the file. Raises AvoError that names the key and valid ones."""
    path = found()
    try:
        data = tomllib.loads(path.read_text("utf-8")) if path else {}
    except (ValueError, OSError) as error:
        raise AvoError(f"{path}: {error}") from error
    if key := secret_in(data):
        raise AvoError(f"{path}: '{key}' is a key: keys come from the environment only (avo doctor names the variable)")
    variables = {name: os.environ.get(f"AVO_{name.upper()}") for name in Retries.model_fields}
    environment = {name: value for name, value in variables.items() if value}
    try:
        if environment and isinstance(data.get("retries", {}), dict):
            data["retries"] = {**data.get("retries", {}), **environment}
        return Configuration.model_validate(data)
    except ValidationError as error:
        raise AvoError(f"{path or 'the environment'}: {_told(error)}") from None


def secret_in(data: object, name: str = "") -> str:
    """Return the name of the first entry that holds a key; empty without one."""
    if isinstance(data, dict):
        return next((hit for key, value in data.items() if (hit := secret_in(value, str(key)))), "")
    if isinstance(data, list):
        return next((hit for value in data if (hit := secret_in(value, name))), "")
    if isinstance(data, str) and data and (SECRET.search(name) or LOOKS_SECRET.match(data)):
        return name
    return ""


def _told(error: ValidationError) -> str:
    """Return the first mistake in one line."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return unknown_key(place, sorted(_keys(place[:-1])))
    return f"{'.'.join(place)}: {first['msg']}"


def _keys(place: list[str]) -> list[str]:
    tables: dict[str, type[Table]] = {"": Configuration, "models": ModelTable, "retries": Retries}
    table = Facts if place[:2] == ["models", "info"] else tables.get(place[0] if place else "", Configuration)
    return list(table.model_fields)
