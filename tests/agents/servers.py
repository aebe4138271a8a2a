"""Model providers on the loopback: OpenAI's and Anthropic's protocols over real HTTP, with a script and faults.

with serving(["look", ("lineage", {}), "done"], faults={1: Fault.RESET}) as provider:
    ...  # .url is a base URL for OpenAI's SDK, .root one for Anthropic's; .counted: tokens of what was delivered whole
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Call = tuple[str, "dict[str, Any] | str"]
"""Tool and arguments; a text is sent as the arguments just as it stands."""
Answer = str | Call | list[Call]
Script = Sequence[Answer] | Callable[[dict[str, Any]], Answer]
"""Answers in order, the last for ever; or what to answer to a request's body."""


class Fault(StrEnum):
    """What goes wrong with one request. The script's answer is kept for the next."""

    RATE_LIMITED = "429"
    RATE_LIMITED_FOR = "429 with Retry-After"
    BROKEN = "500"
    UNAVAILABLE = "503"
    OVERLOADED = "529"
    BAD_KEY = "401"
    FORBIDDEN = "403"
    NO_MODEL = "404"
    UNPAID = "402"
    NO_QUOTA = "429 insufficient_quota"
    TOO_LONG = "400 context too long"
    REFUSED = "400"
    ERROR_BODY = "200 with an error body"
    HTML = "200 with a web page"
    RESET = "connection reset within the body"
    TRUNCATED = "chunked body without its end"
    CUT = "body cut, delimited by the close"
    HANG = "no answer"
    DRIP = "an answer that never ends"
    EMPTY = "empty answer"
    LENGTH = "finish_reason length within a call"
    BAD_JSON = "arguments that are no JSON"
    UNKNOWN_TOOL = "unknown tool"


DELIVERED = (Fault.EMPTY, Fault.LENGTH, Fault.BAD_JSON, Fault.UNKNOWN_TOOL)
"""Faults of the model, not of the line: these answers arrive whole, and are counted."""

STATUS: dict[Fault, tuple[int, str, str, str]] = {
    Fault.RATE_LIMITED: (429, "rate_limit_exceeded", "rate_limit_error", "Rate limit reached"),
    Fault.RATE_LIMITED_FOR: (429, "rate_limit_exceeded", "rate_limit_error", "Rate limit reached"),
    Fault.BROKEN: (500, "server_error", "api_error", "The server had an error"),
    Fault.UNAVAILABLE: (503, "server_error", "api_error", "Service unavailable"),
    Fault.OVERLOADED: (529, "overloaded", "overloaded_error", "Overloaded"),
    Fault.BAD_KEY: (401, "invalid_api_key", "authentication_error", "Incorrect API key provided: {key}"),
    Fault.FORBIDDEN: (403, "forbidden", "permission_error", "The project has no access to this model"),
    Fault.NO_MODEL: (404, "model_not_found", "not_found_error", "The model does not exist"),
    Fault.UNPAID: (402, "payment_required", "billing_error", "Insufficient credits"),
    Fault.NO_QUOTA: (429, "insufficient_quota", "billing_error", "You exceeded your current quota"),
    Fault.REFUSED: (400, "invalid_value", "invalid_request_error", "temperature: unsupported value"),
}
"""Status, OpenAI's code, Anthropic's type, message."""
OPENAI_TOO_LONG = "This model's maximum context length is 1000 tokens. However, your messages resulted in 2000 tokens."
ANTHROPIC_TOO_LONG = "prompt is too long: 2000 tokens > 1000 maximum"


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: dict[str, Any]

    @property
    def anthropic(self) -> bool:
        return self.path.partition("?")[0].endswith("/messages")


@dataclass
class Counted:
    """Tokens as the provider counts them; the cached ones are part of the prompt."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    answers: int = 0
    written: int = 0
    """Part of the prompt that went into the cache; Anthropic says so."""


class Provider(ThreadingHTTPServer):
    """Plays `script`; request number n (from 0) has `faults[n]`, if there is one."""

    daemon_threads = True

    def __init__(
        self, script: Script, faults: Mapping[int, Fault] | None = None, *, key: str = "", models: Sequence[str] = (),
        always_streams: bool = False, retry_after: str = "0",
        aside: Callable[[dict[str, Any]], Answer | None] = lambda body: None,
    ) -> None:  # fmt: skip
        """key, models: those that are accepted; without them all are. always_streams: whether it is asked to or not.

        aside: what to answer to requests that the script does not know of; None for those that it does.
        """
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.faults = script, dict(faults or {})
        self.key, self.models, self.always_streams, self.retry_after = key, models, always_streams, retry_after
        self.aside = aside
        self.requests: list[Request] = []
        self.counted = Counted()
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.extra_content: Any = None
        """What Gemini puts beside a call."""
        self.played = 0
        """Answers of the script that were delivered."""

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def take(self, request: Request) -> tuple[int, Fault | None]:
        """Write a request down: its number, and what is to go wrong with it."""
        with self.lock:
            number = len(self.requests)
            self.requests.append(request)
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.key and self.key not in (sent, request.headers.get("x-api-key"), request.headers.get("api-key")):
            return number, Fault.BAD_KEY
        if self.models and request.body.get("model") not in self.models:
            return number, Fault.NO_MODEL
        return number, self.faults.get(number)

    def answer(self, body: dict[str, Any]) -> Answer:
        if callable(self.script):
            return self.script(body)
        return self.script[min(self.played, len(self.script) - 1)]

    def delivered(self, usage: Counted, *, played: bool) -> None:
        with self.lock:
            self.played += played
            for name in ("prompt", "cached", "completion", "answers", "written"):
                setattr(self.counted, name, getattr(self.counted, name) + getattr(usage, name))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def serving(script: Script, faults: Mapping[int, Fault] | None = None, **options: Any) -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    with Provider(script, faults, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    server: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, json.loads(raw))
        if self.server.closing.is_set():
            self.close_connection = True
            return
        number, fault = self.server.take(request)
        if fault in STATUS or fault is Fault.TOO_LONG:
            self._refuse(request, fault)
        elif fault is Fault.ERROR_BODY:
            self._whole(200, json.dumps(error(request, Fault.BROKEN, "")).encode())
        elif fault is Fault.HTML:
            self._whole(200, b"<!DOCTYPE html><html><body>Please log in</body></html>", "text/html")
        elif fault is Fault.HANG:
            self.server.closing.wait()
            self.close_connection = True
        else:
            self._answer(request, number, fault)

    def _refuse(self, request: Request, fault: Fault) -> None:
        extra = {"Retry-After": self.server.retry_after} if fault is Fault.RATE_LIMITED_FOR else {}
        sent = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        status = 400 if fault is Fault.TOO_LONG else STATUS[fault][0]
        self._whole(status, json.dumps(error(request, fault, sent)).encode(), extra=extra)

    def _answer(self, request: Request, number: int, fault: Fault | None) -> None:
        aside = self.server.aside(request.body)
        answer, finish = spoiled(self.server.answer(request.body) if aside is None else aside, fault)
        usage = count(request.body, answer, first=self.server.counted.answers == 0, writes=request.anthropic)
        streams = bool(request.body.get("stream")) or self.server.always_streams
        make = anthropic_answer if request.anthropic else openai_answer
        whole = make(request.body, number, answer, finish, usage)
        for choice in whole.get("choices", []) if self.server.extra_content else []:
            for call in choice["message"].get("tool_calls", []):
                call["extra_content"] = self.server.extra_content
        if streams:
            split = anthropic_events if request.anthropic else openai_events
            body, kind = "".join(split(whole, request.body)).encode(), "text/event-stream"
        else:
            body, kind = json.dumps(whole).encode(), "application/json"
        if fault is None or fault in DELIVERED:
            self.server.delivered(
                usage, played=fault is None and aside is None
            )  # first: the client's next request may come at once
            self._whole(200, body, kind)
        else:
            self._broken(fault, body, kind)

    def _whole(self, status: int, body: bytes, kind: str = "application/json", extra: Any = ()) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **dict(extra)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _broken(self, fault: Fault, body: bytes, kind: str) -> None:
        """Half of the body, and then what the fault says."""
        self.close_connection = True
        half = body[: body.rfind(b"\n\n", 0, max(len(body) // 2, body.find(b"\n\n") + 3)) + 2 or len(body) // 2]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if fault is Fault.RESET:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header(*(("Connection", "close") if fault is Fault.CUT else ("Transfer-Encoding", "chunked")))
        self.end_headers()
        chunked = fault in (Fault.TRUNCATED, Fault.DRIP)
        self.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n" if chunked else half)
        self.wfile.flush()
        while fault is Fault.DRIP and not self.server.closing.wait(0.05):
            self.wfile.write(b"1\r\n \r\n" if kind == "application/json" else b"2\r\n:\n\r\n")
        if fault is Fault.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def spoiled(answer: Answer, fault: Fault | None) -> tuple[Answer, str]:
    """The answer as the fault of a model leaves it, and OpenAI's finish_reason."""
    calls = answer if isinstance(answer, list) else [answer] if isinstance(answer, tuple) else []
    if fault is Fault.EMPTY:
        return "", "stop"
    if fault in (Fault.LENGTH, Fault.BAD_JSON):
        text = '{"path": "matvec.cpp", "content": "#include <cstd'
        broken: Answer = [("write_file", text)]
        return broken, "length" if fault is Fault.LENGTH else "tool_calls"
    if fault is Fault.UNKNOWN_TOOL:
        return [("compile_and_run", {"quickly": True})], "tool_calls"
    return calls or answer, "tool_calls" if calls else "stop"


def count(body: dict[str, Any], answer: Answer, *, first: bool, writes: bool) -> Counted:
    """What the provider counts: half of a prompt is cached, after the first; a third of it is put there."""
    prompt = len(json.dumps([body.get("system", ""), body["messages"], body.get("tools", [])])) // 4
    cached, written = 0 if first else prompt // 2, prompt // 3 if writes else 0
    return Counted(prompt, cached, len(json.dumps(answer)) // 4 + 1, 1, written)


def arguments_of(call: Call) -> str:
    return call[1] if isinstance(call[1], str) else json.dumps(call[1])


def error(request: Request, fault: Fault, key: str) -> dict[str, Any]:
    if fault is Fault.TOO_LONG and request.anthropic:
        return {"type": "error", "error": {"type": "invalid_request_error", "message": ANTHROPIC_TOO_LONG}}
    if fault is Fault.TOO_LONG:
        code, kind, message = "context_length_exceeded", "invalid_request_error", OPENAI_TOO_LONG
    else:
        _, code, kind, message = STATUS[fault]
    message = message.format(key=key)
    if request.anthropic:
        return {"type": "error", "error": {"type": kind, "message": message}}
    return {"error": {"message": message, "type": code, "param": None, "code": code}}


# ---- OpenAI --------------------------------------------------------------------------------------


def openai_answer(
    body: dict[str, Any], number: int, answer: Answer, finish: str, usage: Counted
) -> dict[str, Any]:  # fmt: skip
    message: dict[str, Any] = {"role": "assistant", "content": answer}
    if isinstance(answer, list):
        calls = [
            {
                "id": f"call_{number}_{at}", "type": "function",
                "function": {"name": call[0], "arguments": arguments_of(call)},
            }
            for at, call in enumerate(answer)
        ]  # fmt: skip
        message = {"role": "assistant", "content": None, "tool_calls": calls}
    return {
        "id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": body.get("model", "scripted"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
        },
    }  # fmt: skip


def openai_events(whole: dict[str, Any], body: dict[str, Any]) -> Iterator[str]:
    """The same answer as a stream: text by words, arguments in two parts, the usage only when it is asked for."""
    head = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    message, finish = whole["choices"][0]["message"], whole["choices"][0]["finish_reason"]

    def event(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps(head | {'choices': [choice], 'usage': None})}\n\n"

    yield event({"role": "assistant", "content": None if message.get("tool_calls") else ""})
    for word in (message["content"] or "").split(" "):
        if message["content"]:
            yield event({"content": f"{word} "})
    for at, call in enumerate(message.get("tool_calls", [])):
        arguments = call["function"]["arguments"]
        yield event({"tool_calls": [call | {"index": at, "function": call["function"] | {"arguments": ""}}]})
        for part in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            yield event({"tool_calls": [{"index": at, "function": {"arguments": part}}]})
    yield event({}, finish)
    if (body.get("stream_options") or {}).get("include_usage") or not body.get("stream"):
        yield f"data: {json.dumps(head | {'choices': [], 'usage': whole['usage']})}\n\n"
    yield "data: [DONE]\n\n"


# ---- Anthropic -----------------------------------------------------------------------------------

STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


def anthropic_answer(
    body: dict[str, Any], number: int, answer: Answer, finish: str, usage: Counted
) -> dict[str, Any]:  # fmt: skip
    blocks: list[dict[str, Any]] = [{"type": "text", "text": answer}] if answer else []
    if isinstance(answer, list):
        blocks = [
            {"type": "tool_use", "id": f"toolu_{number}_{at}", "name": call[0], "input": _input(call)}
            for at, call in enumerate(answer)
        ]
    return {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": body.get("model", "scripted"),
        "content": blocks, "stop_reason": STOP_REASONS[finish], "stop_sequence": None,
        "usage": {
            "input_tokens": usage.prompt - usage.cached - usage.written, "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": usage.written, "output_tokens": usage.completion,
        },
    }  # fmt: skip


def _input(call: Call) -> Any:
    """Arguments as an object; those that are cut lose what is not whole, as Anthropic's do."""
    try:
        return json.loads(arguments_of(call))
    except json.JSONDecodeError:
        return {}


def anthropic_events(whole: dict[str, Any], body: dict[str, Any]) -> Iterator[str]:
    def event(kind: str, **data: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"

    begin = whole["usage"] | {"output_tokens": 1}
    yield event("message_start", message=whole | {"content": [], "stop_reason": None, "usage": begin})
    yield event("ping")
    for at, block in enumerate(whole["content"]):
        if block["type"] == "text":
            yield event("content_block_start", index=at, content_block={"type": "text", "text": ""})
            for word in block["text"].split(" "):
                yield event("content_block_delta", index=at, delta={"type": "text_delta", "text": f"{word} "})
        else:
            text = json.dumps(block["input"])
            yield event("content_block_start", index=at, content_block=block | {"input": {}})
            for part in (text[: len(text) // 2], text[len(text) // 2 :]):
                yield event("content_block_delta", index=at, delta={"type": "input_json_delta", "partial_json": part})
        yield event("content_block_stop", index=at)
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=stop, usage={"output_tokens": whole["usage"]["output_tokens"]})
    yield event("message_stop")
