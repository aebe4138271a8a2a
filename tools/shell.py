"""A shell in the work tree, in a sandbox: no network, no home, no keys, nothing else to write to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from avo.tools.bench import Bench
from avo.tools.files import replace
from avo.tools.process import DEVICES, SYSTEM_FOLDERS, Finished, elide, run
from avo.tools.sandbox import Policy, landlock_version
from avo.tools.sources import GENERATED, LARGEST_BYTES, NAME, SUFFIXES
from avo.types import ToolError

LONGEST_SECONDS = 600
LONGEST_ANSWER = 12_000
MEMORY = 8 << 30


async def shell(bench: Bench, command: str, seconds: int = 60) -> str:
    """Run a shell command in a copy of the work tree: compilers and binutils are there (c++, objdump, readelf …).

    Changes to sources are taken over when it ends. No network; killed after `seconds`. Scores do not come from here.
    """
    if not landlock_version():
        raise ToolError("the shell is off: this kernel has no Landlock, so nothing would keep it in the work tree")
    if "\0" in command:
        raise ToolError("a command cannot hold a NUL character")
    limit = min(max(seconds, 1), LONGEST_SECONDS)
    done, left = await bench.blocking(lambda: _run(bench.work_tree, command, limit))
    ending = f"killed after {limit} s" if done.timed_out else f"exit code {done.code}"
    if left:
        ending += f" (not taken over, as no source can be: {', '.join(left[:5])})"
    return f"{ending}, {done.seconds:.1f} s\n{elide(done.output.strip(), LONGEST_ANSWER)}"


def _run(work_tree: Path, command: str, limit: int) -> tuple[Finished, list[str]]:
    """The command sees the work tree without its .git: lineage and gate are out of reach."""
    with tempfile.TemporaryDirectory(prefix="avo-shell-") as scratch:
        copy = Path(scratch) / "tree"
        shutil.copytree(work_tree, copy, ignore=shutil.ignore_patterns(".git"), symlinks=True)
        policy = Policy(
            read=(*SYSTEM_FOLDERS, *DEVICES), write=(scratch, *DEVICES), memory=MEMORY,
            file_bytes=256 << 20, own_processes=True,
        )  # fmt: skip
        done = run(["/bin/sh", "-c", command], copy, limit, policy)
        return done, _take_over(copy, work_tree)


def _take_over(copy: Path, work_tree: Path) -> list[str]:
    """Bring changed, new and deleted sources back; what cannot be a source stays behind and is named."""
    try:
        after, left = _sources(copy.resolve())
    except OSError as error:
        raise ToolError(
            f"the command left files that cannot be read ({error.strerror}); nothing was taken over"
        ) from error
    before, _ = _sources(work_tree.resolve())
    for name in after:
        if before.get(name) != after[name]:
            try:
                replace(work_tree / name, after[name])
            except ToolError:
                left.append(name)
    for name in before:
        if name not in left and name not in after:
            (work_tree / name).unlink()
    return left


def _sources(root: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files below `root` that can be sources, and the names of those that look like it but cannot."""
    found: dict[str, bytes] = {}
    left: list[str] = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix not in SUFFIXES or set(GENERATED) & set(name.split("/")) or name.startswith(".git/"):
            continue
        plain = path.resolve() == path and path.is_file()
        if plain and NAME.match(name) and path.stat().st_size <= LARGEST_BYTES:
            found[name] = path.read_bytes()
        elif not path.is_dir() or name in found:
            left.append(name if NAME.match(name) else f"{name!a}")
    return found, left
