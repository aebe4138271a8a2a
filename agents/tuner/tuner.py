"""The tuner: a deterministic search over knobs that implements a model client.

It reads the knobs from the sources, sweeps one after the other, commits what the gate accepts, and starts over from
there. When no single change helps it says so; its supervisor then names pairs of values that were not tried
together. All its state is in its calls and their payloads, so it resumes after a restart. It reads no text meant for
people.
"""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from autogen_core import FunctionCall
from autogen_core.models import CreateResult, LLMMessage, RequestUsage

from avo.agents.models.advice import Advice, Direction
from avo.agents.models.client import Client
from avo.agents.tuner.transcript import Conversation, Settings, read, written
from avo.types import ToolError, figure

MARGIN = 1.02
"""Factor by which a score has to exceed the best version's before a commit is worth its time."""
DIRECTIONS = 4
"""Combinations in one advice."""
CONTEXT_TOKENS = 1_000_000
"""Context length that it claims: it reads thousands of attempts at once, for free."""
LOST = 0.75
"""Factor of another value's score, all else equal, below which a value is tried again on advice only."""
NEAR = 0.95
"""Factor of the best score that two changes have to reach alone before they are tried together."""
FRUITLESS = 2
"""Consecutive pieces of advice without effect after which the search is exhausted."""


class Reader(Client):
    """A client that reads the payloads of messages instead of their texts."""

    context_tokens = CONTEXT_TOKENS
    paid = False


class Tuner(Reader):
    """The tuner in the worker's place."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Return the next tool call, or a closing line after `commit` and `end_step`."""
        talk = read(messages, self.heard)
        try:
            return self._after_the_last(talk) or reading(talk) or self._take(talk) or self._explore(talk)
        except ToolError as error:  # a knob that cannot be read
            return call("end_step", reason=str(error), exhausted=True)

    def _after_the_last(self, talk: Conversation) -> CreateResult | None:
        """Return the call that the last result requires: stop, give up, or note a refusal and start over; else None."""
        last = talk.last
        if last is None:
            return call("checkout", version="best") if talk.begun and talk.begun.resumed else None
        if last.tool in ("commit", "end_step") and last.worked and not talk.spoke_last:
            return say(f"Tuner (no language model): {last.arguments.get('message') or last.arguments['reason']}")
        if last.tool == "commit" and not last.worked:
            return call("note", text=f"refused by the gate: {written(talk.settings())}")
        if last.tool == "note":
            return call("checkout", version="best")
        if not last.worked and not last.interrupted:
            return call("end_step", reason=f"{last.tool} failed: {last.answer[:200]}")
        return None

    def _take(self, talk: Conversation) -> CreateResult | None:
        """Return the next edit towards the best settings seen, or their commit; None if they are no better."""
        base, tried = talk.settings(edited=False), talk.tried()
        wanted = max(
            (entry for entry in tried if entry not in talk.refused() and reachable(entry, talk)),
            key=lambda entry: tried[entry], default=base,
        )  # fmt: skip
        if wanted == base or tried[wanted] <= tried.get(base, 0.0) * MARGIN:
            return None
        for name, knob in talk.knobs().items():
            value = dict(wanted)[name]
            if knob.value != value:
                return call("edit_file", path=knob.file, old=knob.line, new=knob.line_with(value))
        changed = ", ".join(
            f"{name} {dict(base)[name]} -> {value}" for name, value in wanted if dict(base)[name] != value
        )
        measured = f"{figure(tried[wanted])} against {figure(tried.get(base, 0.0))}"
        return call("commit", message=f"{changed}\n\nMeasured {measured} in the sweep.")

    def _explore(self, talk: Conversation) -> CreateResult:
        """Return a sweep of settings not tried yet: those advised, then the next knob's values; else the step's end."""
        base, knobs = talk.settings(edited=False), talk.knobs()
        scores = talk.tried()
        tried = scores.keys() | talk.swept(base)
        for change in talk.advised():
            possible = all(name in knobs and value in knobs[name].values for name, value in change)
            if possible and with_change(base, change) not in tried:
                sets = {name: [value] for name, value in change}
                return call("sweep", knobs=sets, direction=f"as advised: {written(change)}")
        order = list(knobs)
        random.Random(self.seed).shuffle(order)
        start = (talk.begun.versions if talk.begun else 0) % max(len(order), 1)
        for name in order[start:] + order[:start]:
            out = lost(name, scores)
            missing = [v for v in knobs[name].values if v not in out and with_change(base, ((name, v),)) not in tried]
            if missing:
                return call("sweep", knobs={name: missing}, direction=f"{name} from {dict(base)[name]}")
        reason = "no single change of a knob, and nothing that was advised, beats the best version"
        return call("end_step", reason=reason if knobs else "the sources declare no knobs", exhausted=True)


class TunerSupervisor(Reader):
    """The tuner in the supervisor's place: advises values never tried, then pairs of the values that did best."""

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Return the advice as JSON, after the calls that it needs."""
        talk = read(messages, self.heard)
        if result := reading(talk):
            return result
        return say(self._advise(talk, talk.review.fruitless if talk.review else 0).model_dump_json())

    def _advise(self, talk: Conversation, idle: int) -> Advice:
        base, tried, knobs = talk.settings(), talk.tried(), talk.knobs()
        if idle >= FRUITLESS:
            return Advice(diagnosis=f"{idle} rounds of advice brought nothing: the knobs are exhausted.")
        singles = [((name, value),) for name, knob in knobs.items() for value in knob.values]
        unexplored = [change for change in singles if all(not set(change) <= set(entry) for entry in tried)]
        alone = {change: tried.get(with_change(base, change), 0.0) for change in singles}
        near = [change for change in singles if change[0] not in base and alone[change] >= NEAR * tried.get(base, 0.0)]
        pairs = [(*a, *b) for a, b in itertools.combinations(near, 2) if a[0][0] != b[0][0]]
        pairs.sort(key=lambda pair: -alone[pair[:1]] * alone[pair[1:]])
        untried = [pair for pair in pairs if with_change(base, pair) not in tried]
        directions = [
            Direction(title=f"try {written(change)}", why=why, knobs=dict(change))
            for changes, why in ((unexplored, "this value was never measured"), (untried, "both values do well alone"))
            for change in changes
        ][:DIRECTIONS]
        return Advice(
            diagnosis=f"{len(tried)} settings tried, {len(unexplored)} values never, {len(untried)} pairs left.",
            directions=tuple(directions),
        )


def reading(talk: Conversation) -> CreateResult | None:
    """Return the next call that reads the sources or the attempts; None when both are known."""
    if talk.tree() is None:
        return call("read_file")
    shown = any(done.tool == "attempts" and done.worked for done in talk.calls)
    if not shown or (talk.last and talk.last.interrupted):
        return call("attempts", last=0)
    return None


def reachable(entry: Settings, talk: Conversation) -> bool:
    """Return True if setting knobs in the sources can produce these settings."""
    knobs = talk.knobs()
    return {name for name, _ in entry} == set(knobs) and all(value in knobs[name].values for name, value in entry)


def lost(name: str, tried: Mapping[Settings, float]) -> set[str]:
    """Return the knob's values that another value beat clearly wherever both were tried with all else equal."""
    contexts: dict[Settings, dict[str, float]] = {}
    for entry, score in tried.items():
        if name in dict(entry):
            contexts.setdefault(tuple(pair for pair in entry if pair[0] != name), {})[dict(entry)[name]] = score
    compared = [scores for scores in contexts.values() if len(scores) > 1]
    near = {value for scores in compared for value, score in scores.items() if score >= LOST * max(scores.values())}
    return {value for scores in compared for value in scores} - near


def with_change(base: Settings, change: Settings) -> Settings:
    """Return the settings with some values replaced."""
    return tuple(sorted((dict(base) | dict(change)).items()))


def call(tool: str, **arguments: Any) -> CreateResult:
    """Return an answer that calls a tool."""
    function = FunctionCall(id=uuid.uuid4().hex, name=tool, arguments=json.dumps(arguments))
    return CreateResult(finish_reason="function_calls", content=[function], usage=RequestUsage(0, 0), cached=False)


def say(text: str) -> CreateResult:
    """Return an answer that is text."""
    return CreateResult(finish_reason="stop", content=text, usage=RequestUsage(0, 0), cached=False)
