"""Seconds of one evaluation beyond compiling and running the kernel, in a warm process: the seed and a fast variant."""

from __future__ import annotations

import json
import time

from avo.scenarios.loader import load
from avo.tools.build.knobs import with_settings
from avo.tools.build.seeds import seed_sources
from avo.tools.score.executor import LocalExecutor

FAST = {"LANES": "16", "Q_ROWS": "12", "EXP": "1", "K_LAYOUT": "2", "KV_TILE": "64"}
REPEATS = 5


def main() -> None:
    scenario = load("mha_causal")
    seed = seed_sources(scenario, "cpu")
    results = {}
    LocalExecutor(scenario, "cpu").evaluate(seed)  # loads torch
    for name, files in (("seed", seed), ("fast", with_settings(seed, FAST))):
        overheads = []
        for _ in range(REPEATS):
            executor = LocalExecutor(scenario, "cpu")
            started = time.monotonic()
            cost = executor.evaluate(files).cost
            overheads.append(time.monotonic() - started - cost["compile"] - cost["kernel"])
        results[name] = {"overhead_s": [round(value, 3) for value in sorted(overheads)], "last_cost": cost}
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
