"""A search written as a real journal, event by event."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from avo.memory.journal.journal import Journal
from avo.tools.payloads import Rejection, packed
from avo.types import CaseScore, Comparison, Status, Verdict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOISE = 0.008


class Story:
    """Writes a journal minute by minute; after each event `seen` is called."""

    def __init__(self, journal: Journal, rng: random.Random, seen: Callable[[Story], None]) -> None:
        self.journal, self.rng, self.seen = journal, rng, seen
        self.minute, self.step, self.stuck_from = 0.0, 1, -1
        """stuck_from: the event from which on the search makes no progress."""
        self.events, self.version, self.trees = 0, 0, 0
        self.best = 100.0
        journal.open_step("v0")
        self._attempt(self.best, direction="the seed", parent="")

    def stuck(self) -> None:
        """From here on nothing is gained."""
        self.stuck_from = self.events

    def call(self, tool: str = "read_file", minutes: float = 0.5, error: str = "") -> None:
        """error: what did not compile."""
        self._message("call", f"{tool}()", tool, minutes)
        self._message("result", "text", tool, failed=Rejection("COMPILE_ERROR", error) if error else None)
        self._event()

    def text(self, minutes: float = 0.5) -> None:
        self._message("text", "I would unroll the loop.", None, minutes)
        self._event()

    def attempt(
        self, score: float = 0.0, reason: str = "", status: Status = Status.PASSED, *, direction: str = "",
        lines: tuple[int, ...] = (), minutes: float = 3.0, seconds: float = 20.0, knobs: dict[str, str] | None = None,
    ) -> int:  # fmt: skip
        """An edit and the evaluation of a tree that is new."""
        self._message("call", "edit_file()", "edit_file", minutes)
        self._message("call", "evaluate()", "evaluate", 0.1)
        self.minute += seconds / 60
        found = self._attempt(score, reason, status, direction, lines, seconds, knobs)
        self._message("result", "attempt", "evaluate")
        self._event()
        return found

    def sweep(self, scores: list[float], seconds: float = 10.0) -> None:
        """One call that evaluates many trees."""
        self._message("call", "sweep()", "sweep", 1.0)
        for number, score in enumerate(scores):
            self.minute += seconds / 60
            self._attempt(score, direction=f"sweep at {self.events}", seconds=seconds, knobs={"K": str(number)})
        self._message("result", "best of", "sweep")
        self._event()

    def again(self, attempt: int, minutes: float = 2.0) -> None:
        """The sources of an earlier attempt are evaluated again."""
        self._message("call", "evaluate()", "evaluate", minutes)
        self._dated("revisits", lambda: self.journal.add_revisit(self.step, attempt))
        self._message("result", "attempt", "evaluate")
        self._event()

    def commit(self, ratio: float, noise: float = NOISE) -> None:
        """The gate's answer to the latest tree; a new step begins when it was accepted."""
        self._message("call", "commit()", "commit", 1.0)
        width = 0.002
        result = Comparison(ratio, ratio - width, ratio + width, noise, ratio - width > 1, {}, 24)
        accepted = result.improved or result.matched
        tree = f"t{self.trees}"
        self._dated(
            "comparisons", lambda: self.journal.add_comparison(self.step, tree, f"v{self.version}", result, accepted)
        )
        self._message("result", "committed" if accepted else "refused", "commit")
        if accepted:
            self.best *= max(ratio, 1.0)
            self.version += 1
            self._message("text", "done", None, 0.2)
            self.step += 1
            self._message("task", f"# Step {self.step}", None)
        self._event()

    def advise(self) -> None:
        advice = {"diagnosis": "", "directions": [{"title": "look elsewhere"}]}
        version = f"v{self.version}"
        self._dated("interventions", lambda: self.journal.add_intervention(self.step, "stuck", advice, version))
        self._message("advice", "Advice: look elsewhere", None)
        self._event()

    def win(self, gain: float, tries: int = 2) -> None:
        """A few directions, and one that is kept."""
        for _ in range(tries):
            self.attempt(self.best * self.rng.uniform(0.7, 0.99), lines=self.somewhere())
        self.attempt(self.best * gain, lines=self.somewhere())
        self.commit(gain)

    def somewhere(self) -> tuple[int, ...]:
        start = self.rng.randrange(10, 400)
        return tuple(range(start, start + self.rng.randrange(2, 12)))

    def _attempt(
        self, score: float = 0.0, reason: str = "", status: Status = Status.PASSED, direction: str = "",
        lines: tuple[int, ...] = (), seconds: float = 20.0, knobs: dict[str, str] | None = None,
        parent: str | None = None,
    ) -> int:  # fmt: skip
        self.trees += 1
        cases = (CaseScore("wide", score, 0.2, 0.1, 1.1, 0.5, (0.1, 0.2)),) if status is Status.PASSED else ()
        verdict = Verdict(status, reason, "GFLOP/s", cases)
        diff = "--- a/k.cpp\n+++ b/k.cpp\n" + "".join(f"@@ -{line} +{line} @@\n-old\n+{self.trees}\n" for line in lines)
        about, since = direction or f"direction {self.trees}", f"v{self.version}" if parent is None else parent
        self._dated(
            "attempts",
            lambda: self.journal.add_attempt(
                self.step, f"t{self.trees}", since, about, knobs or {}, verdict, diff, seconds
            ),
        )
        return self.journal.count("attempts")

    def _message(
        self, kind: str, text: str, tool: str | None, minutes: float = 0.0, failed: Rejection | None = None
    ) -> None:
        self.minute += minutes
        data = packed({"c1": failed}) if failed else None
        self._dated("messages", lambda: self.journal.add_message(self.step, "worker", kind, text, "{}", tool, data))

    def _dated(self, table: str, write: Callable[[], object]) -> None:
        write()
        self.minute += 0.001
        at = (NOON + timedelta(minutes=self.minute)).isoformat(timespec="milliseconds")
        self.journal.write(f"UPDATE {table} SET at=? WHERE id=(SELECT MAX(id) FROM {table})", at)

    def _event(self) -> None:
        self.events += 1
        self.seen(self)


# ---- healthy --------------------------------------------------------------------------------------
