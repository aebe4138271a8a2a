"""What a failed call means, how long to wait, and what is told of it."""

from __future__ import annotations

import time

import pytest

from avo.agents.models.errors import Fate, judged, message_in, retry_after

KEY = "sk-loopback-4f1d0c97"


class Failed(Exception):
    """As an SDK's: a status, a body, headers."""

    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"Error code: {status}")
        self.status_code, self.body = status, body
        self.response = type("Response", (), {"headers": headers or {}})()


@pytest.mark.parametrize(
    ("status", "body", "fate"),
    [
        (429, {"message": "Rate limit", "code": "rate_limit_exceeded"}, Fate.WAIT),
        (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}, Fate.VAIN),
        (429, [{"error": {"code": 429, "message": "You exceeded your current quota", "status": "X"}}], Fate.WAIT),
        (429, {"message": "Request too large for m on tokens per min (TPM): Limit 9"}, Fate.TOO_LONG),
        (429, {"message": "Too many tokens, please wait before trying again."}, Fate.WAIT),
        (400, {"error": {"message": "Your credit balance is too low to access the API"}}, Fate.VAIN),
        (400, {"error": {"message": "The input token count (9) exceeds the maximum number of tokens"}}, Fate.TOO_LONG),
        (400, {"error": {"message": "input length and `max_tokens` exceed context limit: 9"}}, Fate.TOO_LONG),
        (413, None, Fate.TOO_LONG),
        (400, {"error": {"message": "API key not valid. Please pass a valid API key."}}, Fate.VAIN),
        (400, {"error": {"message": "unsupported parameter"}}, Fate.REFUSED),
        (500, {"error": {"message": "the request exceeds the available context size"}}, Fate.TOO_LONG),
        (500, None, Fate.WAIT), (524, "<html>", Fate.WAIT), (409, None, Fate.WAIT), (405, None, Fate.VAIN),
    ],
)  # fmt: skip
def test_what_a_status_means(status: int, body: object, fate: Fate) -> None:
    assert judged(Failed(status, body)).fate is fate


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"retry-after": "32"}, "", 32.0), ({"retry-after-ms": "1500", "retry-after": "2"}, "", 1.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, "", 0.0), ({"retry-after": "soon"}, "", None),
        ({"retry-after": "nan"}, "", None), ({"retry-after": "-5"}, "", 0.0), ({}, '"retryDelay": "34.5s"', 34.5),
    ],
)  # fmt: skip
def test_how_long_a_provider_asks_to_wait(headers: dict[str, str], text: str, seconds: float | None) -> None:
    assert retry_after(headers, text) == seconds


def test_an_http_date_is_a_time_to_come() -> None:
    from email.utils import formatdate

    found = retry_after({"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert found is not None
    assert 90 < found <= 100


def test_a_key_that_an_error_repeats_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVO_API_KEY", KEY)
    trouble = judged(Failed(400, {"error": {"message": f"what is {KEY}?\nValueError: x"}}))
    assert KEY not in trouble.what
    assert "\n" not in trouble.what
    assert trouble.what.endswith("ValueError: x")


def test_messages_are_found_in_every_form() -> None:
    forms: list[object] = [{"message": "x"}, {"error": {"message": "x"}}, [{"error": {"message": "x"}}], {"error": "x"}]
    assert [message_in(form) for form in [*forms, {"detail": "x"}]] == ["x"] * 5
    assert message_in("text") == message_in(None) == message_in([]) == ""
