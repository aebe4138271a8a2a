"""The journal's record of a run's origin: an imported version of another run, with its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from avo.memory.journal.table import Table, now


@dataclass(frozen=True)
class Brought:
    """A version imported from another run."""

    spec: str
    """The source as the user named it."""
    run: str
    """Name of the other run's folder."""
    scenario: str
    version: str
    commit: str
    score: float
    """Score in the other run, in `unit`."""
    unit: str
    abi: str
    """The other run's avo_abi.h; empty when not known."""
    task: str
    """The other run's task text; empty when not known."""
    files: Mapping[str, bytes]

    @property
    def label(self) -> str:
        """Short name for people and agents."""
        return f"{self.version} of {self.run} ({self.scenario})"

    @property
    def origin(self) -> str:
        """Value of the commit trailer."""
        return f"{self.run} {self.scenario}, {self.version}, {self.commit}"


class Origin(Table):
    """The imported version, if any."""

    def keep_brought(self, came: Brought) -> None:
        """Store the imported version, byte for byte, unless one is stored already."""
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
        """Return the imported version; None if the run began with its scenario's own seed."""
        for row in self.rows("SELECT * FROM brought ORDER BY id LIMIT 1"):
            files = {file["name"]: file["content"] for file in self.rows("SELECT * FROM brought_files ORDER BY id")}
            kept = {key: value for key, value in row.items() if key not in ("id", "at", "commit_id")}
            return Brought(commit=row["commit_id"], files=files, **kept)
        return None
