"""The HTTP client under the providers' SDKs: reads each answer completely, streamed or not, and refuses a cut one.

It adds to requests what AutoGen leaves out: the request for Anthropic's cache, and Gemini's signatures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2

from avo.agents.models.errors import WEB_PAGE
from avo.agents.models.response_log import LOG
from avo.agents.models.sse import Cut, folded

SKIP_SIGNATURE = "skip_thought_signature_validator"
"""Placeholder that Gemini accepts for a call whose signature is no longer known."""
SIGNATURES = 2000
"""Number of latest calls whose signatures are kept; older ones left the conversation long ago."""
ERRORS = {
    "overloaded_error": 529, "rate_limit_error": 429, "rate_limit_exceeded": 429, "insufficient_quota": 429,
    "authentication_error": 401, "permission_error": 403, "not_found_error": 404, "billing_error": 402,
    "invalid_request_error": 400, "request_too_large": 413,
}  # fmt: skip
"""HTTP status for an error sent with status 200, by the error's type."""


class Checked(httpx2.AsyncClient):
    """A mixin for the SDK's own HTTP client, whose settings and proxies it keeps."""

    streams = False
    """Request streams; the SDK still receives whole answers."""
    caches = False
    """Ask Anthropic to cache the part of the prompt that stays the same from call to call."""
    signs = False
    """Send Gemini's signatures back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._signatures: dict[str, Any] = {}

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request and return its whole answer. Raises httpx2.RemoteProtocolError for one that is cut."""
        response = await super().send(self._mended(request), **options)
        if response.status_code != 200:
            return response
        try:
            return self._checked(response, await response.aread())
        except Cut as error:
            raise httpx2.RemoteProtocolError(str(error), request=request) from None

    def _mended(self, request: httpx2.Request) -> httpx2.Request:
        if request.method != "POST":
            return request
        body = json.loads(request.content)
        for call in calls_in(body) if self.signs else ():
            unknown = {"google": {"thought_signature": SKIP_SIGNATURE}}
            call["extra_content"] = self._signatures.get(call["id"]) or unknown
        if request.url.path.endswith("/messages"):
            if self.caches:
                body.setdefault("cache_control", {"type": "ephemeral"})
        elif self.streams:
            body["stream_options"] = {"include_usage": True}
        if self.streams:
            body["stream"] = True
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        return httpx2.Request(
            request.method, request.url, headers=headers, content=json.dumps(body).encode(),
            extensions=request.extensions,
        )  # fmt: skip

    def _checked(self, response: httpx2.Response, content: bytes) -> httpx2.Response:
        """Return the whole answer, or an error with the HTTP status that it should have had. Raises Cut."""
        text = content.decode("utf-8", "replace").strip()
        if "event-stream" in response.headers.get("content-type", "") or text.startswith(("data:", "event:", ":")):
            # AutoGen never sees a stream: of one it would know neither the usage nor whether it was cut.
            answer: Any = folded(text)
        elif text.startswith("<"):
            made = _response(response, 502, {"error": {"message": "a web page instead of an answer"}})
            made.headers[WEB_PAGE] = "1"
            return made
        else:
            try:
                answer = json.loads(text)
            except ValueError:
                raise Cut("the answer is not whole" if text else "an empty body") from None
        if isinstance(answer, list) and answer:
            answer = answer[0]
        if not isinstance(answer, dict) or not (answer.get("choices") or "content" in answer):
            error = answer.get("error") if isinstance(answer, dict) else None
            return _response(response, status_of(error), {"error": error or {"message": "an answer without choices"}})
        for call in calls_of(answer):
            if call.get("extra_content"):
                self._signatures[call["id"]] = call["extra_content"]
                if len(self._signatures) > SIGNATURES:
                    del self._signatures[next(iter(self._signatures))]
        if log := LOG.get(None):
            log.response = answer
        return _response(response, 200, answer)


def wire(base: type[httpx2.AsyncClient], **settings: bool) -> httpx2.AsyncClient:
    """Return a checking client of the SDK's class `base`; `settings` are fields of Checked."""
    made: httpx2.AsyncClient = type("Wire", (Checked, base), settings)()
    return made


def status_of(error: object) -> int:
    """Return the HTTP status that an error should have had; 502 when it does not say."""
    if isinstance(error, dict):
        for key in ("code", "status"):
            code = error.get(key)
            if isinstance(code, int | str) and str(code).isdecimal() and 400 <= int(code) < 600:
                return int(code)
        for key in ("type", "code"):
            if error.get(key) in ERRORS:
                return ERRORS[error[key]]
    return 502


def calls_in(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the tool calls in a request's history, in OpenAI's form."""
    for message in body.get("messages") or []:
        if message.get("role") == "assistant":
            yield from message.get("tool_calls") or []


def calls_of(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the tool calls in an answer, in OpenAI's form."""
    for choice in answer.get("choices") or []:
        yield from (choice.get("message") or {}).get("tool_calls") or []


def _response(response: httpx2.Response, status: int, answer: Any) -> httpx2.Response:
    kept = {name: value for name, value in response.headers.items() if name.lower().startswith(("x-", "retry-"))}
    return httpx2.Response(
        status, headers=kept | {"content-type": "application/json"}, content=json.dumps(answer).encode(),
        request=response.request, extensions=response.extensions,
    )  # fmt: skip
