"""What a supervisor answers: directions to try, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Direction(BaseModel):
    """One thing to try."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: str
    why: str = ""
    start_from: str = "best"
    measure_first: str = ""
    knobs: Any = None
    """Values to set, for a reader that is no language model."""

    @property
    def change(self) -> dict[str, str]:
        """The same as texts; empty where it is none."""
        return {str(k): str(v) for k, v in self.knobs.items()} if isinstance(self.knobs, Mapping) else {}


class Advice(BaseModel):
    """What the supervisor answers. No directions: nothing is left that is worth trying."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    diagnosis: str
    directions: tuple[Direction, ...] = ()
