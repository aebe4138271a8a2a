"""The journal's record of consulted passages of the knowledge base, and of the evaluations that followed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from avo.memory.journal.table import Table, now


class Consulted(Table):
    """Passages that an agent was shown or read."""

    def add_consulted(self, step: int, chunks: Iterable[str], query: str) -> None:
        """Record passages (chunk ids) that a search showed; with an empty query, one that was read."""
        for chunk in chunks:
            self.insert("consulted", step=step, chunk=chunk, query=query, at=now())

    def link_consulted(self, step: int, attempt: int) -> None:
        """Link the passages consulted in this step since its previous attempt to this one."""
        self.write("UPDATE consulted SET attempt=? WHERE step=? AND attempt IS NULL", attempt, step)

    def consulted_for(self, tree: str) -> list[dict[str, Any]]:
        """Return the passages consulted in the step of a tree's evaluation up to it, in order."""
        return self.rows(
            "SELECT consulted.* FROM consulted JOIN (SELECT MIN(id) AS id, step FROM attempts WHERE tree=?) AS first"
            " ON first.step = consulted.step AND consulted.attempt <= first.id ORDER BY consulted.id", tree,
        )  # fmt: skip

    def consulted_before(self, step: int, at: str) -> list[dict[str, Any]]:
        """Return the passages consulted in a step up to a time, in order."""
        return self.rows("SELECT * FROM consulted WHERE step=? AND at <= ? ORDER BY id", step, at)
