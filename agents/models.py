"""From `--model SPEC` to the clients of worker and supervisor."""

from __future__ import annotations

import json
import os
from pathlib import Path

from autogen_core.models import ChatCompletionClient, ModelInfo

from avo.types import AvoError, Missing

SPECS = "tuner, tuner:SEED, openai:NAME, or a file with an AutoGen component (JSON)"


Models = tuple[ChatCompletionClient, ChatCompletionClient]
"""Of worker and supervisor."""


def clients(spec: str) -> Models:
    """The models of worker and supervisor. Raises AvoError for a spec that means nothing, Missing without a key."""
    kind, _, name = spec.partition(":")
    if kind == "tuner":
        return _tuner(name)
    if kind == "openai" and name:
        return _openai(name), _openai(name)
    if Path(spec).is_file():
        return _component(Path(spec)), _component(Path(spec))
    raise AvoError(f"no model '{spec}'; possible are: {SPECS}")


def _tuner(seed: str) -> Models:
    from avo.agents.tuner import Tuner, TunerSupervisor

    if seed and not seed.isdecimal():
        raise AvoError(f"tuner:{seed}: the seed is a number")
    return Tuner(int(seed or 0)), TunerSupervisor()


def _openai(name: str) -> ChatCompletionClient:
    """OpenAI, or any server that speaks its protocol at OPENAI_BASE_URL; the key comes from OPENAI_API_KEY."""
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    if not os.environ.get("OPENAI_API_KEY"):
        raise Missing(f"model openai:{name} needs a key: set OPENAI_API_KEY")
    info = ModelInfo(vision=False, function_calling=True, json_output=True, family="unknown", structured_output=False)
    return OpenAIChatCompletionClient(model=name, model_info=info)  # the SDK reads OPENAI_BASE_URL itself


def _component(path: Path) -> ChatCompletionClient:
    try:
        return ChatCompletionClient.load_component(json.loads(path.read_text()))
    except Exception as error:  # what a component raises while it loads is its own affair
        raise AvoError(f"{path}: no AutoGen model component: {error}") from error
