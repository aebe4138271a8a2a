"""The tools on files of the work tree: list, read, write, edit, delete. Nothing outside of it."""

from __future__ import annotations

import posixpath

from avo.sandbox import safe_files
from avo.sandbox.process import elide
from avo.tools.answer import Answer
from avo.tools.build.sources import GENERATED, LARGEST_BYTES, NAME, SUFFIXES
from avo.tools.history import read_version, tree_of
from avo.tools.workspace import Workspace
from avo.types import ToolError

LONGEST_ANSWER = 40_000
"""Maximum length in characters of an answer."""
LARGEST_READ = 16 << 20
"""Maximum size in bytes of a file to read."""
MOST_LISTED = 1000
"""Maximum number of files in a list."""


def inside(workspace: Workspace, path: str) -> str:
    """Return a path relative to the work tree. Raises ToolError if it is outside, or belongs to git."""
    if not path.isprintable():
        raise ToolError(f"{path[:80]!a} is no path")
    root = workspace.work_tree.resolve().as_posix()
    name = posixpath.relpath(posixpath.join(root, path), root)
    parts = name.split("/")
    if parts[0] == ".." or any(_of_git(part) for part in parts):
        raise ToolError(f"'{path}' is not in the work tree; use relative paths: read_file without a path lists them")
    return name


def _of_git(part: str) -> bool:
    """Return True for .git, and for names that some file system takes for it."""
    plain = part.casefold().partition(":")[0].rstrip(" .")
    return plain == ".git" or plain.startswith("git~")


def present(workspace: Workspace, path: str) -> str:
    """Return the path of an existing file, relative to the work tree. Raises ToolError."""
    name = inside(workspace, path)
    if safe_files.kind(workspace.work_tree, name) in ("", "folder"):
        raise ToolError(f"no file '{path}'; read_file without a path lists what there is")
    return name


def writable(workspace: Workspace, path: str) -> str:
    """Return the path of a file that an agent may write, relative to the work tree. Raises ToolError."""
    name = inside(workspace, path)
    last = posixpath.basename(name)
    if last in GENERATED:
        raise ToolError(f"{last} is written by the harness")
    if posixpath.splitext(last)[1] not in SUFFIXES:
        raise ToolError(f"'{path}': a candidate holds files that end in {' '.join(SUFFIXES)}")
    if not NAME.match(name):
        raise ToolError(f"{path!a} is no name for a source: use letters, digits and _ . + -")
    return name


def replace(workspace: Workspace, name: str, content: bytes) -> None:
    """Write a whole file atomically. Raises ToolError for one that is too large or cannot be written."""
    if len(content) > LARGEST_BYTES:
        raise ToolError(f"{name} would be larger than {LARGEST_BYTES} bytes")
    safe_files.write(workspace.work_tree, name, content)


def listing(workspace: Workspace) -> str:
    """Return the files of the work tree with their sizes in bytes, one a line."""
    entries = [e for e in safe_files.walk(workspace.work_tree) if not _of_git(e.name.split("/")[0])]
    lines = [
        f"{e.name if e.name.isprintable() else ascii(e.name)}  " + (f"{e.size} bytes" if e.kind == "file" else e.kind)
        for e in sorted(entries, key=lambda e: e.name)
    ]
    left = len(lines) - MOST_LISTED
    return "\n".join(lines[:MOST_LISTED] + [f"[... {left} more files]"] * (left > 0))


async def read_file(
    workspace: Workspace, path: str = "", first_line: int = 1, last_line: int = 0, version: str = ""
) -> Answer:
    """Read a file, whole or from first_line to last_line (0: to its end); without a path, list the files.

    version: v0, v1 … or best, to read there in place of the work tree. avo_abi.h and score.json are made for you.
    """
    if version:
        text = read_version(workspace, version, path)
    elif path:
        text = safe_files.read(workspace.work_tree, present(workspace, path), LARGEST_READ).decode("utf-8", "replace")
    else:
        return Answer(listing(workspace), tree_of(workspace))
    return Answer(elide("\n".join(text.splitlines()[max(first_line, 1) - 1 : last_line or None]), LONGEST_ANSWER))


async def write_file(workspace: Workspace, path: str, content: str) -> Answer:
    """Write a whole source file, new or in place of the old one; without content it is deleted."""
    if not content:
        writable(workspace, path)
        safe_files.delete(workspace.work_tree, present(workspace, path))
        return Answer(f"deleted {path}", tree_of(workspace))
    replace(workspace, writable(workspace, path), content.encode())
    return Answer(f"wrote {path}: {len(content.splitlines())} lines", tree_of(workspace))


async def edit_file(workspace: Workspace, path: str, old: str, new: str) -> Answer:
    """Replace `old` by `new` in a source file. `old` must stand in it exactly once, character for character."""
    name = writable(workspace, path)
    content, wanted = safe_files.read(workspace.work_tree, present(workspace, path), LARGEST_BYTES), old.encode()
    if content.count(wanted) != 1 or not old:
        raise ToolError(f"`old` stands {content.count(wanted) if old else 0} times in {path}; it must stand there once")
    replace(workspace, name, content.replace(wanted, new.encode()))
    return Answer(f"edited {path}", tree_of(workspace))
