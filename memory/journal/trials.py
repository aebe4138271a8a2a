"""The journal's trials: every evaluated tree, every return to one, and every decision of the gate."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from avo.memory.journal.rows import Attempt, Message, attempt_from, message_from
from avo.memory.journal.table import Table, now
from avo.types import Comparison, Unknown, Verdict


class Trials(Table):
    """Attempts, revisits and comparisons."""

    def add_attempt(
        self, step: int, tree: str, parent: str, direction: str, knobs: Mapping[str, str], verdict: Verdict,
        diff: str, seconds: float,
    ) -> Attempt:  # fmt: skip
        """Store an evaluation and return it.

        parent: the version that `diff` is against. seconds: duration of the evaluation.
        """
        number = self.insert(
            "attempts", step=step, tree=tree, parent=parent, direction=direction, knobs=json.dumps(knobs),
            status=verdict.status, reason=verdict.reason, score=verdict.score, unit=verdict.unit,
            verdict=json.dumps(verdict.as_dict()), diff=diff, seconds=seconds, at=now(),
        )  # fmt: skip
        return self.attempt(number)

    def attempt(self, number: int) -> Attempt:
        """Return an attempt by number. Raises Unknown."""
        rows = self.rows("SELECT * FROM attempts WHERE id=?", number)
        if not rows:
            raise Unknown(f"no attempt {number}; there are {self.count('attempts')}")
        return attempt_from(rows[0])

    def forget(self, tree: str, why: str, *, rejected: bool = False) -> None:
        """Let a tree be evaluated again; the attempt stays, with time and reason.

        rejected: only if the tree was rejected.
        """
        only = " AND status<>'PASSED'" if rejected else ""
        query = f"UPDATE attempts SET forgotten=?, why_forgotten=? WHERE tree=? AND forgotten IS NULL{only}"
        self.write(query, now(), why, tree)

    def attempt_of(self, tree: str) -> Attempt | None:
        """Return the valid evaluation of a tree; None without one."""
        rows = self.rows("SELECT * FROM attempts WHERE tree=? AND forgotten IS NULL", tree)
        return attempt_from(rows[0]) if rows else None

    def attempts(self, last: int = -1, since: int = 0, *, forgotten: bool = False) -> list[Attempt]:
        """Return, in order, the `last` attempts (-1: all) with ids above `since`; forgotten ones only on request."""
        only = "" if forgotten else " AND forgotten IS NULL"
        rows = self.rows(f"SELECT * FROM attempts WHERE id > ?{only} ORDER BY id DESC LIMIT ?", since, last)
        return [attempt_from(row) for row in reversed(rows)]

    def tried(self) -> int:
        """Return the number of trees with a valid attempt; `count("attempts")` is the number of the last one."""
        return int(self.value("SELECT COUNT(*) FROM attempts WHERE forgotten IS NULL"))

    def refusing(self) -> list[str]:
        """Return the aliases of the tests and cases that candidates failed, most often failed first."""
        rows = self.rows(
            "SELECT json_extract(verdict, '$.case') AS refusing FROM attempts WHERE forgotten IS NULL AND refusing > ''"
            " GROUP BY refusing ORDER BY COUNT(*) DESC"
        )
        return [row["refusing"] for row in rows]

    def add_revisit(self, step: int, attempt: int) -> None:
        """Record a return to sources that attempt `attempt` had scored."""
        self.insert("revisits", step=step, attempt=attempt, at=now())

    def progress(self) -> tuple[int, int, str]:
        """Return attempts, revisits and time at the latest improvement or advice; the seed is no improvement."""
        found = self.rows(
            "SELECT attempts_before, revisits_before, at, 1 AS source FROM comparisons WHERE accepted"
            " AND json_extract(result, '$.improved') UNION ALL SELECT attempts_before, revisits_before, at, 2"
            " FROM interventions ORDER BY at DESC, source DESC LIMIT 1"
        )
        if not found:
            return min(self.count("attempts"), 1), 0, ""
        return found[0]["attempts_before"], found[0]["revisits_before"], found[0]["at"]

    def returns(self, since: int, last: int) -> list[tuple[int, str]]:
        """Return attempt and time of the `last` revisits with ids above `since`, in order."""
        rows = self.rows("SELECT attempt, at FROM revisits WHERE id > ? ORDER BY id DESC LIMIT ?", since, last)
        return [(row["attempt"], row["at"]) for row in reversed(rows)]

    def kept(self, last: int, since: str) -> list[tuple[float, float, str]]:
        """Return ratio, noise and time of the `last` comparisons accepted after a time, in order."""
        rows = self.rows(
            "SELECT json_extract(result, '$.ratio') AS ratio, json_extract(result, '$.noise') AS noise, at"
            " FROM comparisons WHERE accepted AND at > ? ORDER BY id DESC LIMIT ?", since, last,
        )  # fmt: skip
        return [(row["ratio"], row["noise"], row["at"]) for row in reversed(rows)]

    def best_attempt(self) -> int:
        """Return the attempt of the latest version, initially the seed's; 0 when nothing was evaluated."""
        kept = self.value(
            "SELECT attempts.id FROM comparisons JOIN attempts USING (tree) WHERE accepted AND forgotten IS NULL"
            " ORDER BY comparisons.id DESC LIMIT 1"
        )
        return kept or self.value("SELECT MIN(id) FROM attempts WHERE status='PASSED' AND forgotten IS NULL") or 0

    def call_times(self, agent: str, since: str, last: int) -> list[str]:
        """Return the times of an agent's `last` tool calls after a time, in order."""
        query = "SELECT at FROM messages WHERE agent=? AND kind='call' AND at > ? ORDER BY at DESC LIMIT ?"
        return [row["at"] for row in reversed(self.rows(query, agent, since, last))]

    def results(self, agent: str, tool: str, since: str, last: int) -> list[Message]:
        """Return the `last` results of a tool after a time, in order."""
        rows = self.rows(
            "SELECT * FROM messages WHERE agent=? AND kind='result' AND at > ? AND tool=?"
            " ORDER BY at DESC, id DESC LIMIT ?", agent, since, tool, last,
        )  # fmt: skip
        return [message_from(row) for row in reversed(rows)]

    def step_results(self, step: int, tool: str) -> list[Message]:
        """Return the results of a tool in a step, also those in a message with other tools' results, in order."""
        query = "SELECT * FROM messages WHERE step=? AND kind='result' AND tool LIKE ? ORDER BY id"
        return [message_from(row) for row in self.rows(query, step, f"%{tool}%")]

    def no_faster(self) -> list[Mapping[str, str]]:
        """Return the knob settings, if any, of every tree that the gate found slower than the best, or a match."""
        rows = self.rows(
            "SELECT DISTINCT knobs FROM comparisons JOIN attempts USING (tree) WHERE knobs <> '{}'"
            " AND NOT json_extract(result, '$.improved')"
        )
        return [json.loads(row["knobs"]) for row in rows]

    def accepted(self) -> dict[str, int]:
        """Return tree -> the step in which the gate accepted it."""
        return {row["tree"]: row["step"] for row in self.rows("SELECT tree, step FROM comparisons WHERE accepted")}

    def let_in(self, tree: str) -> str:
        """Return the time at which the gate accepted a tree, else at which it first passed; empty without either."""
        at = self.value(
            "SELECT at FROM (SELECT 1 AS source, at FROM comparisons WHERE accepted AND tree=?1 UNION ALL"
            " SELECT 2, at FROM attempts WHERE tree=?1 AND status='PASSED') ORDER BY source, at LIMIT 1", tree,
        )  # fmt: skip
        return at or ""

    def add_comparison(self, step: int, tree: str, incumbent: str, result: Comparison, accepted: bool) -> None:
        """Store the gate's comparison of a tree with the incumbent."""
        data = json.dumps(asdict(result) | {"improved": result.improved, "matched": result.matched})
        self.insert(
            "comparisons", step=step, tree=tree, incumbent=incumbent, result=data, accepted=int(accepted),
            **self._so_far(), at=now(),
        )  # fmt: skip

    def settle(self, kept: Collection[str]) -> None:
        """Revoke acceptances that were not committed because avo was killed in between: the trees may be tried again.

        kept: the trees of all versions.
        """
        for row in self.rows("SELECT id, tree FROM comparisons WHERE accepted ORDER BY id DESC"):
            if row["tree"] in kept:
                break
            self.write("UPDATE comparisons SET accepted=0 WHERE id=?", row["id"])

    def _so_far(self) -> dict[str, int]:
        return {"attempts_before": self.count("attempts"), "revisits_before": self.count("revisits")}

    def comparisons(self) -> list[dict[str, Any]]:
        """Return all comparisons in order."""
        rows = self.rows("SELECT * FROM comparisons ORDER BY id")
        return [row | {"result": json.loads(row["result"])} for row in rows]
