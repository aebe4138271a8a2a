"""Classification of failed model calls: mended by waiting, by a shorter context, or only by the user."""

from __future__ import annotations

import email.utils
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from avo.settings import without_secrets


class ContextTooLong(Exception):
    """The provider refused the conversation as too long; a shorter one may be accepted."""


class Fate(Enum):
    """The consequence of a failed call."""

    WAIT = "the provider or the line will be better later"
    TOO_LONG = "the conversation has to be shortened"
    VAIN = "only the user can mend it"
    HOST = "nobody can be reached there: only at first the user's affair"
    REFUSED = "the request itself is not accepted"
    UNREADABLE = "the answer means nothing"


@dataclass(frozen=True)
class Trouble:
    """A failed call, classified."""

    fate: Fate
    what: str
    """A short description, without secrets."""
    retry_after: float | None = None
    """Seconds that the provider asks to wait."""


WORDS = {
    402: "not paid for", 408: "timed out", 409: "conflict", 425: "too early", 429: "rate limited",
    500: "server error", 502: "bad gateway", 503: "unavailable", 504: "gateway timed out", 529: "overloaded",
}  # fmt: skip
"""HTTP status -> short description."""
WEB_PAGE = "x-avo-web-page"
"""Header by which `wire` marks a web page received instead of an answer."""
LATER = (408, 409, 425, 429)
"""HTTP statuses of requests that may succeed later."""
TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|context (length|window|size|limit)|prompt is too long"
    r"|input is too long|too many (input )?tokens|maximum number of tokens|reduce the length|request_too_large"
    r"|request too large",
    re.IGNORECASE,
)
"""Providers' messages about a prompt that is too long."""
THROTTLED = re.compile(r"rate.?limit|please wait|try again|throttl|per (second|minute|hour|day)", re.IGNORECASE)
"""Phrases by which a provider promises to serve the same request later, even if it also mentions tokens."""
UNPAID = re.compile(
    r"insufficient_quota|insufficient_funds|billing_error|billing_hard_limit_reached|billing_not_active"
    r"|credit balance is too low",
)
"""Providers' error codes for exhausted credit."""
BAD_KEY = re.compile(r"API_KEY_INVALID|API key not valid|invalid_api_key", re.IGNORECASE)
"""Providers' error codes for an invalid key."""
LOST = re.compile("APIConnection|Protocol|ReadError|WriteError")
"""Names of exceptions for a lost connection."""
RETRY_DELAY = re.compile(r"retryDelay\W+(\d+(?:\.\d+)?)s")
"""Gemini's retry hint, in the body."""


def judged(error: BaseException) -> Trouble:
    """Classify an exception of a model client."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _of_status(status, error)
    causes = list(_causes(error))
    names = " ".join(type(cause).__name__ for cause in causes)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Trouble(Fate.HOST, "unknown host")
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Trouble(Fate.HOST, "its certificate is not valid")
    if "UnsupportedProtocol" in names or "InvalidURL" in names:
        return Trouble(Fate.VAIN, "the base URL is none")
    if "ConnectError" in names or any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Trouble(Fate.HOST, "connection refused")
    if isinstance(error, TimeoutError) or "Timeout" in names:
        return Trouble(Fate.WAIT, "no answer in time")
    lost = [str(cause) for cause in causes if isinstance(cause, OSError) or LOST.search(type(cause).__name__)]
    if lost:
        told = next((text for text in lost if text and text != "Connection error."), "closed")
        return Trouble(Fate.WAIT, f"connection lost ({_shortened(told)})")
    return Trouble(Fate.UNREADABLE, f"unreadable answer ({type(error).__name__})")


def _of_status(status: int, error: BaseException) -> Trouble:
    body = getattr(error, "body", None)
    text = f"{json.dumps(body, default=str)} {error}"
    said = _shortened(message_in(body) or str(error))
    named = f"{status} {WORDS.get(status, '')}".strip()
    headers = getattr(getattr(error, "response", None), "headers", {})
    after = retry_after(headers, text)
    if WEB_PAGE in headers:
        return Trouble(Fate.HOST, "it answers with a web page")
    if status == 401 or BAD_KEY.search(text):
        return Trouble(Fate.VAIN, f"{status}: the key was refused")
    if status == 402 or UNPAID.search(text):
        return Trouble(Fate.VAIN, f"no quota left: {named}: {said}")
    too_long = TOO_LONG.search(text) and not (status in (429, 500) and THROTTLED.search(text))
    if status == 413 or (status in (400, 422, 429, 500) and too_long):
        return Trouble(Fate.TOO_LONG, f"{status}: {said}")
    if status == 403:
        return Trouble(Fate.VAIN, f"{status}: not permitted: {said}")
    if status in (404, 405, 410):
        return Trouble(Fate.VAIN, f"not found: {status}: {said}")
    if status in LATER or status >= 500:
        return Trouble(Fate.WAIT, f"{named}: {said}" if status == 502 else named, after)
    return Trouble(Fate.REFUSED, f"{status}: {said}")


def retry_after(headers: Any, text: str = "") -> float | None:
    """Return the seconds that a provider asks to wait; None when it does not say.

    Reads Retry-After (a number or a date), retry-after-ms, and Gemini's hint.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if not value:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            date = email.utils.parsedate_tz(value)
            if date is None:
                continue
            seconds = email.utils.mktime_tz(date) - time.time()
        if seconds == seconds:
            return max(seconds, 0.0)
    hint = RETRY_DELAY.search(text)
    return float(hint[1]) if hint else None


def message_in(body: object) -> str:
    """Return the message in an error's body, in any of the forms that providers send; empty without one."""
    while isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict):
        inner = body.get("error")
        if isinstance(inner, dict | list):
            return message_in(inner)
        return str(body.get("message") or inner or body.get("detail") or "")
    return ""


def _shortened(text: str) -> str:
    """Return the text on one line, without secrets, in at most 200 characters and an ellipsis."""
    line = " ".join(without_secrets(text).split())
    return line if len(line) <= 200 else f"{line[:200]} …"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, its causes and contexts, and the members of exception groups."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, *getattr(cause, "exceptions", ())]
