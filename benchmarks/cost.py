"""What the judge itself costs against another checkout: evaluations and comparisons by both, in random order.

    python benchmarks/cost.py OTHER [--target cpu] [--scenario mha_causal] [--only evaluate] [--pairs 10]
        [--candidate DIR] [--seconds S]

Each checkout has one warm process, which has built before anything counts. The ratio is new over old: seconds of this
checkout over those of OTHER, the geometric mean over pairs with a 95 % bootstrap interval. JSON on stdout, progress on
stderr; after --seconds, or at a SIGTERM or Ctrl-C, the pairs that are whole are what is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
WHAT = ("evaluate", "compare")
MEASURES = ("seconds", "lease", "cpu")
RESAMPLES = 4000
Sample = dict[str, float]
"""seconds: of the call; lease: of it, those in which the device was held; cpu: processor time, of its processes too."""

CHILD = """
import json, os, resource, sys, time
from pathlib import Path
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from avo.scenarios.loader import load
try:
    from avo.tools.build.seeds import folder_sources, seed_sources
    from avo.tools.score.executor import LocalExecutor
except ModuleNotFoundError:  # before tools/ had rooms
    from avo.tools.executor import LocalExecutor
    from avo.tools.seeds import folder_sources, seed_sources
name, target, folder = sys.argv[1:]
scenario = load(name)
executor = LocalExecutor(scenario, target)
if folder:
    files = folder_sources(Path(folder))
else:
    files = seed_sources(scenario, target)

def evaluate():
    verdict = executor.evaluate(files)
    if not verdict.passed:
        raise SystemExit(f"{verdict.status}: {verdict.reason}")
    return {"lease": verdict.cost["lease"], "device": verdict.device, "compiler": verdict.compiler}

def compare():
    return {"lease": executor.compare(files, files).lease}

def used():
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)

executor.build(files)
print(json.dumps({"ready": True}), file=answers, flush=True)
for line in sys.stdin:
    started, before = time.monotonic(), used()
    done = {"evaluate": evaluate, "compare": compare}[line.strip()]()
    print(json.dumps(done | {"seconds": time.monotonic() - started, "cpu": used() - before}), file=answers, flush=True)
"""
"""Asks of a checkout only what older ones have as well."""


class Stopped(Exception):
    """The time is over, or somebody asked for the end."""


class Checkout:
    """One checkout's judge, warm in a process of its own."""

    def __init__(self, child: subprocess.Popen[str], root: Path) -> None:
        self._child, self.root = child, root

    def ask(self, what: str) -> dict[str, Any]:
        """Do it once. Raises SystemExit when the child has ended."""
        assert self._child.stdin
        assert self._child.stdout
        if what:
            self._child.stdin.write(f"{what}\n")
            self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit(f"{self.root}: its process ended with code {self._child.wait()}; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def version(self) -> str:
        """Its commit, with + where files differ from it."""
        git = ("git", "-C", str(self.root))
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
        return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


@contextmanager
def started(root: Path, scenario: str, target: str, candidate: str) -> Iterator[Checkout]:
    """The checkout, once it has built the candidate."""
    path = os.pathsep.join(filter(None, [str(root / "src"), os.environ.get("PYTHONPATH")]))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, scenario, target, candidate],
        env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield Checkout(child, root)
    finally:
        assert child.stdin
        child.stdin.close()  # it ends by itself once what is under way is done
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.terminate()
            child.wait()


def interval(logarithms: list[float]) -> dict[str, float]:
    """Geometric mean of the ratios, and the 2.5 % and 97.5 % quantiles of those of resamples of the pairs."""
    draw = random.Random(0)
    means = sorted(statistics.fmean(draw.choices(logarithms, k=len(logarithms))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    found = {"ratio": statistics.fmean(logarithms), "low": low, "high": high}
    return {name: round(math.exp(value), 4) for name, value in found.items()}


def summary(pairs: dict[str, list[dict[str, Sample]]]) -> dict[str, Any]:
    """By kind of call: the ratio of the seconds and of the seconds in the lease, and every sample."""
    result: dict[str, Any] = {}
    for what, played in pairs.items():
        ratios = {
            measure: interval([math.log(pair["new"][measure] / pair["old"][measure]) for pair in played])
            for measure in MEASURES
            if played
        }
        result[what] = {"pairs": len(played), **ratios, "samples": played}
    return result


def play(sides: dict[str, Checkout], count: int, until: float, pairs: dict[str, list[dict[str, Sample]]]) -> None:
    """Add pairs until there are `count` of each kind. Raises Stopped when the clock has passed `until`."""
    for number in range(count):
        for what in random.sample([*pairs], len(pairs)):
            pair: dict[str, Sample] = {}
            for name in random.sample([*sides], len(sides)):
                if time.monotonic() > until:
                    raise Stopped("the time is over")
                answer = sides[name].ask(what)
                pair[name] = {key: round(answer[key], 4) for key in MEASURES}
            pairs[what].append(pair)
            took = ", ".join(f"{name} {pair[name]['seconds']:.2f} s" for name in sorted(pair))
            print(f"{number + 1}/{count} {what}: {took}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the checkout that is the measure")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--scenario", default="mha_causal")
    parser.add_argument("--only", choices=WHAT)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--candidate", default="", help="folder of its sources; the scenario's seed by default")
    parser.add_argument("--seconds", type=float, default=math.inf, help="no call begins later than this")
    given = parser.parse_args()
    began = time.monotonic()

    def stop(number: int, _: object) -> None:
        raise Stopped(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    pairs: dict[str, list[dict[str, Sample]]] = {what: [] for what in WHAT if given.only in (None, what)}
    result: dict[str, Any] = {
        "target": given.target,
        "scenario": given.scenario,
        "candidate": given.candidate or "seed",
    }
    with ExitStack() as stack:
        try:
            folders = {"new": HERE, "old": given.other.resolve()}
            candidate = str(Path(given.candidate).resolve()) if given.candidate else ""
            named = str(Path(given.scenario).resolve()) if "/" in given.scenario else given.scenario
            sides = {
                name: stack.enter_context(started(root, named, given.target, candidate))
                for name, root in folders.items()
            }
            result |= {"versions": {name: side.version() for name, side in sides.items()}}
            for side in sides.values():
                side.ask("")  # it is ready
            for side in sides.values():
                first = side.ask("evaluate")  # loads torch, and measures the baselines: not counted
            result |= {"device": first["device"], "compiler": first["compiler"]}
            print(f"both are warm after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            play(sides, given.pairs, began + given.seconds, pairs)
        except Stopped as stopped:
            result |= {"stopped": str(stopped)}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        result |= {"took": round(time.monotonic() - began, 1)}
        print(json.dumps(result | summary(pairs)), flush=True)


if __name__ == "__main__":
    main()
