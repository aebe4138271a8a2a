"""A shell in the work tree, in a sandbox: no network, no home, no keys, nothing else to write to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from avo.tools.bench import Bench
from avo.tools.files import replace
from avo.tools.process import DEVICES, SYSTEM_FOLDERS, Finished, elide, run
from avo.tools.sandbox import Policy, landlock_version
from avo.tools.sources import GENERATED, LARGEST_BYTES, SUFFIXES
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
    limit = min(max(seconds, 1), LONGEST_SECONDS)
    done = await bench.blocking(lambda: _run(bench.work_tree, command, limit))
    ending = f"killed after {limit} s" if done.timed_out else f"exit code {done.code}"
    return f"{ending}, {done.seconds:.1f} s\n{elide(done.output.strip(), LONGEST_ANSWER)}"


def _run(work_tree: Path, command: str, limit: int) -> Finished:
    """The command sees the work tree without its .git: lineage and gate are out of reach."""
    with tempfile.TemporaryDirectory(prefix="avo-shell-") as scratch:
        copy = Path(scratch) / "tree"
        shutil.copytree(work_tree, copy, ignore=shutil.ignore_patterns(".git"), symlinks=True)
        policy = Policy(
            read=(*SYSTEM_FOLDERS, *DEVICES), write=(scratch, *DEVICES), memory=MEMORY,
            file_bytes=256 << 20, own_processes=True,
        )  # fmt: skip
        done = run(["/bin/sh", "-c", command], copy, limit, policy)
        _take_over(copy, work_tree)
    return done


def _take_over(copy: Path, work_tree: Path) -> None:
    """Bring changed, new and deleted sources back; links and other files stay behind."""

    def sources(root: Path) -> set[str]:
        found = (path for path in root.rglob("*") if path.suffix in SUFFIXES and path.resolve() == path)
        names = {p.relative_to(root).as_posix() for p in found if p.is_file() and p.stat().st_size <= LARGEST_BYTES}
        return {name for name in names if name not in GENERATED and ".git" not in name.split("/")}

    copy, work_tree = copy.resolve(), work_tree.resolve()
    after, before = sources(copy), sources(work_tree)
    for name in after:
        replace(work_tree / name, (copy / name).read_text("utf-8", "replace"))
    for name in before - after:
        (work_tree / name).unlink()
