"""Files of the work tree: list, read, write, edit. Nothing outside of it."""

from __future__ import annotations

from pathlib import Path

from avo.tools.bench import Bench
from avo.tools.process import elide
from avo.tools.sources import GENERATED, LARGEST_BYTES, NAME, SUFFIXES
from avo.types import ToolError

LONGEST_ANSWER = 40_000


def inside(bench: Bench, path: str) -> Path:
    """The file of that name in the work tree. Raises ToolError when it lies elsewhere or belongs to git."""
    root = bench.work_tree.resolve()
    if "\0" in path or len(path) > 1000 or not path.isprintable():
        raise ToolError(f"{path[:80]!a} is no path")
    target = (root / path).resolve()
    if not target.is_relative_to(root) or ".git" in target.relative_to(root).parts:
        raise ToolError(f"'{path}' is not in the work tree; use relative paths, see list_files")
    return target


def writable(bench: Bench, path: str) -> Path:
    """The same, for a file that an agent may write."""
    target = inside(bench, path)
    if target.name in GENERATED:
        raise ToolError(f"{target.name} is written by the harness")
    if target.suffix not in SUFFIXES:
        raise ToolError(f"'{path}': a candidate holds files that end in {' '.join(SUFFIXES)}")
    if not NAME.match(target.relative_to(bench.work_tree.resolve()).as_posix()):
        raise ToolError(f"{path!a} is no name for a source: use letters, digits and _ . + -")
    return target


def replace(path: Path, content: bytes) -> None:
    """Write the whole file or nothing of it. Raises ToolError for what cannot be."""
    if len(content) > LARGEST_BYTES:
        raise ToolError(f"{path.name} would be larger than {LARGEST_BYTES} bytes")
    scratch = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        scratch.replace(path)
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        scratch.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise ToolError(
            f"{path.name}: {error.strerror}: a file stands where a folder should, or the reverse"
        ) from error


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolError(f"the text is not Unicode: {error.reason} at {error.start}") from error


async def list_files(bench: Bench) -> str:
    """List the files of the work tree with their sizes; avo_abi.h and score.json are made for you."""
    root = bench.work_tree
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and ".git" not in path.relative_to(root).parts]
    return "\n".join(f"{path.relative_to(root).as_posix()}  {path.stat().st_size} bytes" for path in files)


async def read_file(bench: Bench, path: str, first_line: int = 1, last_line: int = 0) -> str:
    """Read a file of the work tree, whole or from first_line to last_line (0: to its end)."""
    target = inside(bench, path)
    if not target.is_file():
        raise ToolError(f"no file '{path}'; see list_files")
    lines = target.read_text("utf-8", "replace").splitlines()
    return elide("\n".join(lines[max(first_line, 1) - 1 : last_line or None]), LONGEST_ANSWER)


async def write_file(bench: Bench, path: str, content: str) -> str:
    """Write a whole source file (new or in place of the old one). Nothing is scored until you call evaluate."""
    replace(writable(bench, path), _encoded(content))
    return f"wrote {path}: {len(content.splitlines())} lines"


async def edit_file(bench: Bench, path: str, old: str, new: str) -> str:
    """Replace `old` by `new` in a source file. `old` must stand in it exactly once, character for character."""
    target = writable(bench, path)
    if not target.is_file():
        raise ToolError(f"no file '{path}'; see list_files")
    content, wanted = target.read_bytes(), _encoded(old)
    if content.count(wanted) != 1 or not old:
        raise ToolError(f"`old` stands {content.count(wanted) if old else 0} times in {path}; it must stand there once")
    replace(target, content.replace(wanted, _encoded(new)))
    return f"edited {path}"


async def delete_file(bench: Bench, path: str) -> str:
    """Delete a source file of the work tree."""
    target = writable(bench, path)
    if not target.is_file():
        raise ToolError(f"no file '{path}'; see list_files")
    target.unlink()
    return f"deleted {path}"
