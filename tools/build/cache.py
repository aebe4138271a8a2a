"""The cache of compiled candidates, shared by processes; its key is a digest of everything that a build depends on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from avo.scenarios.abi import header
from avo.scenarios.loader import Scenario
from avo.settings import cache_folder, to_disk
from avo.tools.build.binary import Kernel
from avo.tools.build.blame import on_disk
from avo.tools.build.builder import Build, build
from avo.tools.build.compilers import compiler_of
from avo.tools.build.sources import Sources
from avo.tools.devices.roofline import processor
from avo.types import Missing

KEPT = 400
"""Maximum number of builds in the cache; the least recently used are deleted."""
FORMAT = "2"
"""Version of the cache's entries, raised when a build is checked or described differently."""
FACTS = "build.json"
"""Name of the file that describes a build."""
PUTS = 5
"""Maximum number of attempts to move a build to its place, where other processes may do the same."""


def cached_build(files: Sources, scenario: Scenario, target: str) -> Build:
    """Return the build of these sources: from the cache if it is there and undamaged, else compiled now.

    Raises what `build` raises, and Missing when the cache cannot be written to.
    """
    folder = cache_folder() / "builds"
    kept = folder / _key(files, scenario, target)
    if found := _found(kept):
        return found
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as scratch:
            fresh = Path(scratch) / "build"
            built = build(files, scenario, target, fresh)
            _describe(built, fresh)
            _put(fresh, kept)
        _forget(folder)
    return replace(built, library=kept / built.library.name)


def require_whole(library: Path) -> None:
    """Raise Missing if the library was deleted, or if its build in the cache was damaged."""
    described = (library.parent / FACTS).exists()
    if not library.is_file() or (described and not _found(library.parent)):
        raise Missing(f"{library.parent} was deleted or damaged while it was in use: give the same command again")


def _describe(built: Build, folder: Path) -> None:
    """Write the build's description beside its library, and flush both to disk before it gets its name."""
    content = built.library.read_bytes()
    facts = asdict(built) | {"library": built.library.name, "sass": dict(built.sass)}
    facts |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / FACTS).write_text(json.dumps({"facts": facts, "sha256": _sum(facts)}))
    for path in (built.library, folder / FACTS, folder):
        to_disk(path)


def _put(fresh: Path, kept: Path) -> None:
    """Move a build to its place, where another process may have put the same one, or left a damaged one."""
    for _ in range(PUTS):
        try:
            fresh.rename(kept)
        except OSError as error:
            if _found(kept):
                return
            reason = error
            _remove(kept)
        else:
            to_disk(kept.parent)
            return
    raise Missing(f"{kept} is damaged and cannot be replaced: {reason.strerror}; delete it, or set AVO_CACHE")


def _remove(path: Path) -> None:
    """Delete a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sum(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _key(files: Sources, scenario: Scenario, target: str) -> str:
    compiler = compiler_of(target)
    made_of = {
        "format": FORMAT, "target": target, "header": header(scenario), "flags": scenario.target(target).flags,
        "allow": scenario.target(target).allow, "tensors": [(t.dtype, t.role) for t in scenario.tensors],
        "compiler": (compiler.path, compiler.version, compiler.options, compiler.host, compiler.cuobjdump),
        "processor": sorted(processor()[1]) if target == "cpu" else [],  # what -march=native stands for
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }  # fmt: skip
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def _found(kept: Path) -> Build | None:
    """Return the build in a folder if it is undamaged, else None."""
    try:
        told = json.loads((kept / FACTS).read_text())
        facts = told["facts"]
        if told["sha256"] != _sum(facts):
            return None
        library = kept / facts.pop("library")
        content = library.read_bytes()
        if (len(content), hashlib.sha256(content).hexdigest()) != (facts.pop("bytes"), facts.pop("sha256")):
            return None
        kernels = tuple(Kernel(**kernel) for kernel in facts.pop("kernels"))
        found = Build(**facts, library=library, kernels=kernels)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    with contextlib.suppress(OSError):  # a cache that can only be read serves what it has
        os.utime(kept)
    return found


def _forget(folder: Path) -> None:
    """Delete the least recently used builds."""

    def used(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:  # another process deleted it
            return 0.0

    for old in sorted(folder.iterdir(), key=used)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
