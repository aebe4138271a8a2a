"""On a GPU: is a kernel told apart from itself (never), and from itself slowed by 1 % (always)?

python benchmarks/gpu_noise.py same|slowed [TRIALS]
"""

from __future__ import annotations

import json
import sys
import time

from avo.scenarios.loader import load
from avo.tools.executor import LocalExecutor
from avo.tools.knobs import with_settings
from avo.tools.score.gpu import gpu
from avo.tools.seeds import seed_sources
from avo.tools.sources import Sources

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


def main(kind: str, trials: int) -> None:
    scenario = load("mha_causal")
    executor = LocalExecutor(scenario, "sm_90a")
    fast = with_settings(seed_sources(scenario, "sm_90a"), FAST)
    other = slowed(fast, 0.01) if kind == "slowed" else fast
    started, results = time.monotonic(), [executor.compare(fast, other) for _ in range(trials)]
    ratios = [result.ratio for result in results]
    print(
        json.dumps(
            {
                "kind": kind, "device": gpu(), "trials": trials,
                "seconds_each": round((time.monotonic() - started) / trials, 1),
                "within_half_a_percent": sum(abs(ratio - 1) <= 0.005 for ratio in ratios),
                "interval_covers_1": sum(result.low <= 1 <= result.high for result in results),
                "told_apart": sum(result.high < 1 or result.low > 1 for result in results),
                "called_an_improvement": sum(result.improved for result in results),
                "ratios": [round(ratio, 5) for ratio in ratios],
                "intervals": [[round(result.low, 5), round(result.high, 5)] for result in results],
            },
            indent=1,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int((sys.argv[2:] or ["20"])[0]))
