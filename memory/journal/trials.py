"""The journal's trials: every evaluated tree, every return to one, and every answer of the gate."""

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
        number = self.insert(
            "attempts", step=step, tree=tree, parent=parent, direction=direction, knobs=json.dumps(knobs),
            status=verdict.status, reason=verdict.reason, score=verdict.score, unit=verdict.unit,
            verdict=json.dumps(verdict.as_dict()), diff=diff, seconds=seconds, at=now(),
        )  # fmt: skip
        return self.attempt(number)

    def attempt(self, number: int) -> Attempt:
        rows = self.rows("SELECT * FROM attempts WHERE id=?", number)
        if not rows:
            raise Unknown(f"no attempt {number}; there are {self.count('attempts')}")
        return attempt_from(rows[0])

    def forget(self, tree: str, why: str, *, rejected: bool = False) -> None:
        """Let a tree be evaluated again (`rejected`: if it was); the attempt stays, and says when and why."""
        only = " AND status<>'PASSED'" if rejected else ""
        query = f"UPDATE attempts SET forgotten=?, why_forgotten=? WHERE tree=? AND forgotten IS NULL{only}"
        self.write(query, now(), why, tree)

    def attempt_of(self, tree: str) -> Attempt | None:
        """The evaluation of a tree that counts, if there is one."""
        rows = self.rows("SELECT * FROM attempts WHERE tree=? AND forgotten IS NULL", tree)
        return attempt_from(rows[0]) if rows else None

    def attempts(self, last: int = -1, since: int = 0, *, forgotten: bool = False) -> list[Attempt]:
        """In order: the `last` ones (-1: all) with an id above `since`; those that were forgotten only on demand."""
        only = "" if forgotten else " AND forgotten IS NULL"
        rows = self.rows(f"SELECT * FROM attempts WHERE id > ?{only} ORDER BY id DESC LIMIT ?", since, last)
        return [attempt_from(row) for row in reversed(rows)]

    def tried(self) -> int:
        """How many trees have an attempt that counts; `count("attempts")` is the number of the last one."""
        return int(self.value("SELECT COUNT(*) FROM attempts WHERE forgotten IS NULL"))

    def add_revisit(self, step: int, attempt: int) -> None:
        """Sources came back that attempt `attempt` had scored."""
        self.insert("revisits", step=step, attempt=attempt, at=now())

    def progress(self) -> tuple[int, int, str]:
        """Attempts, revisits and time at the latest improvement or advice, whichever came last; the seed is none."""
        kept = self.rows(
            "SELECT attempts_before, revisits_before, at FROM comparisons WHERE accepted"
            " AND json_extract(result, '$.improved') ORDER BY id DESC LIMIT 1"
        )
        advised = self.rows("SELECT attempts_before, revisits_before, at FROM interventions ORDER BY id DESC LIMIT 1")
        found = sorted(kept + advised, key=lambda row: str(row["at"]))
        if not found:
            return min(self.count("attempts"), 1), 0, ""
        return found[-1]["attempts_before"], found[-1]["revisits_before"], found[-1]["at"]

    def returns(self, since: int, last: int) -> list[tuple[int, str]]:
        """Attempt and time of the `last` revisits with an id above `since`, in order."""
        rows = self.rows("SELECT attempt, at FROM revisits WHERE id > ? ORDER BY id DESC LIMIT ?", since, last)
        return [(row["attempt"], row["at"]) for row in reversed(rows)]

    def kept(self, last: int, since: str) -> list[tuple[float, float]]:
        """Ratio and noise of the `last` comparisons that were accepted after a time, in order."""
        rows = self.rows(
            "SELECT json_extract(result, '$.ratio') AS ratio, json_extract(result, '$.noise') AS noise"
            " FROM comparisons WHERE accepted AND at > ? ORDER BY id DESC LIMIT ?", since, last,
        )  # fmt: skip
        return [(row["ratio"], row["noise"]) for row in reversed(rows)]

    def last_kept(self) -> str:
        """Time of the latest comparison that was accepted; empty when there is none."""
        rows = self.rows("SELECT at FROM comparisons WHERE accepted ORDER BY id DESC LIMIT 1")
        return str(rows[0]["at"]) if rows else ""

    def best_attempt(self) -> int:
        """The attempt of the latest version, the seed's to begin with; 0 when nothing was evaluated."""
        rows = self.rows(
            "SELECT attempts.id FROM comparisons JOIN attempts USING (tree) WHERE accepted AND forgotten IS NULL"
            " ORDER BY comparisons.id DESC LIMIT 1"
        ) or self.rows("SELECT MIN(id) AS id FROM attempts WHERE status='PASSED' AND forgotten IS NULL")
        return int(rows[0]["id"] or 0)

    def calls(self, agent: str, since: str) -> int:
        """Tool calls of an agent after a time."""
        query = "SELECT COUNT(*) AS n FROM messages WHERE agent=? AND kind='call' AND at > ?"
        return int(self.rows(query, agent, since)[0]["n"])

    def call_times(self, agent: str, since: str, last: int) -> list[str]:
        """When an agent's `last` tool calls after a time were made, in order."""
        query = "SELECT at FROM messages WHERE agent=? AND kind='call' AND at > ? ORDER BY at DESC LIMIT ?"
        return [row["at"] for row in reversed(self.rows(query, agent, since, last))]

    def results(self, agent: str, tool: str, since: str, last: int) -> list[Message]:
        """The `last` answers of a tool after a time, in order."""
        rows = self.rows(
            "SELECT * FROM messages WHERE agent=? AND kind='result' AND at > ? AND tool=?"
            " ORDER BY at DESC, id DESC LIMIT ?", agent, since, tool, last,
        )  # fmt: skip
        return [message_from(row) for row in reversed(rows)]

    def step_results(self, step: int, tool: str) -> list[Message]:
        """The answers of a tool in a step, alone or beside others', in order."""
        query = "SELECT * FROM messages WHERE step=? AND kind='result' AND tool LIKE ? ORDER BY id"
        return [message_from(row) for row in self.rows(query, step, f"%{tool}%")]

    def slower(self) -> list[Mapping[str, str]]:
        """Knob settings, if any, of every tree that the gate refused for being slower."""
        rows = self.rows(
            "SELECT DISTINCT knobs FROM comparisons JOIN attempts USING (tree) WHERE knobs <> '{}'"
            " AND NOT json_extract(result, '$.improved') AND NOT json_extract(result, '$.matched')"
        )
        return [json.loads(row["knobs"]) for row in rows]

    def accepted(self) -> dict[str, int]:
        """Tree -> the step in which the gate accepted it."""
        return {row["tree"]: row["step"] for row in self.rows("SELECT tree, step FROM comparisons WHERE accepted")}

    def let_in(self, tree: str) -> str:
        """When the gate accepted a tree, else when it passed first; empty when it did neither."""
        rows = self.rows(
            "SELECT at FROM (SELECT 1 AS source, at FROM comparisons WHERE accepted AND tree=?1 UNION ALL"
            " SELECT 2, at FROM attempts WHERE tree=?1 AND status='PASSED') ORDER BY source, at LIMIT 1", tree,
        )  # fmt: skip
        return str(rows[0]["at"]) if rows else ""

    def add_comparison(self, step: int, tree: str, incumbent: str, result: Comparison, accepted: bool) -> None:
        data = json.dumps(asdict(result) | {"improved": result.improved, "matched": result.matched})
        self.insert(
            "comparisons", step=step, tree=tree, incumbent=incumbent, result=data, accepted=int(accepted),
            **self._so_far(), at=now(),
        )  # fmt: skip

    def settle(self, kept: Collection[str]) -> None:
        """Take back what was accepted and then not committed, because avo was killed in between: it may be tried again.

        kept: the trees of all versions.
        """
        for row in self.rows("SELECT id, tree FROM comparisons WHERE accepted ORDER BY id DESC"):
            if row["tree"] in kept:
                break
            self.write("UPDATE comparisons SET accepted=0 WHERE id=?", row["id"])

    def _so_far(self) -> dict[str, int]:
        return {"attempts_before": self.count("attempts"), "revisits_before": self.count("revisits")}

    def comparisons(self) -> list[dict[str, Any]]:
        rows = self.rows("SELECT * FROM comparisons ORDER BY id")
        return [row | {"result": json.loads(row["result"])} for row in rows]
