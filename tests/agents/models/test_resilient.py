"""A model call survives what a provider or the line does to it; what only the user can mend ends it in one line."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    CreateResult,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    RequestUsage,
    SystemMessage,
    UserMessage,
)
from autogen_core.tools import ParametersSchema, ToolSchema
from servers import Fault, Provider, serving

from avo.agents.models.client import STOPPED, Client, Usage
from avo.agents.models.errors import ContextTooLong
from avo.agents.models.presentable import NOTHING, presentable
from avo.agents.models.resilient import CONTACT, EMPTY, NOTHING_SAID, UNREADABLE, Resilient, total
from avo.agents.specs import client
from avo.configuration import Configuration, ModelTable, Retries
from avo.types import AvoError

KEY = "sk-loopback-4f1d0c97"
CALL = ("lineage", {"a": 1})
TOOL = ToolSchema(
    name="lineage", description="Show it.", parameters=ParametersSchema(type="object", properties={}, required=[])
)
ASKED: list[LLMMessage] = [SystemMessage(content="You tune."), UserMessage(content="Begin.", source="user")]
QUICK = Retries(first_wait=0.01, longest_wait=0.02, give_up=50, request_limit=50)
HASTY = QUICK.model_copy(update={"request_limit": 1})
"""For what is not answered at all: everything else may take a slow machine its time."""
PASSING = (
    Fault.RATE_LIMITED, Fault.RATE_LIMITED_FOR, Fault.BROKEN, Fault.UNAVAILABLE, Fault.OVERLOADED, Fault.REFUSED,
    Fault.ERROR_BODY, Fault.HTML, Fault.RESET, Fault.TRUNCATED, Fault.CUT, Fault.HANG, Fault.DRIP, Fault.EMPTY,
)  # fmt: skip
LASTING = {
    Fault.BAD_KEY: "401: the key was refused", Fault.FORBIDDEN: "403: not permitted: The project has no access",
    Fault.NO_MODEL: ": not found: 404", Fault.UNPAID: "no quota left: 402",
    Fault.NO_QUOTA: "no quota left: ",
}  # fmt: skip
PROTOCOLS = [("openai", False), ("openai", True), ("anthropic", False), ("anthropic", True)]
protocols = pytest.mark.parametrize(("protocol", "stream"), PROTOCOLS, ids=lambda value: str(value))


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AVO_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Resilient]:
    """Makes a client of a provider's; what it says is collected in `lines`."""

    def make(provider: Provider, protocol: str = "openai", stream: bool = False, retries: Retries = QUICK) -> Resilient:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.root)
        settings = Configuration(retries=retries, models=ModelTable(stream=stream))
        made = client("anthropic:m" if protocol == "anthropic" else "openai-compatible:m", settings, provider.url)
        assert isinstance(made, Resilient)
        made.lines = []  # type: ignore[attr-defined]
        made.say = made.lines.append  # type: ignore[attr-defined]
        return made

    return make


def ask(model: Resilient, messages: list[LLMMessage] = ASKED) -> CreateResult:
    async def call() -> CreateResult:
        try:
            return await asyncio.wait_for(model.create(messages, tools=[TOOL]), 60)
        finally:
            await model.close()

    return asyncio.run(call())


def counted(provider: Provider) -> Usage:
    found = provider.counted
    return Usage(found.prompt, found.cached, found.completion, found.written)


def only_call(result: CreateResult) -> FunctionCall:
    assert isinstance(result.content, list)
    (call,) = result.content
    return call


@protocols
def test_an_answer_comes_with_the_tokens_that_the_provider_counted(model: Any, protocol: str, stream: bool) -> None:
    with serving(["words  and\n\nlines ", CALL]) as provider:
        asked = model(provider, protocol, stream)
        assert ask(asked).content.strip() == "words  and\n\nlines"
        first = asked.last_usage
        assert (first, first.cached) == (counted(provider), 0)
        again = model(provider, protocol, stream)
        result = ask(again)
        assert json.loads(only_call(result).arguments) == CALL[1]
        second = again.last_usage
        assert total(first, second) == counted(provider)
        assert second.cached > 0
        assert {bool(request.body.get("stream")) for request in provider.requests} == {stream}


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name)
@protocols
def test_what_passes_is_waited_for_and_asked_again(model: Any, protocol: str, stream: bool, fault: Fault) -> None:
    with serving([CALL], {0: fault}) as provider:
        asked = model(provider, protocol, stream, HASTY if fault in (Fault.HANG, Fault.DRIP) else QUICK)
        assert only_call(ask(asked)).name == "lineage"
        assert asked.last_usage == counted(provider)
        assert len(provider.requests) == 2
        assert provider.requests[0].body == provider.requests[1].body
        (line,) = asked.lines
        assert line.startswith("model: ")
        assert line.endswith("s (try 2)")


@pytest.mark.parametrize("fault", LASTING, ids=lambda fault: fault.name)
@protocols
def test_what_only_the_user_can_mend_ends_at_once_in_one_line_without_the_key(
    model: Any, protocol: str, stream: bool, fault: Fault
) -> None:
    with serving([CALL], {0: fault}) as provider:
        with pytest.raises(AvoError) as caught:
            ask(model(provider, protocol, stream))
        line = str(caught.value)
        assert LASTING[fault] in line
        assert line.startswith("model anthropic:m" if protocol == "anthropic" else "model openai-compatible:m")
        assert KEY not in line
        assert "\n" not in line
        assert len(provider.requests) == 1


@protocols
def test_a_context_that_is_too_long_is_said_apart(model: Any, protocol: str, stream: bool) -> None:
    with serving([CALL], {0: Fault.TOO_LONG}) as provider, pytest.raises(ContextTooLong, match="1000"):
        ask(model(provider, protocol, stream))


@protocols
def test_a_call_that_was_cut_at_the_limit_of_the_answer_says_so(model: Any, protocol: str, stream: bool) -> None:
    with serving([CALL], {0: Fault.LENGTH}) as provider:
        result = ask(model(provider, protocol, stream))
        assert result.finish_reason == "length"
        assert only_call(result).name == "write_file"


def test_a_text_that_was_cut_is_no_call_and_not_asked_again(model: Any) -> None:
    with serving(["half of a tho"]) as provider:
        assert ask(model(provider)).finish_reason == "stop"
        assert len(provider.requests) == 1


@protocols
def test_an_answer_that_stays_empty_is_taken_for_one_and_all_of_them_are_counted(
    model: Any, protocol: str, stream: bool
) -> None:
    with serving([""]) as provider:
        asked = model(provider, protocol, stream)
        assert ask(asked).content == NOTHING_SAID
        assert len(provider.requests) == EMPTY
        assert asked.last_usage == counted(provider)


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_a_server_that_streams_unasked_is_understood_and_its_cut_streams_are_not_believed(
    model: Any, protocol: str
) -> None:
    with serving([CALL], {0: Fault.CUT}, always_streams=True) as provider:
        asked = model(provider, protocol)
        assert json.loads(only_call(ask(asked)).arguments) == CALL[1]
        assert "ended early" in asked.lines[0]
        assert asked.last_usage == counted(provider)


def test_the_wait_grows_and_is_capped_and_the_provider_can_make_it_longer(model: Any) -> None:
    faults = {0: Fault.RATE_LIMITED_FOR, **{number: Fault.BROKEN for number in range(1, 7)}}
    with serving([CALL], faults, retry_after="0.3") as provider:
        asked = model(provider, retries=QUICK.model_copy(update={"longest_wait": 0.04}))
        ask(asked)
        waits = [float(line.split("again in ")[1].split(" ")[0]) for line in asked.lines]
        assert 0.3 <= waits[0] <= 0.4
        assert max(waits[1:]) <= 0.04
        assert all(wait >= 0.02 for wait in waits[4:])
        assert "(try 7)" in asked.lines[5]


def test_after_too_long_with_nothing_but_failures_it_ends(model: Any) -> None:
    faults = dict.fromkeys(range(1000), Fault.UNAVAILABLE)
    with serving([CALL], faults) as provider, pytest.raises(AvoError, match=r"nothing but failures for .* 503"):
        ask(model(provider, retries=QUICK.model_copy(update={"give_up": 0.5})))


def test_a_request_that_is_refused_again_and_again_ends(model: Any) -> None:
    with serving([CALL], dict.fromkeys(range(100), Fault.REFUSED)) as provider:
        with pytest.raises(AvoError, match=r"the same 5 times: 400: temperature: unsupported value"):
            ask(model(provider))
        assert len(provider.requests) == UNREADABLE


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nothing listens, for as long as the block lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


def at(url: str) -> Resilient:
    made = client("openai-compatible:m", Configuration(retries=QUICK), url)
    assert isinstance(made, Resilient)
    return made


def test_an_address_that_never_answered_is_given_up_soon() -> None:
    with nobody() as url, pytest.raises(AvoError, match=f"cannot be reached at {url}: connection refused"):
        ask(at(url))
    with pytest.raises(AvoError, match=r"no-such-host\.invalid/v1: unknown host; is the address right\?"):
        ask(at("http://no-such-host.invalid/v1"))


def test_an_address_that_answered_one_agent_is_right_for_the_other(model: Any) -> None:
    with serving([CALL]) as provider:
        ask(model(provider))
        other = model(provider, retries=QUICK.model_copy(update={"give_up": 0.7}))
    with pytest.raises(AvoError, match="nothing but failures"):
        ask(other)


def test_a_web_page_from_the_first_call_on_means_a_wrong_address(model: Any) -> None:
    faults = dict.fromkeys(range(100), Fault.HTML)
    with serving([CALL], faults) as provider, pytest.raises(AvoError, match="it answers with a web page"):
        ask(model(provider))


def test_a_provider_that_answered_before_is_waited_for_when_it_cannot_be_reached(model: Any) -> None:
    async def scene() -> None:
        with serving([CALL]) as provider:
            asked = model(provider)
            await asked.create(ASKED)
        asked.stopped = lambda: len(asked.lines) > CONTACT
        assert (await asked.create(ASKED)).content == STOPPED
        await asked.close()

    asyncio.run(scene())


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP, Fault.RATE_LIMITED_FOR])
def test_a_stop_ends_a_call_and_a_wait_within_a_second(model: Any, fault: Fault) -> None:
    with serving([CALL], {0: fault}, retry_after="300") as provider:
        asked = model(provider, retries=Retries())
        began = time.monotonic()
        asked.stopped = lambda: bool(provider.requests) and time.monotonic() > began + 0.3
        assert ask(asked).content == STOPPED
        assert time.monotonic() - began < 50  # of 300 that it would last otherwise


def test_a_stop_before_a_call_makes_none(model: Any) -> None:
    with serving([CALL]) as provider:
        asked = model(provider)
        asked.stopped = lambda: True
        assert ask(asked).content == STOPPED
        assert not provider.requests


def test_a_cancelled_call_ends_its_request(model: Any) -> None:
    async def scene(asked: Resilient) -> None:
        under_way = asyncio.ensure_future(asked.create(ASKED))
        while not provider.requests:
            await asyncio.sleep(0.02)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        assert len(asyncio.all_tasks()) == 1
        await asked.close()

    with serving([CALL], {0: Fault.HANG}) as provider:
        asyncio.run(scene(model(provider, retries=Retries())))


@protocols
def test_a_history_that_strict_servers_refuse_is_mended_on_its_way(model: Any, protocol: str, stream: bool) -> None:
    broken = FunctionCall(id="c1", name="lineage", arguments='{"path": "matvec')
    listed = FunctionCall(id="c2", name="lineage", arguments="[1]")
    history: list[LLMMessage] = [*ASKED, AssistantMessage(content=[broken, listed], source="worker")]
    with serving([CALL]) as provider:
        ask(model(provider, protocol, stream), [*history, AssistantMessage(content="Well.", source="worker")])
        messages = provider.requests[0].body["messages"]
    assert messages[-1]["role"] == "user"
    said = next(message for message in messages if message["role"] == "assistant")
    if protocol == "anthropic":
        inputs = [block["input"] for block in said["content"] if block["type"] == "tool_use"]
    else:
        inputs = [json.loads(call["function"]["arguments"]) for call in said["tool_calls"]]
    assert all(isinstance(entry, dict) for entry in inputs)
    assert "matvec" in json.dumps(inputs[0])
    assert broken.arguments == '{"path": "matvec'


def test_texts_that_no_provider_takes_are_replaced_in_what_is_sent_alone() -> None:
    half, empty = UserMessage(content="\ud800x", source="user"), UserMessage(content=" ", source="user")
    called = AssistantMessage(content=[FunctionCall("c1", "lineage", "{}")], thought="", source="worker")
    result = FunctionExecutionResultMessage(
        content=[FunctionExecutionResult(content="", name="lineage", call_id="c1", is_error=False)]
    )
    shown: list[Any] = presentable([half, empty, called, result])
    assert [shown[0].content, shown[1].content, shown[3].content[0].content] == ["?x", NOTHING, NOTHING]
    assert shown[2].thought is None
    assert (half.content, empty.content, called.thought, result.content[0].content) == ("\ud800x", " ", "", "")
    whole = UserMessage(content="fine", source="user")
    assert presentable([whole]) == [whole]


def test_anthropic_is_asked_to_cache_and_for_nothing_that_nobody_set(model: Any) -> None:
    with serving([CALL]) as provider:
        ask(model(provider, "anthropic"))
        body = provider.requests[0].body
    assert body["cache_control"] == {"type": "ephemeral"}
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert body["max_tokens"] >= 8000


class Odd(Client):
    """A client of somebody else's: raises what it likes, logs nothing."""

    def __init__(self, *plays: Exception | str) -> None:
        self.plays = list(plays)

    async def create(self, messages: Any, **options: Any) -> CreateResult:
        play = self.plays.pop(0)
        if isinstance(play, Exception):
            raise play
        return CreateResult(finish_reason="stop", content=play, usage=RequestUsage(9, 4), cached=False)


def test_a_client_of_somebody_elses_is_retried_and_counted_all_the_same() -> None:
    odd = Odd(TypeError("'NoneType' object is not subscriptable"), ConnectionResetError(), TimeoutError(), "", "well")
    asked = Resilient(odd, "odd", retries=Retries(first_wait=0.01))
    assert asyncio.run(asked.create(ASKED)).content == "well"
    assert asked.last_usage == Usage(18, 0, 8)
