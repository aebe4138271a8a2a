"""The registry of tools: async functions whose signature is the schema, and whose docstring a model reads."""

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
from avo.types import Rejected, ToolError, Unknown

MOST_PROBLEMS, LONGEST_KEY = 8, 60
"""Maximum number of mistakes in arguments that are reported, and length in characters of the key at fault."""

LONGEST_PROBLEM = 10_000
"""Maximum length in characters of an error message, which may repeat an argument."""

Function = Callable[..., Awaitable[Answer | str]]
"""Type of a tool; one whose answer has no data for programs returns its text alone."""


class Untitled(GenerateJsonSchema):
    """Generator of JSON schemas without titles of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False for every field."""
        return False


@dataclass(frozen=True)
class Tool:
    """A function that an agent may call."""

    name: str
    """The function's name."""
    description: str
    """The function's docstring."""
    function: Function
    arguments: type[BaseModel]
    """Model that validates the arguments."""
    changes: bool
    """False for a tool that only reads: a supervisor may use only those."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments, without titles that repeat names: every model call pays for its length."""
        made = self.arguments.model_json_schema(schema_generator=Untitled)
        return {key: value for key, value in made.items() if key != "title"}


def tool(function: Function, *, changes: bool) -> Tool:
    """Make a Tool of `async def name(workspace, arg: type, …) -> Answer`."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints[name], default)
    model = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    return Tool(function.__name__, inspect.getdoc(function) or "", function, model, changes)


def _decoded(text: str) -> Any:
    """Parse a model's JSON; an empty text means no arguments. Raises ToolError."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments are not JSON: {error}") from error


def _check_text(values: Mapping[str, Any]) -> None:
    """Raise ToolError for unpaired surrogates, which JSON can escape but no file or database stores."""
    try:
        json.dumps(values, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise ToolError(f"the arguments hold what is no Unicode: {error.object[error.start]!a}") from error


def _problems(error: ValidationError) -> str:
    """Return the first mistakes in the arguments, each with its place."""
    found = error.errors(include_input=False, include_url=False)
    told = [f"{'.'.join(str(part)[:LONGEST_KEY] for part in p['loc'])}: {p['msg']}" for p in found[:MOST_PROBLEMS]]
    return "; ".join([*told, *([f"and {len(found) - len(told)} more"] if len(found) > len(told) else [])])


def _facts(name: str, workspace: Workspace) -> Facts:
    tool = {"gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
    return {"gen_ai.operation.name": "execute_tool", **tool, "avo.step": workspace.step}


class Registry:
    """The tools over one workspace. `call` answers mistakes of an agent, too; defects of avo are raised."""

    def __init__(self, workspace: Workspace, tools: list[Tool]) -> None:
        self.workspace = workspace
        self.tools = {entry.name: entry for entry in tools}

    async def call(self, name: str, arguments: Mapping[str, Any] | str | None) -> Answer:
        """Run a tool; return its answer, also for an unknown tool, wrong arguments, ToolError, Unknown and Rejected."""
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
        except (ToolError, Unknown, Rejected) as error:
            made = failed(error, f"{name}: ")
            return replace(made, text=elide(made.text, LONGEST_PROBLEM))
