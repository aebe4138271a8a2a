"""The knowledge base's core tier: seconds to build it, to find nothing changed and to take one edit, chunks and disk.

Pages and repositories are left out: what is measured comes from wheels and the notes, pinned, and downloaded first.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from avo.kb_index.build import build
from avo.kb_index.fetch.fetch import Reach, fetch
from avo.kb_index.fetch.sources import Pypi, Source, load, read

EDITED = "softmax.py"


def measured(folder: Path, sources: list[Source]) -> tuple[float, float, int]:
    """Wall and CPU seconds of one build, and how many documents it wrote."""
    started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    done = build(folder, sources, offline=True, report=lambda line: None)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return round(time.perf_counter() - started, 2), round(cpu, 2), sum(row.put + row.removed for row in done.rows)


def size(folder: Path) -> float:
    """Megabytes."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)


def copied(source: Pypi, cache: Path, place: Path) -> Source:
    """The source's files as a folder, where one of them can be edited."""
    for document in fetch(source, Reach(cache, offline=True)).documents(source):
        file = place / document.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(document.content)
    listed = place.with_suffix(".toml")
    listed.write_text(f'[[source]]\nname = "{source.name}"\ntype = "dir"\npath = "{place}"\n')
    return read(listed)[0]


def main(kept: str = "") -> None:
    """Arguments: a folder whose cache/ holds the wheels already; otherwise they are downloaded."""
    sources = [source for source in load() if source.tier == "core" and source.type in ("pypi", "dir")]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "kb"
        folder.mkdir()
        if kept:
            shutil.copytree(Path(kept) / "cache", folder / "cache")
        started = time.perf_counter()
        for source in sources:
            fetch(source, Reach(folder / "cache"))
        download = round(time.perf_counter() - started, 2)
        first = next(source for source in sources if isinstance(source, Pypi))
        sources[sources.index(first)] = copied(first, folder / "cache", Path(scratch) / "edited")
        built, built_cpu, documents = measured(folder, sources)
        again, again_cpu, nothing = measured(folder, sources)
        file = next((Path(scratch) / "edited").rglob(EDITED))
        file.write_text(file.read_text().replace("def ", "def edited_", 1))
        edit, edit_cpu, one = measured(folder, sources)
        done = build(folder, sources, offline=True, report=lambda line: None)
        result = {
            "cores": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0],
            "documents": documents,
            "chunks": done.chunks,
            "by_source": {row.name: row.chunks for row in done.rows},
            "missing": {row.name: row.missing for row in done.rows if row.missing},
            "download_s": download,
            "first_build_s": built,
            "first_build_cpu_s": built_cpu,
            "no_change_s": again,
            "no_change_cpu_s": again_cpu,
            "one_edit_s": edit,
            "one_edit_cpu_s": edit_cpu,
            "written": [documents, nothing, one],
            "store_mb": size((folder / "current").resolve()),
            "cache_mb": size(folder / "cache"),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
