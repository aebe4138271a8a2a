"""A model client that waits and tries again, and ends the run only where waiting cannot help."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from autogen_core.models import ChatCompletionClient, CreateResult, LLMMessage, ModelInfo

from avo.agents.models.client import POLL, Client, Usage, rest, stopped_answer
from avo.agents.models.errors import ContextTooLong, Fate, Trouble, judged
from avo.agents.models.presentable import presentable
from avo.agents.models.response_log import CUT, LOG, Overheard
from avo.configuration import Retries
from avo.types import AvoError

CANCELLED = 0.5
"""Seconds to wait for a cancelled request to end."""
REACHED: set[str] = set()
"""Addresses that have answered this process, and are therefore right."""
NOTHING_SAID = "(an empty answer)"
"""Replaces an empty answer."""
CONTACT = 5
"""Number of tries to reach a provider that never answered: most likely the address is wrong."""
UNREADABLE = 5
"""Number of tries of a request that is refused, or whose answer cannot be parsed."""
EMPTY = 3
"""Number of tries until an empty answer is accepted."""


class Stopped(Exception):
    """The user stopped the run while a call was under way."""


@dataclass
class Tries:
    """Counts of the tries of one call."""

    began: float = field(default_factory=time.monotonic)
    number: int = 1
    unreached: int = 0
    refused: int = 0
    poor: int = 0
    """Empty or unfinished answers."""


class Resilient(Client):
    """A client that repeats a call until it is answered completely."""

    def __init__(
        self, inner: ChatCompletionClient, name: str, url: str = "", key: str = "", retries: Retries | None = None,
        context_tokens: int = 0,
    ) -> None:  # fmt: skip
        """name, url, key: the model's spec, address and the variable of its key, for messages to the user."""
        self._inner, self.name, self.url, self._key = inner, name, url, key
        self._retries, self.context_tokens = retries or Retries(), context_tokens
        self.say: Callable[[str], None] = lambda line: None
        self.stopped: Callable[[], bool] = lambda: False

    async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
        """Return the answer, or `stopped_answer()` within a second of `stopped()`.

        `last_usage` holds the tokens of all tries, empty answers included.
        Raises AvoError where waiting cannot help, ContextTooLong when the conversation has to be shortened.
        """
        messages, tries, self.last_usage = presentable(messages), Tries(), Usage()
        try:
            while True:
                try:
                    result, heard = await self._once(messages, options)
                except Stopped:
                    raise
                except Exception as error:
                    trouble = judged(error)
                    self._end_if_vain(trouble, tries)
                else:
                    REACHED.add(self.url)
                    self.last_usage = total(self.last_usage, heard.usage(result))
                    lacking = poor(result, heard)
                    tries.poor += bool(lacking)
                    if not lacking or tries.poor >= EMPTY:
                        return complete(result, heard)
                    trouble = Trouble(Fate.WAIT, lacking)
                await self._wait(trouble, tries)
        except Stopped:
            return stopped_answer()

    async def _once(self, messages: Sequence[LLMMessage], options: dict[str, Any]) -> tuple[CreateResult, Overheard]:
        """Make one request within its time limit. Raises Stopped, TimeoutError, and the client's exceptions."""
        if self.stopped():
            raise Stopped
        heard = Overheard()
        context = copy_context()
        context.run(LOG.set, heard)
        task = asyncio.create_task(self._inner.create(messages, **options), context=context)
        try:
            async with asyncio.timeout(self._retries.request_limit):
                while not (await asyncio.wait({task}, timeout=POLL))[0]:
                    if self.stopped():
                        raise Stopped
            return task.result(), heard
        finally:
            if not task.done():
                task.add_done_callback(_forget)
                task.cancel()
                await asyncio.wait({task}, timeout=CANCELLED)

    def _end_if_vain(self, trouble: Trouble, tries: Tries) -> None:
        """Raise AvoError or ContextTooLong if another try cannot help."""
        at = f" at {self.url}" if self.url else ""
        if trouble.fate is Fate.TOO_LONG:
            raise ContextTooLong(trouble.what) from None
        if trouble.fate is Fate.VAIN:
            key = f" (the key is in {self._key})" if self._key else ""
            raise AvoError(f"model {self.name}{at}: {trouble.what}{key}") from None
        if self.url not in REACHED:
            tries.unreached += trouble.fate is Fate.HOST
            if trouble.what == "unknown host" or tries.unreached >= CONTACT:
                told = f"cannot be reached{at}: {trouble.what}; is the address right?"
                raise AvoError(f"model {self.name}: {told}") from None
        tries.refused += trouble.fate in (Fate.REFUSED, Fate.UNREADABLE)
        if tries.refused >= UNREADABLE:
            raise AvoError(f"model {self.name}: the same {tries.refused} times: {trouble.what}") from None

    async def _wait(self, trouble: Trouble, tries: Tries) -> None:
        """Wait as long as the provider asks, else longer from try to try, with jitter. Raises Stopped, AvoError."""
        retries = self._retries
        failing = time.monotonic() - tries.began
        if retries.give_up and failing >= retries.give_up:
            hours = f"{failing / 3600:.1f} h" if failing >= 360 else f"{failing:.0f} s"
            raise AvoError(f"model {self.name}: nothing but failures for {hours}, the last: {trouble.what}")
        # 60 is beyond any wait; 2.0 ** 1024 would overflow, and with give_up 0 there may be as many tries.
        growing = min(retries.longest_wait, retries.first_wait * 2.0 ** min(tries.number - 1, 60)) * random.uniform(
            0.5, 1.0
        )
        seconds = growing
        if trouble.retry_after is not None:
            seconds = trouble.retry_after + min(growing, 0.1 * trouble.retry_after)
        if retries.give_up:
            seconds = min(seconds, retries.give_up - failing)
        tries.number += 1
        if self.stopped():
            raise Stopped
        self.say(f"model: {trouble.what}; again in {seconds:.3g} s (try {tries.number})")
        await rest(seconds, self.stopped)

    @property
    def model_info(self) -> ModelInfo:
        """The inner client's."""
        return self._inner.model_info

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()


def _forget(task: asyncio.Task[CreateResult]) -> None:
    """Retrieve the exception of an abandoned request, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()


def empty(result: CreateResult) -> bool:
    """Return True if the answer has neither text nor calls."""
    return not result.content or (isinstance(result.content, str) and not result.content.strip())


def poor(result: CreateResult, heard: Overheard) -> str:
    """Return what is wrong with an empty or unfinished answer; empty if it is complete."""
    if empty(result):
        return "empty answer"
    unfinished = heard.response is not None and not heard.finish and isinstance(result.content, str)
    return "answer without its finish_reason" if unfinished else ""


def complete(result: CreateResult, heard: Overheard) -> CreateResult:
    """Normalise an answer: finish_reason `length` where it was cut, a placeholder text where it is empty."""
    if heard.finish in CUT:
        result.finish_reason = "length"
    if empty(result):
        result.content = NOTHING_SAID
    result.thought = result.thought or None
    return result


def total(one: Usage, other: Usage) -> Usage:
    """Return the sum of two usages."""
    return Usage(
        one.prompt + other.prompt, one.cached + other.cached, one.completion + other.completion,
        one.written + other.written,
    )  # fmt: skip
