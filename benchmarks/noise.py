"""How often noise deceives f: the seed evaluated 50 times (rejected?) and compared with itself 20 times (faster?)."""

from __future__ import annotations

import json
import statistics
import sys

from avo.scenarios.loader import load
from avo.tools.build.seeds import seed_sources
from avo.tools.score.executor import LocalExecutor


def main(evaluations: int, comparisons: int) -> None:
    scenario = load("mha_causal")
    seed, executor = seed_sources(scenario, "cpu"), LocalExecutor(scenario, "cpu")
    verdicts = [executor.evaluate(seed) for _ in range(evaluations)]
    scores = [verdict.score for verdict in verdicts if verdict.passed]
    same = [executor.compare(seed, seed) for _ in range(comparisons)]
    result = {
        "device": verdicts[0].device,
        "evaluations": evaluations,
        "rejected": [f"{verdict.status}: {verdict.reason}" for verdict in verdicts if not verdict.passed],
        "score": {"least": min(scores), "median": statistics.median(scores), "most": max(scores)},
        "worst_error_ratio": max(case.error_ratio for verdict in verdicts for case in verdict.cases),
        "comparisons": comparisons,
        "called_an_improvement": sum(result.improved for result in same),
        "called_slower": sum(not result.matched for result in same),
        "ratios": [round(result.ratio, 4) for result in same],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:] or ("50", "20")))
