"""Forecast of a run under its limits, for `avo run scenario … --dry-run`: from its own ledger, or from assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from avo.agents.models.prices import Price, Prices
from avo.evolve import Limits
from avo.memory.journal.ledger import Means
from avo.run import claimed, existing
from avo.scenarios.loader import Scenario
from avo.tools.origin import brought
from avo.tools.transfer import bring
from avo.types import Missing, figure

ASSUMED = Means(
    calls=0, prompt=40_000, cached=28_000, completion=800, calls_a_step=40, evaluations_a_step=6,
    seconds_a_call=10, seconds_an_evaluation=15,
)  # fmt: skip
"""Rough means of a language model's steps on a GPU, used until the run has its own."""
TUNER = Means(
    calls=0, prompt=0, cached=0, completion=0, calls_a_step=20, evaluations_a_step=4,
    seconds_a_call=0, seconds_an_evaluation=5,
)  # fmt: skip
"""Rough means of the tuner's steps on a CPU."""
RATES = ("prompt", "cached", "completion")
"""Fields of a price, in USD per million tokens."""
LEAST_CALLS = 10
"""Smallest number of model calls from which means are taken."""


def behind(run: Path) -> tuple[dict[str, float], Means | None]:
    """Return what a run has spent, and its means if it has enough calls; zeros and None without a run."""
    try:
        journal, _ = existing(run)
    except Missing:
        return dict.fromkeys(("steps", "attempts", "usd", "minutes"), 0), None
    with closing(journal):
        spent = {
            "steps": journal.finished_steps(), "attempts": journal.tried(), "usd": journal.usd(),
            "minutes": journal.elapsed() / 60,
        }  # fmt: skip
        means = journal.means()
    return spent, means if means.calls >= LEAST_CALLS else None


def forecast(limits: Limits, spent: Mapping[str, float], means: Means, price: Price | None) -> dict[str, Any]:
    """Return the further consumption until the first limit (`stops_by`), in steps of mean size; None: not known."""
    step = {
        "steps": 1.0, "calls": means.calls_a_step, "evaluations": means.evaluations_a_step,
        "usd": means.calls_a_step * price.usd(means.prompt, means.cached, means.completion) if price else None,
        "minutes": (
            means.calls_a_step * means.seconds_a_call + means.evaluations_a_step * means.seconds_an_evaluation
        ) / 60,
    }  # fmt: skip
    left = {
        "steps": (limits.steps, spent["steps"], step["steps"]),
        "budget": (limits.budget_usd, spent["usd"], step["usd"]),
        "time": (limits.minutes, spent["minutes"], step["minutes"]),
        "attempts": (limits.attempts, spent["attempts"], step["evaluations"]),
    }  # fmt: skip
    reach = {name: max(most - so_far, 0) / size for name, (most, so_far, size) in left.items() if most and size}
    if not reach:
        return dict.fromkeys(step) | {"stops_by": ""}
    first = min(reach, key=lambda name: reach[name])
    return {name: None if size is None else reach[first] * size for name, size in step.items()} | {"stops_by": first}


def begins_from(run: Path, scenario: Scenario, target: str, seed_from: str) -> dict[str, Any]:
    """Return the version that `--seed-from` names, for JSON; empty without one.

    already: True if the run began from there. Raises AvoError where a start would.
    """
    came = bring(seed_from, run, target) if seed_from else None
    claimed(run, scenario, target)
    if not seed_from:
        return {}
    if already := came is None:
        journal, _ = existing(run)
        with closing(journal):
            came = brought(journal)
    assert came
    facts = {key: getattr(came, key) for key in ("run", "scenario", "version", "commit", "score", "unit")}
    return {"seed_from": facts | {"files": [*came.files], "already": already}}


def dry_run(run: Path, limits: Limits, names: tuple[str, str], table: Prices) -> dict[str, Any]:
    """Return the forecast and its inputs, for JSON.

    names: models of worker and supervisor; only the worker's price counts.
    """
    price = table.of(names[0])
    spent, own = behind(run)
    tunes = names[0].startswith("tuner")
    own = own if tunes or (own and own.prompt) else None  # None: the calls so far were not a language model's
    means = own or (TUNER if tunes else ASSUMED)
    return {
        "run": str(run), "model": names[0], "supervisor_model": names[1], "limits": asdict(limits),
        "usd_per_million_tokens": {name: getattr(price, name) for name in RATES} if price else None,
        "assumed": own is None, "means": asdict(means), "so_far": spent,
        "expected": forecast(limits, spent, means, price),
    }  # fmt: skip


def told(found: dict[str, Any]) -> str:
    """Format the result of `dry_run` for people."""
    means, spent, price, more = (found[key] for key in ("means", "so_far", "usd_per_million_tokens", "expected"))
    names = " and ".join(dict.fromkeys((found["model"], found["supervisor_model"])))
    cost = "nothing" if price and not any(price.values()) else "a price that is not known"
    if price and any(price.values()):
        figures = f"{price['prompt']:g} (cached {price['cached']:g}) in, {price['completion']:g} out"
        cost = f"{figures}: USD per million tokens (prices change, check them)"
    lines = [
        f"{names}: {cost}",
        f"so far: {spent['steps']} steps, {spent['attempts']} attempts, {spent['usd']:.2f} USD,"
        f" {spent['minutes']:.0f} min",
        f"a call: {means['prompt']:.0f} tokens in ({means['cached']:.0f} cached), {means['completion']:.0f} out,"
        f" {means['seconds_a_call']:.1f} s; a step: {means['calls_a_step']:.0f} calls,"
        f" {means['evaluations_a_step']:.1f} evaluations of {means['seconds_an_evaluation']:.1f} s"
        + (" (assumed: this run has no figures yet)" if found["assumed"] else " (the means of this run)"),
    ]
    if more["steps"] is None:
        lines.append("no limit that can be reckoned with: it goes on until the agents find nothing more to try")
    elif not more["steps"]:
        lines.append(f"the limits leave nothing: {more['stops_by']} is reached")
    else:
        usd = "an unknown number of" if more["usd"] is None else f"{more['usd']:.2f}"
        lines.append(
            f"the limits leave about {more['steps']:.1f} steps, {more['calls']:.0f} calls,"
            f" {more['evaluations']:.0f} evaluations, {usd} USD, {more['minutes']:.0f} min;"
            f" {more['stops_by']} is reached first"
        )
    return "\n".join([*lines, *_origin(found.get("seed_from")), "nothing was started"])


def _origin(came: dict[str, Any] | None) -> list[str]:
    if came is None:
        return []
    label = f"{came['version']} of {came['run']} ({came['scenario']})"
    if came["already"]:
        return [f"begun from {label} already: nothing more would be brought in"]
    there = f"{figure(came['score'])} {came['unit']} there, {', '.join(came['files'])}"
    return [f"would be brought in: {label}, {there}: v0 if it passes here, else the first thing to adapt"]
