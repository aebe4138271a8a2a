"""The knowledge base in use: how well and how fast it is searched, and what it takes, as JSON.

python benchmarks/kb_search.py QUERIES.json
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from avo.kb_index.evaluation import evaluate, questions
from avo.kb_index.index.store import Store
from avo.kb_index.search import search
from avo.settings import kb_folder

ROUNDS = 5
COLD = 5
ARCH = "sm_90a"
ONE_SEARCH = "from avo.cli import main; main()"


def main() -> None:
    entries = questions(Path(sys.argv[1]))
    folder = (kb_folder() / "current").resolve()
    with Store.open(folder) as store:
        figures = evaluate(store, entries)
        result = {
            "chunks": len(store.vectors.numbers()), "embedder": store.fact("embedder"),
            "mb_on_disk": round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6, 1),
            "warm_ms": _warm(store, [entry["query"] for entry in entries], ""),
            "warm_filtered_ms": _warm(store, [entry["query"] for entry in entries], ARCH),
            "quality": figures,
        }  # fmt: skip
    result["cold_s"] = _cold(str(entries[0]["query"]))
    print(json.dumps(result, indent=1))


def _warm(store: Store, queries: list[str], arch: str) -> dict[str, float]:
    """Milliseconds of a search in a process that has searched before."""
    times = []
    for _ in range(ROUNDS):
        for query in queries:
            started = time.perf_counter()
            search(store, query, arch=arch)
            times.append((time.perf_counter() - started) * 1e3)
    cuts = statistics.quantiles(times, n=20)
    return {"searches": len(times), "p50": round(cuts[9], 1), "p95": round(cuts[18], 1), "most": round(max(times), 1)}


def _cold(query: str) -> list[float]:
    """Seconds of `avo kb search`, from the start of the process to its end."""
    times = []
    for _ in range(COLD):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", ONE_SEARCH, "kb", "search", query], check=True, capture_output=True)
        times.append(round(time.perf_counter() - started, 2))
    return sorted(times)


if __name__ == "__main__":
    main()
