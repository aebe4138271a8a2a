"""A model client that waits and tries again, and ends the run only where waiting cannot help."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autogen_core.models import ChatCompletionClient, CreateResult, LLMMessage, ModelInfo

from avo.agents.models.client import Client, Usage, stopped_answer
from avo.agents.models.errors import ContextTooLong, Fate, Trouble, judged
from avo.agents.models.presentable import presentable
from avo.agents.models.response_log import Overheard, overhearing
from avo.types import AvoError

POLL = 0.2
"""Seconds between two checks whether the user stopped the run."""
CANCELLED = 0.5
"""Seconds to wait for a cancelled request to end."""
REACHED: set[str] = set()
"""Addresses that have answered this process, and are therefore right."""
NOTHING_SAID = "(an empty answer)"
"""Replaces an empty answer."""


@dataclass(frozen=True)
class Waits:
    """Limits of waiting for a model, in seconds unless stated otherwise."""

    first: float = 1.0
    """Wait before the second try; doubled from try to try."""
    longest: float = 300.0
    """Longest wait between two tries."""
    give_up: float = 6 * 3600.0
    """Time without any success after which the run ends; 0: never."""
    request: float = 600.0
    """Limit of one request, the answer included."""
    contact: int = 5
    """Number of tries to reach a provider that never answered: most likely the address is wrong."""
    unreadable: int = 5
    """Number of tries of a request that is refused, or whose answer cannot be parsed."""
    empty: int = 3
    """Number of tries until an empty answer is accepted."""


@dataclass(frozen=True)
class Place:
    """The identity of a model in messages to the user."""

    name: str
    """The spec as the user wrote it."""
    url: str = ""
    key: str = ""
    """Environment variable of its key."""


class Stopped(Exception):
    """The user stopped the run while a call was under way."""


class Resilient(Client):
    """A client that repeats a call until it is answered completely."""

    def __init__(
        self, inner: ChatCompletionClient, place: Place, waits: Waits | None = None, context_tokens: int = 0
    ) -> None:
        self._inner, self.place, self._waits = inner, place, waits or Waits()
        self.context_tokens = context_tokens
        """Length of the model's context, in tokens; 0 when not known."""
        self.say: Callable[[str], None] = lambda line: None
        self.stopped: Callable[[], bool] = lambda: False
        self.last_usage = Usage()
        self.heard = Overheard()
        """The log of the last answer."""

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Return the answer, or `stopped_answer()` within a second of `stopped()`.

        Raises AvoError where waiting cannot help, ContextTooLong when the conversation has to be shortened.
        """
        messages, tries, self.last_usage = presentable(messages), Tries(self._waits), Usage()
        while True:
            try:
                result, heard = await self._once(messages, options)
            except Stopped:
                return self._counted(stopped_answer(), tries)
            except Exception as error:
                trouble = judged(error)
                self._end_if_vain(trouble, tries)
            else:
                self.heard = heard
                REACHED.add(self.place.url)
                self.last_usage = tries.spent = total(tries.spent, heard.usage(result))
                lacking = tries.lacking(result, heard)
                if lacking is None:
                    return self._counted(complete(result, heard), tries)
                trouble = lacking
            try:
                await self._wait(trouble, tries)
            except Stopped:
                return self._counted(stopped_answer(), tries)

    def _counted(self, result: CreateResult, tries: Tries) -> CreateResult:
        """Return the answer with the tokens of all tries, empty answers included."""
        self.last_usage = tries.spent
        result.usage.prompt_tokens, result.usage.completion_tokens = tries.spent.prompt, tries.spent.completion
        return result

    async def _once(self, messages: Sequence[LLMMessage], options: dict[str, Any]) -> tuple[CreateResult, Overheard]:
        """Make one request within its time limit. Raises Stopped, TimeoutError, and the client's exceptions."""
        if self.stopped():
            raise Stopped
        deadline = time.monotonic() + self._waits.request
        with overhearing() as heard:
            task = asyncio.ensure_future(self._inner.create(messages, **options))
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=POLL)
                if not task.done() and self.stopped():
                    raise Stopped
                if not task.done() and time.monotonic() > deadline:
                    raise TimeoutError(f"no answer within {self._waits.request:.0f} s")
            return task.result(), heard
        finally:
            if not task.done():
                task.add_done_callback(_forget)
                task.cancel()
                await asyncio.wait({task}, timeout=CANCELLED)

    def _end_if_vain(self, trouble: Trouble, tries: Tries) -> None:
        """Raise AvoError or ContextTooLong if another try cannot help."""
        place, waits = self.place, self._waits
        at = f" at {place.url}" if place.url else ""
        if trouble.fate is Fate.TOO_LONG:
            raise ContextTooLong(trouble.what) from None
        if trouble.fate is Fate.KEY:
            key = f" (the key is in {place.key})" if place.key else ""
            raise AvoError(f"model {place.name}: {trouble.what}{key}") from None
        if trouble.fate is Fate.QUOTA:
            raise AvoError(f"model {place.name}: no quota left: {trouble.what}") from None
        if trouble.fate is Fate.MODEL:
            raise AvoError(f"model {place.name}: not found{at}: {trouble.what}") from None
        if place.url not in REACHED:
            tries.unreached += trouble.fate is Fate.HOST or trouble.web_page
            if trouble.what == "unknown host" or tries.unreached >= waits.contact:
                what = trouble.what if trouble.fate is Fate.HOST else "it answers with a web page"
                raise AvoError(f"model {place.name}: cannot be reached{at}: {what}; is the address right?") from None
        tries.refused += trouble.fate in (Fate.REFUSED, Fate.UNREADABLE)
        if tries.refused >= waits.unreadable:
            raise AvoError(f"model {place.name}: the same {tries.refused} times: {trouble.what}") from None

    async def _wait(self, trouble: Trouble, tries: Tries) -> None:
        """Wait as long as the provider asks, else longer from try to try, with jitter. Raises Stopped, AvoError."""
        waits = self._waits
        failing = time.monotonic() - tries.began
        if waits.give_up and failing >= waits.give_up:
            hours = f"{failing / 3600:.1f} h" if failing >= 360 else f"{failing:.0f} s"
            raise AvoError(f"model {self.place.name}: nothing but failures for {hours}, the last: {trouble.what}")
        # 60 is beyond any wait; 2.0 ** 1024 would overflow, and with give_up 0 there may be as many tries.
        growing = min(waits.longest, waits.first * 2.0 ** min(tries.number - 1, 60)) * random.uniform(0.5, 1.0)
        seconds = growing
        if trouble.retry_after is not None:
            seconds = trouble.retry_after + min(growing, 0.1 * trouble.retry_after)
        if waits.give_up:
            seconds = min(seconds, waits.give_up - failing)
        tries.number += 1
        if self.stopped():
            raise Stopped
        self.say(f"model: {trouble.what}; again in {seconds:.3g} s ({ordinal(tries.number)} try)")
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, POLL))
            if self.stopped():
                raise Stopped

    @property
    def model_info(self) -> ModelInfo:
        """The inner client's."""
        return self._inner.model_info

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()


class Tries:
    """The tries of one call: counts, start time and tokens spent."""

    def __init__(self, waits: Waits) -> None:
        self.began = time.monotonic()
        self.number, self.unreached, self.refused, self.poor = 1, 0, 0, 0
        self.spent = Usage()
        self._waits = waits

    def lacking(self, result: CreateResult, heard: Overheard) -> Trouble | None:
        """Return what is wrong with an empty or unfinished answer; None if it is complete or tries ran out."""
        empty = not result.content or (isinstance(result.content, str) and not result.content.strip())
        unfinished = heard.response is not None and not heard.finish and isinstance(result.content, str)
        if not empty and not unfinished:
            return None
        self.poor += 1
        if self.poor >= self._waits.empty:
            return None
        return Trouble(Fate.WAIT, "empty answer" if empty else "answer without its finish_reason")


def _forget(task: asyncio.Task[CreateResult]) -> None:
    """Retrieve the exception of an abandoned request, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()


def complete(result: CreateResult, heard: Overheard) -> CreateResult:
    """Normalise an answer: finish_reason `length` where it was cut, a placeholder text where it is empty."""
    if heard.cut:
        result.finish_reason = "length"
    if not result.content or (isinstance(result.content, str) and not result.content.strip()):
        result.content = NOTHING_SAID
    result.thought = result.thought or None
    return result


def total(one: Usage, other: Usage) -> Usage:
    """Return the sum of two usages."""
    return Usage(
        one.prompt + other.prompt, one.cached + other.cached, one.completion + other.completion,
        one.written + other.written,
    )  # fmt: skip


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th …"""
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
