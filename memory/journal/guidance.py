"""The journal's guidance: the supervisor's advice and its effects, notes, and the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from avo.memory.journal.rows import Direction, Intervention, intervention_from
from avo.memory.journal.table import now
from avo.memory.journal.trials import Trials
from avo.types import Unknown


class Guidance(Trials):
    """Interventions of the supervisor, notes and plan."""

    def add_intervention(self, step: int, trigger: str, advice: Mapping[str, Any], version: str) -> None:
        """Store an intervention: its reason, the advice, and the best version at that time."""
        self.insert(
            "interventions", step=step, trigger=trigger, advice=json.dumps(advice),
            **self._so_far(), version_before=version, at=now(),
        )  # fmt: skip

    def interventions(self, last: int = -1) -> list[Intervention]:
        """Return the `last` interventions (-1: all) in order, each with the number of evaluations until the next."""
        rows = self.rows(
            "SELECT *, LEAD(attempts_before, 1, ?) OVER (ORDER BY id) - attempts_before AS attempts FROM interventions"
            " ORDER BY id DESC LIMIT ?", self.count("attempts"), last,
        )  # fmt: skip
        return [intervention_from(row) for row in reversed(rows)]

    def record_effect(self, version: str) -> None:
        """Record a committed version as the effect of the latest intervention, unless that has one."""
        self.write(
            "UPDATE interventions SET effect=? WHERE effect IS NULL AND id=(SELECT MAX(id) FROM interventions)", version
        )

    def add_note(self, step: int, text: str) -> int:
        """Store a note; return its number."""
        return self.insert("notes", step=step, text=text, at=now())

    def notes(self) -> list[dict[str, Any]]:
        """Return all notes in order."""
        return self.rows("SELECT * FROM notes ORDER BY id")

    def add_direction(self, step: int, text: str, state: str, why: str) -> int:
        """Store a direction of the search; return its number."""
        at = now()
        return self.insert("plan", step=step, text=text, state=state, why=why, at=at, changed=at)

    def change_direction(self, number: int, state: str, why: str) -> None:
        """Change a direction's state. Raises Unknown if there is none of that number."""
        if not self.rows("SELECT id FROM plan WHERE id=?", number):
            raise Unknown(f"the plan has no direction {number}; it has {self.count('plan')}")
        self.write("UPDATE plan SET state=?, why=?, changed=? WHERE id=?", state, why, now(), number)

    def plan(self) -> list[Direction]:
        """Return all directions in the order of their creation."""
        return [Direction(**row) for row in self.rows("SELECT * FROM plan ORDER BY id")]
