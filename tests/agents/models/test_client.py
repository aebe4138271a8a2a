"""What a model answers, made fit for AutoGen."""

from __future__ import annotations

import json

import pytest

from avo.agents.models.client import readable


@pytest.mark.parametrize("arguments", ["", "  ", "\n"])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    assert readable(arguments) == "{}"


@pytest.mark.parametrize("arguments", ["[" * 100_000, '{"n": ' + "9" * 5000 + "}"], ids=["nested", "digits"])
def test_what_json_does_not_survive_becomes_an_error_that_autogen_knows(arguments: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(readable(arguments))
    assert len(readable(arguments)) < 300


def test_what_is_fit_stays_as_it_is_and_half_a_character_goes() -> None:
    assert readable('{"path": "a.cpp"}') == '{"path": "a.cpp"}'
    readable('{"path": "\ud800').encode()
