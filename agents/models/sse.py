"""Streamed answers (server-sent events) assembled into whole ones; a stream without its end is no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


class Cut(Exception):
    """The answer ended prematurely."""


def events(text: str) -> Iterator[str]:
    """Yield the data of each event, without comments and event names."""
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if lines:
            yield "\n".join(lines)


def folded(text: str) -> dict[str, Any]:
    """Return the whole answer, or the error sent instead of it. Raises Cut."""
    chunks: list[dict[str, Any]] = []
    done = False
    for data in events(text):
        if data.strip() == "[DONE]":
            done = True
            break
        try:
            chunk = json.loads(data)
        except ValueError as error:
            raise Cut("the stream was cut within an event") from error
        if not isinstance(chunk, dict):
            continue
        if chunk.get("error") or chunk.get("type") == "error":
            return chunk
        chunks.append(chunk)
    if any(chunk.get("type") == "message_start" for chunk in chunks):
        return _message(chunks)
    return _completion(chunks, done)


def _completion(chunks: list[dict[str, Any]], done: bool) -> dict[str, Any]:
    """Assemble OpenAI's chunks, which end with a finish_reason and then [DONE] or the usage. Raises Cut."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    whole: dict[str, Any] = {"usage": None}
    finish = None
    for chunk in chunks:
        whole |= {key: chunk[key] for key in ("id", "created", "model") if chunk.get(key) is not None}
        whole["usage"] = chunk.get("usage") or whole["usage"]
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or {}
            for key in ("content", "reasoning_content", "refusal"):
                if delta.get(key):
                    message[key] = (message.get(key) or "") + delta[key]
            for part in delta.get("tool_calls") or []:
                _add_call(calls, part)
            finish = choice.get("finish_reason") or finish
    if not finish or not (done or whole["usage"]):
        raise Cut("the stream ended early")
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "", "created": 0, "model": "", **whole, "object": "chat.completion", "choices": [choice]}


def _add_call(calls: dict[int, dict[str, Any]], part: dict[str, Any]) -> None:
    index = part.get("index")
    if index is None:  # some servers send whole calls without a number
        index = len(calls)
    call = calls.setdefault(index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call["id"] = call["id"] or part.get("id") or f"call_{index}"
    if part.get("extra_content"):
        call["extra_content"] = part["extra_content"]
    function = part.get("function") or {}
    call["function"]["name"] += function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""


def _message(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Assemble Anthropic's events, which end with message_stop. Raises Cut."""
    whole: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    stopped = False
    for chunk in chunks:
        match chunk:
            case {"type": "message_start", "message": message}:
                whole = dict(message)
            case {"type": "content_block_start", "index": index, "content_block": block}:
                blocks[index] = dict(block)
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                block = blocks[index]
                for key in ("text", "thinking", "signature"):
                    if key in delta:
                        block[key] = block.get(key, "") + delta[key]
                inputs[index] = inputs.get(index, "") + delta.get("partial_json", "")
            case {"type": "message_delta", "delta": delta}:
                whole |= delta
                usage = {key: count for key, count in (chunk.get("usage") or {}).items() if count is not None}
                whole["usage"] = {**(whole.get("usage") or {}), **usage}
            case {"type": "message_stop"}:
                stopped = True
    if not stopped or not whole.get("stop_reason"):
        raise Cut("the stream ended early")
    for index, text in inputs.items():
        if text:
            blocks[index]["input"] = _object(text)
    return whole | {"content": [blocks[index] for index in sorted(blocks)]}


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # cut at the limit of output tokens, which the stop_reason says
        return {}
