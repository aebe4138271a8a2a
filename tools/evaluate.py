"""The tools build, evaluate and sweep: what a change is worth."""

from __future__ import annotations

import contextlib
import itertools
import math

from avo.tools.answer import Answer
from avo.tools.build.knobs import with_settings
from avo.tools.build.sources import Sources
from avo.tools.payloads import evaluations
from avo.tools.texts import attempt_line, build_text, look_text, verdict_text
from avo.tools.workspace import Workspace
from avo.types import ToolError, figure

MOST_CANDIDATES = 32
"""Maximum number of combinations of one sweep."""
MOST_COUNTED = 1_000_000
"""Number up to which combinations are counted."""


async def build(workspace: Workspace) -> str:
    """Compile the work tree without running it: errors and warnings; for a GPU registers, spills, SASS by group."""
    files = workspace.sources()
    return build_text(await workspace.blocking(lambda: workspace.executor.build(files)))


async def evaluate(workspace: Workspace, direction: str, quick: bool = False) -> Answer:
    """Score the work tree: compile, check every case against the reference, time it. Nothing is committed.

    direction: in a few words, what you changed and why it should be faster; it is kept with the result.
    quick: true for a look at one timed case and two tests in a fraction of the time: no score, no attempt.
    The same sources are never scored twice: you get the first result again.
    """
    if quick and not workspace.known(workspace.sources()):
        verdict = await workspace.look(workspace.sources())
        return Answer(look_text(verdict, workspace.scored(workspace.lineage.best())))
    attempt, new = await workspace.evaluate(workspace.sources(), direction)
    if not new:
        workspace.journal.add_revisit(workspace.step, attempt.id)
    seen = "" if new else f"(these sources were scored before, as attempt {attempt.id}: {attempt.direction})\n"
    text = f"{seen}attempt {attempt.id}: {verdict_text(attempt.verdict, workspace.scored(workspace.lineage.best()))}"
    return Answer(text, evaluations([(attempt, True)]))


async def sweep(workspace: Workspace, knobs: dict[str, list[str | int]], direction: str) -> Answer:
    """Score every combination of the given knob values (at most 32) on top of the work tree, which stays as it is.

    knobs: for instance {"KV_TILE": [64, 128], "EXP": [1]}; the sources declare them as `// avo:knob NAME {values}`.
    To keep a combination, set its values with edit_file and call commit.
    """
    count = math.prod(map(len, knobs.values())) if knobs else 0
    if not 1 <= count <= MOST_CANDIDATES:
        made = f"{min(count, MOST_COUNTED):,} candidates{' or more' * (count >= MOST_COUNTED)}"
        raise ToolError(f"that makes {made}; between 1 and {MOST_CANDIDATES} are possible")
    files, names = workspace.sources(), list(knobs)

    with contextlib.ExitStack() as ahead:

        def prepared() -> list[Sources]:
            combinations = itertools.product(*(map(str, knobs[name]) for name in names))
            trees = [with_settings(files, dict(zip(names, values, strict=True))) for values in combinations]
            ahead.enter_context(workspace.executor.ahead(trees))
            return trees

        trees = await workspace.blocking(prepared)
        attempts = [attempt for attempt, _ in await workspace.evaluate_all(trees, direction)]
    ranked = sorted(attempts, key=lambda attempt: -attempt.verdict.score)
    best, score = workspace.scored(workspace.lineage.best()), ranked[0].verdict.score
    first = f"best of {len(ranked)}: x{score / best.score:.3f} of {best.name} ({figure(best.score)} {best.unit})"
    return Answer("\n".join([first, *map(attempt_line, ranked)]), evaluations((one, True) for one in ranked))
