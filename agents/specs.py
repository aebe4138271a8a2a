"""Parsing of `--model SPEC` into the clients of worker and supervisor."""

from __future__ import annotations

from avo.agents.models.client import Client
from avo.agents.models.providers import PROVIDERS, hosted
from avo.configuration import Configuration, load
from avo.types import AvoError

TUNER = "tuner"
SPECS = (
    "tuner, tuner:SEED, "
    + ", ".join(PROVIDERS[name].spec for name in PROVIDERS)
    + (", or a file with an AutoGen component (JSON or YAML)")
)
"""The possible specs, for messages."""

Models = tuple[Client, Client]
"""The clients of worker and supervisor."""


def named(spec: str = "", supervisor_spec: str = "", configuration: Configuration | None = None) -> tuple[str, str]:
    """Return the specs of worker and supervisor: the arguments, else those in avo.toml, else the tuner."""
    chosen = (configuration or load()).models
    worker = spec or chosen.worker or TUNER
    if not supervisor_spec and kind_of(worker) == TUNER:
        return worker, worker
    return worker, supervisor_spec or chosen.supervisor or worker


def clients(spec: str = "", supervisor_spec: str = "", base_url: str = "") -> Models:
    """Return the clients of worker and supervisor.

    base_url: for models at an address of the user's own; avo.toml's when empty.
    Raises AvoError for a spec or base_url that is not valid, Missing without a key.
    """
    configuration = load()
    specs = named(spec, supervisor_spec, configuration)
    kinds = {kind_of(name) for name in specs}
    if base_url and kinds & {*PROVIDERS} and not any(kind in kinds and PROVIDERS[kind].own for kind in PROVIDERS):
        raise AvoError(f"--base-url is for openai-compatible:NAME and ollama:NAME, not for {specs[0]}")
    worker, supervisor = (client(name, configuration, base_url) for name in specs)
    if kind_of(specs[1]) == TUNER:
        from avo.agents.tuner.tuner import TunerSupervisor

        supervisor = TunerSupervisor()
    return worker, supervisor


def client(spec: str, configuration: Configuration, base_url: str = "") -> Client:
    """Return the client of one model, which retries by itself. Raises AvoError and Missing, as `clients` does."""
    from avo.agents.models.components import component, is_component

    kind, _, name = spec.partition(":")
    if kind == TUNER:
        from avo.agents.tuner.tuner import Tuner

        if name and not name.isdecimal():
            raise AvoError(f"{spec}: the seed is a number")
        return Tuner(int(name or 0))
    if kind in PROVIDERS and name:
        url = (base_url or configuration.models.base_url) if PROVIDERS[kind].own else ""
        return hosted(spec, configuration, url)
    if is_component(spec):
        return component(spec, configuration)
    raise AvoError(f"no model '{spec}'; possible are: {SPECS}")


def kind_of(spec: str) -> str:
    """Return the part of a spec before the colon, such as `openai` or `tuner`."""
    return spec.partition(":")[0]
