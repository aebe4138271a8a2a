"""The supervisor's answer: a diagnosis, and directions to try with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Direction(BaseModel):
    """One change to try."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: str
    why: str = ""
    start_from: str = "best"
    measure_first: str = ""
    knobs: Any = None
    """Values to set, for a reader that is no language model."""

    @property
    def change(self) -> dict[str, str]:
        """The knob values as strings; empty when `knobs` is no table."""
        return {str(k): str(v) for k, v in self.knobs.items()} if isinstance(self.knobs, Mapping) else {}


class Advice(BaseModel):
    """A diagnosis and directions; no directions mean that nothing worth trying is left."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    diagnosis: str
    directions: tuple[Direction, ...] = ()
