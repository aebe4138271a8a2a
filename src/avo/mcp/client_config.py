"""Configuration of a coding agent that lets it start `avo mcp` itself."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from enum import StrEnum
from pathlib import Path

FOLDERS = ("AVO_CACHE", "AVO_KB")
"""Variables that a client does not pass on unless configured."""
STARTUP_SECONDS, TOOL_SECONDS = 60, 3600
"""Timeouts for Codex, whose defaults are 10 and 60 seconds; an evaluation may take minutes."""


class Client(StrEnum):
    """A coding agent that speaks MCP."""

    CLAUDE = "claude"
    CODEX = "codex"
    CURSOR = "cursor"


FILES = {
    Client.CLAUDE: ".mcp.json in your project (or: claude mcp add-json avo '{…}')",
    Client.CODEX: "~/.codex/config.toml",
    Client.CURSOR: ".cursor/mcp.json in your project, or ~/.cursor/mcp.json",
}
"""Client -> location of its configuration."""


def snippet(client: Client, arguments: list[str]) -> str:
    """Return the configuration with which a client runs `avo mcp` with these arguments."""
    command, rest = avo_command()[0], [*avo_command()[1:], "mcp", *arguments]
    variables = {name: str(Path(os.environ[name]).expanduser().resolve()) for name in FOLDERS if os.environ.get(name)}
    if client is Client.CODEX:
        lines = [
            "[mcp_servers.avo]", f"command = {json.dumps(command)}", f"args = {json.dumps(rest)}",
            f"startup_timeout_sec = {STARTUP_SECONDS}", f"tool_timeout_sec = {TOOL_SECONDS}",
        ]  # fmt: skip
        if variables:
            pairs = (f"{name} = {json.dumps(value)}" for name, value in variables.items())
            lines.append(f"env = {{ {', '.join(pairs)} }}")
        return "\n".join(lines)
    entry = {"command": command, "args": rest} | ({"env": variables} if variables else {})
    return json.dumps({"mcpServers": {"avo": entry}}, indent=2)


def avo_command() -> list[str]:
    """Return the command that starts this installation from any folder."""
    script = Path(sysconfig.get_path("scripts")) / "avo"
    return [str(script)] if script.is_file() else [sys.executable, "-m", "avo"]
