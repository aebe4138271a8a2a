"""Build, evaluate, sweep: what a change is worth."""

from __future__ import annotations

import itertools

from avo.tools.answers import attempt_line, build_text, verdict_text
from avo.tools.bench import Bench
from avo.tools.knobs import with_settings
from avo.types import ToolError

MOST_CANDIDATES = 32


async def build(bench: Bench) -> str:
    """Compile the work tree without running it: errors and warnings; for a GPU registers, spills, SASS by group."""
    files = bench.sources()
    return build_text(await bench.blocking(lambda: bench.executor.build(files)))


async def evaluate(bench: Bench, direction: str) -> str:
    """Score the work tree: compile, check every case against the reference, time it. Nothing is committed.

    direction: in a few words, what you changed and why it should be faster; it is kept with the result.
    The same sources are never scored twice: you get the first result again.
    """
    attempt, new = await bench.evaluate(bench.sources(), direction)
    if not new:
        bench.journal.add_revisit(bench.step, attempt.id)
    seen = "" if new else f"(these sources were scored before, as attempt {attempt.id}: {attempt.direction})\n"
    return f"{seen}attempt {attempt.id}: {verdict_text(attempt.verdict, bench.lineage.best())}"


async def sweep(bench: Bench, knobs: dict[str, list[str | int]], direction: str) -> str:
    """Score every combination of the given knob values (at most 32) on top of the work tree, which stays as it is.

    knobs: for instance {"KV_TILE": [64, 128], "EXP": [1]}; the sources declare them as `// avo:knob NAME {values}`.
    To keep a combination, set its values with edit_file and call commit.
    """
    files = bench.sources()
    names = list(knobs)
    combinations = list(itertools.product(*(map(str, knobs[name]) for name in names)))
    if not names or not 1 <= len(combinations) <= MOST_CANDIDATES:
        raise ToolError(f"that makes {len(combinations)} candidates; between 1 and {MOST_CANDIDATES} are possible")
    trees = [with_settings(files, dict(zip(names, values, strict=True))) for values in combinations]
    await bench.blocking(lambda: bench.executor.prepare(trees))
    attempts = [attempt for attempt, _ in await bench.evaluate_all(trees, direction)]
    ranked = sorted(attempts, key=lambda attempt: -attempt.verdict.score)
    best, score = bench.lineage.best(), ranked[0].verdict.score
    first = f"best of {len(ranked)}: x{score / best.score:.3f} of {best.name} ({best.score:.3f} {best.unit})"
    return "\n".join([first, *map(attempt_line, ranked)])
