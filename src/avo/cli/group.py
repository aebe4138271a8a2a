"""Groups of commands from a table: listed without importing them, each imported when it is called."""

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
    """A command or a group of commands."""

    name: str
    help: str
    """Its line in the list of commands."""
    place: str = ""
    """Its function, as module:function; empty for a group."""
    commands: tuple[Entry, ...] = ()
    panel: str = "Commands"
    """The heading under which it is listed."""


class LazyGroup(TyperGroup):
    """A group that knows the names and help lines of its commands; `get_command` imports them."""

    _entries: dict[str, Entry]
    _listing = False

    def take(self, entries: Sequence[Entry]) -> Self:
        """Set the commands; return the group."""
        self._entries = {entry.name: entry for entry in entries}
        # What lists and suggestions are made of.
        self.commands = {entry.name: TyperCommand(entry.name, help=entry.help) for entry in entries}
        return self

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, imported unless completions are listed; None for an unknown name."""
        entry = self._entries.get(cmd_name)
        return self.commands[cmd_name] if entry and self._listing else entry and _loaded(entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve a name; in a group with one command, suggest that command for an unknown name."""
        names = [*self._entries]
        if len(names) == 1 and not args[0].startswith("-") and not get_close_matches(args[0], names):
            ctx.fail(f"No such command {args[0]!r}. Did you mean '{ctx.command_path} {names[0]} {args[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, by panel."""
        entries = self._entries.values()
        for panel in dict.fromkeys(entry.panel for entry in entries):
            with formatter.section(panel):
                formatter.write_dl([(entry.name, entry.help) for entry in entries if entry.panel == panel])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return completions, without importing the commands."""
        self._listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._listing = False


def _loaded(entry: Entry) -> Any:
    """Return the command or the group, imported."""
    if entry.commands:
        group = LazyGroup(name=entry.name, help=entry.help, no_args_is_help=True, rich_markup_mode=None)
        return group.take(entry.commands)
    module, _, function = entry.place.partition(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(entry.name)(getattr(import_module(module), function))
    return get_command(app)
