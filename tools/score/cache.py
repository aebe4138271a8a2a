"""Compiled candidates, kept across processes under a digest of everything that made them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from avo.scenarios.abi import header
from avo.scenarios.loader import Scenario
from avo.settings import cache_folder
from avo.tools.score.binary import Kernel
from avo.tools.score.builder import Build, build
from avo.tools.score.compilers import compiler_of
from avo.tools.score.roofline import processor
from avo.tools.sources import Sources

KEPT = 400
"""Builds; the ones that were used longest ago go first."""
FORMAT = "1"
"""Goes up when a build is checked or described in another way."""
FACTS = "build.json"


def cached_build(files: Sources, scenario: Scenario, target: str) -> Build:
    """The build of these sources, compiled now unless it was before. Raises what `build` raises."""
    folder = cache_folder() / "builds"
    kept = folder / _key(files, scenario, target)
    if found := _found(kept):
        return found
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as scratch:
        fresh = Path(scratch) / "build"
        built = build(files, scenario, target, fresh)
        (fresh / FACTS).write_text(
            json.dumps(asdict(built) | {"library": built.library.name, "sass": dict(built.sass)})
        )
        _put(fresh, kept)
    _forget(folder)
    return replace(built, library=kept / built.library.name)


def _put(fresh: Path, kept: Path) -> None:
    """Move a build to its place, where another process may have put the same one, or left a damaged one."""
    try:
        fresh.rename(kept)
    except OSError:
        if not _found(kept):
            shutil.rmtree(kept, ignore_errors=True)
            fresh.rename(kept)


def _key(files: Sources, scenario: Scenario, target: str) -> str:
    compiler = compiler_of(target)
    made_of = {
        "format": FORMAT, "target": target, "header": header(scenario), "flags": scenario.target(target).flags,
        "compiler": (compiler.path, compiler.version, compiler.options),
        "processor": sorted(processor()[1]) if target == "cpu" else [],  # what -march=native stands for
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }  # fmt: skip
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def _found(kept: Path) -> Build | None:
    try:
        facts = json.loads((kept / FACTS).read_text())
        os.utime(kept)
    except (OSError, ValueError):
        return None
    kernels = tuple(Kernel(**kernel) for kernel in facts["kernels"])
    return Build(**facts | {"library": kept / facts["library"], "kernels": kernels})


def _forget(folder: Path) -> None:
    def used(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:  # another process deleted it
            return 0.0

    for old in sorted(folder.iterdir(), key=used)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
