"""The registry: schemas from signatures, mistakes of a model as text, bugs of ours as errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from avo.tools.all_tools import CHANGING, READING, registry
from avo.tools.registry import Registry, tool
from avo.tools.workspace import Workspace
from avo.types import Rejected, Status, ToolError


async def greet(workspace: Workspace, name: str, times: int = 1, loud: bool = False) -> str:
    """Greet somebody."""
    if name == "nobody":
        raise ToolError("there is nobody")
    if name == "rejected":
        raise Rejected(Status.TIMEOUT, "took too long")
    if name == "bug":
        raise KeyError("ours")
    return f"{workspace.target}: " + " ".join([f"hello {name.upper() if loud else name}"] * times)


async def wait(workspace: Workspace) -> str:
    """Wait."""
    return "waited"


def call(workspace: Workspace, name: str, arguments: Any) -> tuple[str, bool]:
    tools = [tool(greet, changes=False), tool(wait, changes=True)]
    answer = asyncio.run(Registry(workspace, tools).call(name, arguments))
    return answer.text, answer.worked


def test_a_schema_is_the_signature_without_the_bench() -> None:
    made = tool(greet, changes=False)
    assert (made.name, made.description) == ("greet", "Greet somebody.")
    assert made.schema["required"] == ["name"]
    assert {name: entry["type"] for name, entry in made.schema["properties"].items()} == {
        "name": "string", "times": "integer", "loud": "boolean",
    }  # fmt: skip
    assert made.schema["properties"]["times"]["default"] == 1
    assert made.schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "arguments", [{"name": "you", "times": 2}, '{"name": "you", "times": 2}', '{"name":"you","times":"2"}']
)
def test_arguments_come_as_a_table_or_as_json(workspace: Workspace, arguments: Any) -> None:
    assert call(workspace, "greet", arguments) == ("cpu: hello you hello you", True)


@pytest.mark.parametrize("arguments", ["", "{}", "null", None, {}])
def test_no_arguments_are_empty_arguments(workspace: Workspace, arguments: Any) -> None:
    assert call(workspace, "wait", arguments) == ("waited", True)


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("gret", {}, "there is no tool 'gret'; there are: greet, wait"),
        ("greet", {}, "greet: name: Field required; its arguments are: name, times, loud"),
        ("greet", {"name": "x", "tmes": 2}, "tmes: Extra inputs are not permitted"),
        ("greet", {"name": "x", "times": "many"}, "times: Input should be a valid integer"),
        ("greet", {"name": 3}, "name: Input should be a valid string"),
        ("greet", {"name": None}, "name: Input should be a valid string"),
        ("greet", "[1, 2]", "Input should be a valid dictionary"),
        ("greet", "7", "Input should be a valid dictionary"),
        ("greet", "name=you", "the arguments are not JSON"),
        ("wait", {"x": 1}, "its arguments are: none"),
        ("greet", {"name": "nobody"}, "greet: there is nobody"),
        ("greet", {"name": "rejected"}, "greet: TIMEOUT: took too long"),
    ],
)
def test_a_mistake_is_answered_in_text(workspace: Workspace, name: str, arguments: Any, answer: str) -> None:
    text, worked = call(workspace, name, arguments)
    assert answer in text
    assert not worked


# Surfaced as ValueError and RecursionError when this was written.
@pytest.mark.parametrize("arguments", ['{"name": ' + "9" * 5000 + "}", "[" * 100_000], ids=["digits", "brackets"])
def test_json_beyond_all_measure_is_answered_in_text(workspace: Workspace, arguments: str) -> None:
    assert not call(workspace, "greet", arguments)[1]


ODD = [
    "", "\0", "x" * 1_000_000, "\x1b[2J", "../../etc/passwd", "/", "-rf", "[", "\\", 0, -1, 2**63, 10**30, True, 1e308,
    float("nan"), float("inf"), None, [], [[]], {}, {"": []}, {"SUMS": [float("nan")]}, {"SUMS": [[1]]}, ["x"] * 10_000,
]  # fmt: skip
GIVEN = {"string": "x", "integer": 1, "number": 1.0, "boolean": True, "array": ["x"], "object": {"SUMS": [1]}}
SLOW = {"evaluate", "commit", "profile", "sanitize", "sweep", "shell", "end_step"}
"""What begins something whatever most of its arguments are."""


def test_whatever_an_argument_is_a_tool_answers_briefly_and_nothing_is_journalled(workspace: Workspace) -> None:
    tools, long = registry(workspace), list[str]()
    for name in tools.tools.keys() - SLOW:
        properties = tools.tools[name].schema.get("properties", {})
        usual = {key: GIVEN.get(entry.get("type", ""), "x") for key, entry in properties.items()}
        for key in properties:
            for value in ODD:
                answer = asyncio.run(tools.call(name, usual | {key: value})).text
                long += [f"{name} {key} {value!r:.40}"] if len(answer) > 20_000 else []
    assert long == []
    assert workspace.journal.count("attempts") == 1


@pytest.mark.parametrize(("name", "argument"), [("attempts", "number"), ("attempts", "last")])
def test_a_number_beyond_the_database_is_answered_in_text(workspace: Workspace, name: str, argument: str) -> None:
    # Surfaced as OverflowError when this was written.
    assert asyncio.run(registry(workspace).call(name, {argument: 10**30})).text


def test_a_bug_of_ours_surfaces(workspace: Workspace) -> None:
    with pytest.raises(KeyError, match="ours"):
        call(workspace, "greet", {"name": "bug"})


def test_every_tool_has_a_docstring_and_a_schema(workspace: Workspace) -> None:
    tools = registry(workspace).tools
    assert len(tools) == len(READING) + len(CHANGING)
    for entry in tools.values():
        assert entry.description
        assert entry.schema["type"] == "object"
        assert "bench" not in entry.schema.get("properties", {})
    changing = {name for name, entry in tools.items() if entry.changes}
    assert {"write_file", "edit_file", "shell", "sweep", "commit", "checkout"} <= changing
    assert not {"read_file", "lineage", "attempts", "compare_versions"} & changing
