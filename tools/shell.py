"""The tool shell: a command in a copy of the work tree, in a cell without network, home, keys or other files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from avo.sandbox.command import TREE, Limits, enclosed
from avo.sandbox.process import Finished, elide
from avo.sandbox.safe_files import delete, read, walk, write
from avo.tools.build.compilers import compiler_of
from avo.tools.build.sources import GENERATED, LARGEST_BYTES, NAME, SUFFIXES
from avo.tools.workspace import Workspace
from avo.types import Missing, ToolError

LONGEST_SECONDS = 600
"""Maximum duration in seconds of a command."""
LONGEST_ANSWER = 12_000
"""Maximum length in characters of the output that is shown."""
LONGEST_COMMAND = 100_000
"""Maximum size in bytes of a command: the system takes 128 KiB as one argument of a process."""
MOST_SOURCES = 256
"""Maximum number of sources that are copied back."""
MOST_SOURCE_BYTES = 16 << 20
"""Maximum size in bytes of all sources that are copied."""


async def shell(workspace: Workspace, command: str, seconds: int = 60) -> str:
    """Run a shell command in a copy of the work tree: compilers and binutils are there (c++, objdump, readelf …).

    Changes to sources are taken over when it ends. No network; killed after `seconds`. Scores do not come from here.
    """
    if "\0" in command:
        raise ToolError("a command cannot hold a NUL character")
    if len(command.encode()) > LONGEST_COMMAND:
        raise ToolError(f"a command has at most {LONGEST_COMMAND:,} bytes: put long texts into files by write_file")
    limit = min(max(seconds, 1), LONGEST_SECONDS)
    folders, path = toolchain(workspace.target)
    command = path + command
    done, left = await workspace.blocking(lambda: in_cell(workspace.work_tree, command, limit, tools=folders))
    ending = f"killed after {limit} s" if done.timed_out else f"exit code {done.code}"
    if done.killed:
        ending = f"killed: {done.killed}"
    if left:
        ending += f" (not taken over, as no source can be: {', '.join(left[:5])})"
    return f"{ending}, {done.seconds:.1f} s\n{elide(done.output.strip(), LONGEST_ANSWER)}"


def in_cell(
    work_tree: Path, command: str, seconds: int, limits: Limits | None = None, *, tools: tuple[str, ...] = ()
) -> tuple[Finished, list[str]]:  # fmt: skip
    """Run a command on a copy of the work tree without .git; copy its sources back, and return the names of others.

    seconds: of wall-clock time. tools: folders that it may read in addition. Raises ToolError where this system cannot
    isolate it.
    """
    files: dict[str, bytes] = {}
    for entry in walk(work_tree):
        fits = entry.size <= LARGEST_BYTES and sum(map(len, files.values())) <= MOST_SOURCE_BYTES
        if entry.kind == "file" and fits and not entry.name.startswith(".git/"):
            files[entry.name] = read(work_tree, entry.name, LARGEST_BYTES)
    with enclosed(command, seconds, limits or Limits(), files=files, tools=tools) as ran:
        return ran.finished, _take_over(ran.place, work_tree, files)


def _take_over(place: Path, work_tree: Path, given: Mapping[str, bytes]) -> list[str]:
    """Copy back the sources that the command changed, made or deleted; return names of files that are no valid sources.

    given: sources that the command started with; others may have changed the work tree since. Raises ToolError.
    """
    try:
        after, left = _sources(place, f"{TREE}/")
    except ToolError as error:
        raise ToolError(f"the command left files that cannot be read ({error}); nothing was taken over") from error
    before = [name for name in _sources(work_tree)[0] if name in given]
    changed = {name: content for name, content in after.items() if given.get(name) != content}
    if len(after) > MOST_SOURCES:
        raise ToolError(f"the command left more than {MOST_SOURCES} sources; nothing was taken over")
    for name in before:
        if name not in left and name not in after:
            delete(work_tree, name)
    for name, content in changed.items():
        try:
            write(work_tree, name, content)
        except ToolError:
            left.append(name)
    return left


def _sources(root: Path, below: str = "") -> tuple[dict[str, bytes], list[str]]:
    """Return the files that can be sources, by name, and the names of those that look like sources but cannot be."""
    found: dict[str, bytes] = {}
    left: list[str] = []
    room = MOST_SOURCE_BYTES
    for entry in walk(root, below):
        parts = entry.name.split("/")
        if not entry.name.endswith(SUFFIXES) or {*GENERATED} & {*parts} or parts[0] == ".git":
            continue
        room -= entry.size
        if entry.kind == "file" and NAME.match(entry.name) and entry.size <= LARGEST_BYTES and room >= 0:
            found[entry.name] = read(root, below + entry.name, LARGEST_BYTES)
        else:
            left.append(entry.name if NAME.match(entry.name) else f"{entry.name!a}")
    return found, left


def toolchain(target: str) -> tuple[tuple[str, ...], str]:
    """Return the folders of the target's compiler outside the system's, and shell code that adds them to PATH."""
    try:
        folders = compiler_of(target).folders
    except Missing:
        return (), ""
    more = ":".join(f"{folder}/bin" for folder in folders)
    return folders, f"PATH={shlex.quote(more)}:$PATH; export PATH\n" if folders else ""
