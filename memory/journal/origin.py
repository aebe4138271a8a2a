"""The journal's record of what a run was begun from: a version of another run, with its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from avo.memory.journal.table import Table, now


@dataclass(frozen=True)
class Brought:
    """One version of another run."""

    spec: str
    """As the user named it."""
    run: str
    """Name of that run's folder."""
    scenario: str
    version: str
    commit: str
    score: float
    """There, in `unit`."""
    unit: str
    abi: str
    """avo_abi.h there; empty when it is not known."""
    task: str
    """What the task said there; empty when it is not known."""
    files: Mapping[str, bytes]

    @property
    def label(self) -> str:
        """For people and agents."""
        return f"{self.version} of {self.run} ({self.scenario})"

    @property
    def origin(self) -> str:
        """For the trailer."""
        return f"{self.run} {self.scenario}, {self.version}, {self.commit}"


class Origin(Table):
    """What was brought in, if anything was."""

    def keep_brought(self, came: Brought) -> None:
        """Write it down, byte for byte, unless something stands there already."""
        with self.together():
            if self.rows("SELECT id FROM brought"):
                return
            self.insert(
                "brought", spec=came.spec, run=came.run, scenario=came.scenario, version=came.version,
                commit_id=came.commit, score=came.score, unit=came.unit, abi=came.abi, task=came.task, at=now(),
            )  # fmt: skip
            for name, content in came.files.items():
                self.insert("brought_files", name=name, content=content)

    def brought(self) -> Brought | None:
        """What the run was begun from; None when that is its scenario's own seed."""
        for row in self.rows("SELECT * FROM brought ORDER BY id LIMIT 1"):
            files = {file["name"]: file["content"] for file in self.rows("SELECT * FROM brought_files ORDER BY id")}
            kept = {key: value for key, value in row.items() if key not in ("id", "at", "commit_id")}
            return Brought(commit=row["commit_id"], files=files, **kept)
        return None
