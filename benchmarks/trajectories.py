"""Trajectories of a search, written as real journals: healthy ones and stuck ones, recorded and made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from story import Story

from avo.types import Status

RECORDED = Path(__file__).parent / "results" / "tuner_trajectory.json"
LADDER = (1.0, 0.967, 1.022, 1.033, 1.010, 1.011, 1.024, 1.068)
"""Gains of the Hopper kernel's versions over the one before (kernels/mha/sm_90a/LINEAGE.md, causal)."""


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
    for tool in ("read_file", "lineage", *["kb_search"] * 15, *["read_file"] * 12, *["kb_read"] * 20, "profile"):
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
            s.call("build", error="k.cpp:7: error: expected ';'")
        s.call("build")
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
        s.call("build", error=f"k.cu:{line}: error: identifier 'mma' is undefined")


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
