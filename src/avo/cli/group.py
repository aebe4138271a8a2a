"""A group of commands that come out of a table: listed without being loaded, imported when one is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Self

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


@dataclass(frozen=True)
class Entry:
    """A command, or a group of them."""

    name: str
    help: str
    """The line in the list of commands."""
    place: str = ""
    """Module and function, as module:function; empty for a group."""
    commands: tuple[Entry, ...] = ()
    panel: str = "Commands"
    """The heading that it stands under."""
    hidden: bool = False


class LazyGroup(TyperGroup):
    """Knows names and help lines; what carries a command out is imported by `get_command`."""

    _entries: dict[str, Entry]
    _listing = False

    def take(self, entries: Sequence[Entry]) -> Self:
        """Have these commands."""
        self._entries = {entry.name: entry for entry in entries}
        self.commands = {  # what lists and suggestions are made of
            entry.name: TyperCommand(entry.name, help=entry.help, hidden=entry.hidden) for entry in entries
        }
        return self

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = self._entries.get(cmd_name)
        return self.commands[cmd_name] if entry and self._listing else entry and _loaded(entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        names = [*self._entries]
        if len(names) == 1 and not args[0].startswith("-") and not get_close_matches(args[0], names):
            ctx.fail(f"No such command {args[0]!r}. Did you mean '{ctx.command_path} {names[0]} {args[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        shown = [entry for entry in self._entries.values() if not entry.hidden]
        for panel in dict.fromkeys(entry.panel for entry in shown):
            with formatter.section(panel):
                formatter.write_dl([(entry.name, entry.help) for entry in shown if entry.panel == panel])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self._listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._listing = False


def _loaded(entry: Entry) -> TyperCommand | LazyGroup:
    """What carries it out."""
    if entry.commands:
        group = LazyGroup(name=entry.name, help=entry.help, no_args_is_help=True, rich_markup_mode=None)
        return group.take(entry.commands)
    module, _, function = entry.place.partition(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(entry.name)(getattr(import_module(module), function))
    command = get_command(app)
    assert isinstance(command, TyperCommand)
    return command
