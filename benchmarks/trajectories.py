"""Trajectories of a search, written as real journals: healthy ones and stuck ones, recorded and made up."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from avo.memory.journal import Journal
from avo.types import CaseScore, Comparison, Status, Verdict

RECORDED = Path(__file__).parent / "results" / "tuner_trajectory.json"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOISE = 0.008
LADDER = (1.0, 0.967, 1.022, 1.033, 1.010, 1.011, 1.024, 1.068)
"""Gains of the Hopper kernel's versions over the one before (kernels/mha/sm_90a/NOTES.md, causal)."""


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

    def call(self, tool: str = "read_file", minutes: float = 0.5, answer: str = "text") -> None:
        self._message("call", f"{tool}()", tool, minutes)
        self._message("result", answer, tool)
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

    def _message(self, kind: str, text: str, tool: str | None, minutes: float = 0.0) -> None:
        self.minute += minutes
        self._dated("messages", lambda: self.journal.add_message(self.step, "worker", kind, text, "{}", tool))

    def _dated(self, table: str, write: Callable[[], object]) -> None:
        write()
        self.minute += 0.001
        at = (NOON + timedelta(minutes=self.minute)).isoformat(timespec="milliseconds")
        self.journal.write(f"UPDATE {table} SET at=? WHERE id=(SELECT MAX(id) FROM {table})", at)

    def _event(self) -> None:
        self.events += 1
        self.seen(self)


# ---- healthy --------------------------------------------------------------------------------------


def steady_progress(s: Story) -> None:
    for _ in range(15):
        s.win(s.rng.uniform(1.02, 1.2), tries=s.rng.randrange(1, 5))


def recorded_tuner(s: Story) -> None:
    started = s.minute
    for minute, kind, row in json.loads(RECORDED.read_text())["events"][1:]:
        s.minute = max(s.minute, started + minute - row.get("seconds", 0) / 60)
        if kind == "message" and row["kind"] in ("call", "result"):
            s._message(row["kind"], "", row["tool"])
        elif kind == "attempt":
            s.minute += row["seconds"] / 60
            status = Status(row["status"])
            s._attempt(row["score"], row["reason"], status, row["direction"], (), row["seconds"], row["knobs"])
        elif kind == "comparison":
            s.commit(row["ratio"], row["noise"])
        elif kind == "advice":
            s.advise()
        s._event()


def recorded_ladder(s: Story) -> None:
    for gain in LADDER:
        for _ in range(s.rng.randrange(2, 6)):  # what the notes list as rejected came between the versions
            s.attempt(s.best * s.rng.uniform(0.7, 0.99), lines=s.somewhere(), minutes=8)
        s.attempt(s.best * max(gain, 1.01), lines=s.somewhere(), minutes=8)
        s.commit(max(gain, 1.011))


def long_builds(s: Story) -> None:
    for _ in range(4):
        for _ in range(5):
            s.call(minutes=2)
            s.attempt(s.best * s.rng.uniform(0.6, 0.95), seconds=1500, lines=s.somewhere())
        s.attempt(s.best * 1.05, seconds=1500)
        s.commit(1.05)


def slow_rewrite(s: Story) -> None:
    s.win(1.1)
    score = 0.4
    while score < 1.02:
        s.attempt(s.best * score, lines=tuple(range(10, 80)))
        score *= s.rng.uniform(1.03, 1.07)
    s.attempt(s.best * 1.04, lines=tuple(range(10, 80)))
    s.commit(1.04)


def small_gains_that_add_up(s: Story) -> None:
    for _ in range(12):
        s.attempt(s.best * 1.006, lines=s.somewhere())
        s.commit(1.0065)


def failures_then_a_win(s: Story) -> None:
    for _ in range(4):
        for number in range(3):
            s.attempt(0, f"k.cpp:{number}: error: {'abc'[number]} was not declared", Status.COMPILE_ERROR)
        s.attempt(0, f"case wide: y[{s.events}] is wrong", Status.INCORRECT_NUMERICAL, lines=s.somewhere())
        s.attempt(0, "signal 11 (SIGSEGV)", Status.RUNTIME_ERROR, lines=s.somewhere())
        s.attempt(s.best * 1.08, lines=s.somewhere())
        s.commit(1.08)


def fresh_start(s: Story) -> None:
    for tool in ("list_files", "lineage", *["kb_search"] * 15, *["read_file"] * 12, *["kb_read"] * 20, "profile"):
        s.call(tool)
    s.win(1.3)


def wide_sweeps(s: Story) -> None:
    for size in (32, 16, 24, 32):
        s.sweep([s.best * s.rng.uniform(0.5, 0.999) for _ in range(size)])
    s.sweep([s.best * 1.07, s.best * 0.9])
    s.commit(1.07)


def baseline_again(s: Story) -> None:
    for _ in range(3):
        for _ in range(4):
            s.attempt(s.best * s.rng.uniform(0.8, 0.99), lines=s.somewhere())
            s.again(s.journal.best_attempt())
        s.attempt(s.best * 1.05, lines=s.somewhere())
        s.commit(1.05)


def outage(s: Story) -> None:
    for _ in range(4):
        s.attempt(s.best * 0.9, lines=s.somewhere())
        s.call(minutes=300)
        s.win(1.04)


def night_between(s: Story) -> None:
    s.attempt(s.best * 0.95, lines=s.somewhere())
    s.minute += 14 * 60
    s.call("checkout")
    s.attempt(s.best * 0.97, lines=s.somewhere())
    s.minute += 60 * 60
    s.win(1.05)


def advice_that_helps(s: Story) -> None:
    for _ in range(3):
        s.advise()
        s.win(1.06, tries=5)


def debugging(s: Story) -> None:
    for _ in range(3):
        for _ in range(4):
            reason = "case wide: o is off by 3 times the tolerance"
            s.attempt(0, reason, Status.INCORRECT_NUMERICAL, lines=s.somewhere())
        s.win(1.05, tries=1)


def errors_mended_at_once(s: Story) -> None:
    for _ in range(10):
        for _ in range(2):
            s.call("build", answer="build: COMPILE_ERROR: k.cpp:7: error: expected ';'")
        s.call("build", answer="compiled in 2 s")
        s.win(1.03, tries=1)


def careful_reading(s: Story) -> None:
    for _ in range(5):
        for _ in range(50):
            s.call(s.rng.choice(["read_file", "kb_search", "edit_file", "profile"]), minutes=0.4)
        s.attempt(s.best * 1.05, lines=s.somewhere())
        s.commit(1.05)


# ---- stuck ----------------------------------------------------------------------------------------


def plateau(s: Story) -> None:
    s.stuck()
    for _ in range(40):
        s.attempt(s.best * s.rng.uniform(0.9, 0.999), lines=s.somewhere())


def plateau_after_progress(s: Story) -> None:
    for _ in range(5):
        s.win(s.rng.uniform(1.02, 1.1))
    plateau(s)


def plateau_after_advice(s: Story) -> None:
    s.win(1.1)
    s.advise()
    plateau(s)


def back_and_forth(s: Story) -> None:
    s.win(1.1)
    first, second = s.attempt(95.0, lines=(4, 5)), s.attempt(94.0, lines=(4, 5))
    s.stuck()
    for _ in range(6):
        s.again(first)
        s.again(second)


def round_in_circles(s: Story) -> None:
    found = [s.attempt(s.best * s.rng.uniform(0.8, 0.97), lines=s.somewhere()) for _ in range(4)]
    s.stuck()
    for _ in range(4):
        for number in found:
            s.again(number)


def same_build_error(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    for _ in range(8):
        line = s.rng.randrange(900)
        s.attempt(0, f"k.cu:{line}: error: no operator '+' matches", Status.COMPILE_ERROR, lines=s.somewhere())


def same_error_of_build(s: Story) -> None:
    s.attempt(s.best * 0.9)
    s.stuck()
    for _ in range(10):
        line = s.rng.randrange(900)
        s.call("edit_file")
        s.call("build", answer=f"build: COMPILE_ERROR: k.cu:{line}: error: identifier 'mma' is undefined\nlog")


def noise_level_wins(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    for _ in range(20):
        s.attempt(s.best * 1.001, lines=s.somewhere())
        s.commit(s.rng.uniform(0.996, 1.004))


def text_only(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    for _ in range(5):
        s.text()


def never_measures(s: Story) -> None:
    s.attempt(s.best * 0.9)
    s.stuck()
    for _ in range(120):
        s.call(s.rng.choice(["read_file", "edit_file", "kb_search", "shell"]), minutes=0.2)


def oscillating_knob(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    for number in range(20):
        s.attempt(s.best * s.rng.uniform(0.982, 0.99), lines=(33,), knobs={"K": str(number)}, direction="tile size")


def same_lines_same_error(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    for number in range(12):
        reason = f"case wide: o is off by {number + 2} times the tolerance"
        s.attempt(0, reason, Status.INCORRECT_NUMERICAL, lines=(70, 71, 72, 73))


def hours_without(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    for _ in range(8):
        for _ in range(20):
            s.call("edit_file", minutes=1)
        s.attempt(s.best * s.rng.uniform(0.8, 0.98), lines=s.somewhere())


def ever_nearer(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    score = 0.3
    for _ in range(40):
        s.attempt(s.best * score, lines=s.somewhere())
        score *= 1.02


def ever_other_errors(s: Story) -> None:
    s.stuck()
    for number in range(20):
        status = s.rng.choice([Status.RUNTIME_ERROR, Status.COMPILE_ERROR, Status.INCORRECT_NUMERICAL])
        s.attempt(0, f"problem {'abcdefghijklmnopqrst'[number]}", status, lines=s.somewhere())


def flat_sweeps(s: Story) -> None:
    s.win(1.1)
    s.stuck()
    for _ in range(14):
        s.sweep([s.best * s.rng.uniform(0.9, 0.995) for _ in range(8)])


@dataclass(frozen=True)
class Kind:
    """A trajectory, and what is to be seen in it."""

    write: Callable[[Story], None]
    sign: str = ""
    """A part of what is said of it; empty when nothing is to be said."""


KINDS = (
    Kind(steady_progress), Kind(recorded_tuner), Kind(recorded_ladder), Kind(long_builds), Kind(slow_rewrite),
    Kind(small_gains_that_add_up), Kind(failures_then_a_win), Kind(fresh_start), Kind(wide_sweeps),
    Kind(baseline_again), Kind(outage), Kind(night_between), Kind(advice_that_helps), Kind(debugging),
    Kind(errors_mended_at_once), Kind(careful_reading),
    Kind(plateau, "no improvement in"), Kind(plateau_after_progress, "no improvement in"),
    Kind(plateau_after_advice, "no improvement in"), Kind(back_and_forth, "goes back and forth"),
    Kind(round_in_circles, "came back"), Kind(same_build_error, "the same build error"),
    Kind(same_error_of_build, "the same build error"), Kind(noise_level_wins, "within the noise"),
    Kind(text_only, "in a row without a tool call"), Kind(never_measures, "no evaluation in"),
    Kind(oscillating_knob, "the same lines"), Kind(same_lines_same_error, "the same lines"),
    Kind(hours_without, "minutes of work"), Kind(ever_nearer, "no improvement in"),
    Kind(ever_other_errors, "no improvement in"), Kind(flat_sweeps, "no improvement in"),
)  # fmt: skip
