"""On a GPU: is a kernel told apart from itself (never), and from itself slowed by 1 % (always)?

python benchmarks/gpu_noise.py [TRIALS]    JSON; the two kinds of trial alternate, one process for each GPU
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from avo.scenarios.loader import load
from avo.tools.build.knobs import with_settings
from avo.tools.build.seeds import seed_sources
from avo.tools.build.sources import Sources
from avo.tools.devices.gpu import gpu, identities
from avo.tools.score.executor import LocalExecutor
from avo.types import Comparison, Rejected, Unfit

FAST = {"WARPS": "8", "KEYS": "128", "STAGES": "2", "SWIZZLE": "1", "LONGEST_FIRST": "1"}
TFLOPS = 220.0
"""Of the kernel above, to know how long 1 % of a launch is."""
SPIN = """
__global__ void spin(unsigned long long nanoseconds) {
    unsigned long long start, now;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
    do asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now)); while (now - start < nanoseconds);
}
"""


def slowed(files: Sources, part: float) -> Sources:
    """The same kernel followed by one that waits for `part` of its time."""
    text = files["attention.cu"].decode()
    nanoseconds = f"double(a->B * a->H * a->S) * a->S * 256 / {TFLOPS}e3 * {part}"
    launch = (
        f"spin<<<1, 1, 0, cudaStream_t(stream)>>>((unsigned long long)({nanoseconds}));\n    return cudaGetLastError"
    )
    head, _, tail = text.rpartition("return cudaGetLastError")
    return {"attention.cu": (head.replace("}  // namespace", SPIN + "}  // namespace") + launch + tail).encode()}


def told(results: list[Comparison]) -> dict[str, Any]:
    return {
        "trials": len(results),
        "within_half_a_percent": sum(abs(result.ratio - 1) <= 0.005 for result in results),
        "interval_covers_1": sum(result.low <= 1 <= result.high for result in results),
        "told_apart": sum(result.high < 1 or result.low > 1 for result in results),
        "called_an_improvement": sum(result.improved for result in results),
        "called_a_match": sum(result.matched for result in results),
        "ratios": [round(result.ratio, 5) for result in results],
        "intervals": [[round(result.low, 5), round(result.high, 5)] for result in results],
    }


def trial(number: int) -> dict[str, Comparison | str]:
    """One comparison of each kind, or why it was refused."""
    scenario = load("mha_causal")
    executor = LocalExecutor(scenario, "sm_90a")
    fast = with_settings(seed_sources(scenario, "sm_90a"), FAST)
    others = {"the same": fast, "slowed by 1 %": slowed(fast, 0.01)}
    found: dict[str, Comparison | str] = {}
    for kind, files in others.items():
        try:
            found[kind] = executor.compare(fast, files)
        except (Rejected, Unfit) as reason:
            found[kind] = str(reason)
    return found


def main(trials: int) -> None:
    results: dict[str, list[Comparison]] = {}
    refused: list[str] = []
    started, gpus = time.monotonic(), max(len(identities()), 1)
    with ProcessPoolExecutor(gpus, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(trial, number) for number in range(trials)]):
            for kind, result in done.result().items():
                if isinstance(result, str):
                    refused.append(f"{kind}: {result}")
                    continue
                results.setdefault(kind, []).append(result)
                interval = f"{result.low:.5f} to {result.high:.5f}"
                print(f"{kind}: {result.ratio:.5f} ({interval})", file=sys.stderr, flush=True)
    seconds = (time.monotonic() - started) * gpus / (2 * trials)
    facts = {kind: told(of) for kind, of in results.items()}
    run = {"device": gpu(), "gpus": gpus, "seconds_of_a_comparison": round(seconds, 1), "refused": refused}
    print(json.dumps(run | facts, indent=1))


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["20"])[0]))
