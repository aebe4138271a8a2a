"""The registry: each tool is a typed async function; its schema is its signature, its docstring what a model reads."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from avo.sandbox.process import elide
from avo.spans import Facts, span
from avo.tools.answer import Answer, failed
from avo.tools.workspace import Workspace
from avo.types import Rejected, ToolError

MOST_PROBLEMS, LONGEST_KEY = 8, 60
"""Mistakes in the arguments that are told, and characters of a key that is at fault."""

LONGEST_PROBLEM = 10_000
"""Characters of what went wrong: it may repeat an argument."""

Function = Callable[..., Awaitable[Answer | str]]
"""A tool of which programs read nothing answers its words alone."""


class Untitled(GenerateJsonSchema):
    """Schemas of fields without titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True)
class Tool:
    """One thing an agent can do."""

    name: str
    description: str
    function: Function
    arguments: type[BaseModel]
    changes: bool
    """False for a tool that only reads: what a supervisor may use."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments, without the titles that repeat their names: every model call pays for it."""
        made = self.arguments.model_json_schema(schema_generator=Untitled)
        return {key: value for key, value in made.items() if key != "title"}


def tool(function: Function, *, changes: bool) -> Tool:
    """Make a Tool of `async def name(bench, arg: type, …) -> Answer`."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints[name], default)
    model = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    return Tool(function.__name__, inspect.getdoc(function) or "", function, model, changes)


def _decoded(text: str) -> Any:
    """A model's JSON; nothing at all means no arguments. Raises ToolError."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments are not JSON: {error}") from error


def _check_text(values: Mapping[str, Any]) -> None:
    """Raise ToolError for characters that no file and no database keeps: halves of a pair, as JSON can escape them."""
    try:
        json.dumps(values, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise ToolError(f"the arguments hold what is no Unicode: {error.object[error.start]!a}") from error


def _problems(error: ValidationError) -> str:
    """What is wrong with the arguments: the first few, and where each stands."""
    found = error.errors(include_input=False, include_url=False)
    told = [f"{'.'.join(str(part)[:LONGEST_KEY] for part in p['loc'])}: {p['msg']}" for p in found[:MOST_PROBLEMS]]
    return "; ".join([*told, *([f"and {len(found) - len(told)} more"] if len(found) > len(told) else [])])


def _facts(name: str, workspace: Workspace) -> Facts:
    tool = {"gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
    return {"gen_ai.operation.name": "execute_tool", **tool, "avo.step": workspace.step}


class Registry:
    """The tools over one bench. `call` answers also what could not be done; bugs of ours surface."""

    def __init__(self, workspace: Workspace, tools: list[Tool]) -> None:
        self.workspace = workspace
        self.tools = {entry.name: entry for entry in tools}

    async def call(self, name: str, arguments: Mapping[str, Any] | str | None) -> Answer:
        """Run a tool."""
        if name not in self.tools:
            return Answer(f"there is no tool '{name}'; there are: {', '.join(self.tools)}", worked=False)
        with span(f"execute_tool {name}", _facts(name, self.workspace)) as facts:
            answer = await self._call(name, arguments)
            facts |= {} if answer.worked else {"error.type": "ToolError"}
        return answer

    async def _call(self, name: str, arguments: Mapping[str, Any] | str | None) -> Answer:
        entry = self.tools[name]
        try:
            if isinstance(arguments, str):
                arguments = _decoded(arguments)
            checked = entry.arguments.model_validate(arguments or {})
            values = {field: getattr(checked, field) for field in entry.arguments.model_fields}
            _check_text(values)
            made = await entry.function(self.workspace, **values)
            return Answer(made) if isinstance(made, str) else made
        except ValidationError as error:
            known = ", ".join(entry.arguments.model_fields) or "none"
            return Answer(f"{name}: {_problems(error)}; its arguments are: {known}", worked=False)
        except (ToolError, Rejected) as error:
            made = failed(error, f"{name}: ")
            return replace(made, text=elide(made.text, LONGEST_PROBLEM))
