"""A stream is folded into the whole answer, in every form that servers send, and never believed when it is cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avo.agents.models.sse import Cut, folded
from avo.agents.models.wire import status_of


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return f"data: {json.dumps({'id': 'x', 'created': 7, 'model': 'm', 'choices': choices, **more})}\n\n"


def event(kind: str, **more: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n"


DONE = "data: [DONE]\n\n"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
TEXT = chunk({"role": "assistant", "content": ""}) + chunk({"content": "two "}) + chunk({"content": "words"})
END = chunk({}, "stop")


def part(index: int | None, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **more}]}


CALLS = (
    chunk(part(0, id="a", function={"name": "lineage", "arguments": ""}))
    + chunk(part(1, id="b", function={"name": "diff", "arguments": '{"x"'}))
    + chunk(part(0, function={"arguments": "{}"}))
    + chunk(part(1, function={"arguments": ": 1}"}), extra_content=None)
    + chunk({}, "tool_calls")
)


def test_text_is_joined_and_the_usage_found_wherever_it_comes() -> None:
    for stream in (TEXT + END + chunk(None, usage=USAGE) + DONE, TEXT + chunk({}, "stop", usage=USAGE) + DONE):
        whole = folded(stream)
        (choice,) = whole["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("two words", "stop")
        assert (whole["id"], whole["created"], whole["model"], whole["usage"]) == ("x", 7, "m", USAGE)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way_and_comments_are_left_out(ending: str) -> None:
    stream = (": keep-alive\n\n" + TEXT + ": still here\n\n" + END + DONE).replace("\n", ending)
    assert folded(stream)["choices"][0]["message"]["content"] == "two words"


def test_calls_are_put_together_by_their_number() -> None:
    calls = folded(CALLS + DONE)["choices"][0]["message"]["tool_calls"]
    found = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls]
    assert found == [("a", "lineage", "{}"), ("b", "diff", '{"x": 1}')]


def test_whole_calls_without_a_number_or_an_id_are_kept_apart() -> None:
    stream = "".join(chunk(part(None, function={"name": name, "arguments": "{}"})) for name in ("lineage", "diff"))
    calls = folded(stream + END + DONE)["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["name"]) for call in calls] == [("call_0", "lineage"), ("call_1", "diff")]


def test_reasoning_is_kept_beside_the_text() -> None:
    stream = chunk({"reasoning_content": "hm "}) + chunk({"reasoning_content": "so"}) + TEXT + END + DONE
    assert folded(stream)["choices"][0]["message"]["reasoning_content"] == "hm so"


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_a_stream_is_believed_only_from_its_end_on(protocol: str) -> None:
    whole = TEXT + END + chunk(None, usage=USAGE) + DONE if protocol == "openai" else MESSAGE
    complete = [length for length in range(len(whole) + 1) if believed(whole[:length])]
    assert complete[-1] == len(whole)
    assert whole[complete[0] :].strip() in ("", DONE.strip())


def believed(stream: str) -> bool:
    try:
        folded(stream)
    except Cut:
        return False
    return True


MESSAGE = (
    event("message_start", message={
        "id": "m", "type": "message", "role": "assistant", "content": [], "stop_reason": None,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 1},
    })
    + event("ping")
    + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "I look."})
    + event("content_block_stop", index=0)
    + event("content_block_start", index=1, content_block={"type": "tool_use", "id": "t", "name": "diff", "input": {}})
    + event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"x"'})
    + event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": ": 1}"})
    + event("content_block_stop", index=1)
    + event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9, "input_tokens": None})
    + event("message_stop")
)  # fmt: skip


def test_anthropics_events_make_its_message() -> None:
    whole = folded(MESSAGE)
    assert [block.get("text") or block["input"] for block in whole["content"]] == ["I look.", {"x": 1}]
    assert whole["stop_reason"] == "tool_use"
    assert whole["usage"] == {"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 9}


@pytest.mark.parametrize(
    "error", [{"error": {"message": "x"}}, {"type": "error", "error": {"type": "overloaded_error"}}]
)
def test_an_error_within_a_stream_is_what_came(error: dict[str, Any]) -> None:
    assert folded(f"{TEXT}data: {json.dumps(error)}\n\n") == error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429}, 429), ({"code": "503"}, 503), ({"type": "overloaded_error"}, 529), ({"code": 7}, 502),
        ({"type": "invalid_request_error", "code": "context_length_exceeded"}, 400), (None, 502), ("x", 502),
        ({"code": "insufficient_quota", "type": "insufficient_quota"}, 429),
    ],
)  # fmt: skip
def test_an_error_under_status_200_has_the_status_that_it_means(error: object, status: int) -> None:
    assert status_of(error) == status
