"""The tools build, evaluate and sweep: what a change is worth."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from avo.tools.answer import Answer
from avo.tools.answers import attempt_line, build_text, verdict_text
from avo.tools.build.knobs import with_settings
from avo.tools.build.sources import Sources
from avo.tools.payloads import evaluations
from avo.tools.workspace import Workspace
from avo.types import ToolError, figure

MOST_CANDIDATES = 32
"""Maximum number of combinations of one sweep."""
MOST_COUNTED = 1_000_000
"""Number up to which combinations are counted."""
LONGEST_VALUE = 100
"""Maximum length in characters of a knob's name or value."""


async def build(workspace: Workspace) -> str:
    """Compile the work tree without running it: errors and warnings; for a GPU registers, spills, SASS by group."""
    files = workspace.sources()
    return build_text(await workspace.blocking(lambda: workspace.executor.build(files)))


async def evaluate(workspace: Workspace, direction: str) -> Answer:
    """Score the work tree: compile, check every case against the reference, time it. Nothing is committed.

    direction: in a few words, what you changed and why it should be faster; it is kept with the result.
    The same sources are never scored twice: you get the first result again.
    """
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
    _check(knobs)
    files, names = workspace.sources(), list(knobs)

    def prepared() -> list[Sources]:
        combinations = itertools.product(*(map(str, knobs[name]) for name in names))
        trees = [with_settings(files, dict(zip(names, values, strict=True))) for values in combinations]
        workspace.executor.prepare(trees)
        return trees

    attempts = [attempt for attempt, _ in await workspace.evaluate_all(await workspace.blocking(prepared), direction)]
    ranked = sorted(attempts, key=lambda attempt: -attempt.verdict.score)
    best, score = workspace.scored(workspace.lineage.best()), ranked[0].verdict.score
    first = f"best of {len(ranked)}: x{score / best.score:.3f} of {best.name} ({figure(best.score)} {best.unit})"
    return Answer("\n".join([first, *map(attempt_line, ranked)]), evaluations((one, True) for one in ranked))


def _check(knobs: Mapping[str, Sequence[str | int]]) -> None:
    """Raise ToolError for more combinations than can be swept, before any is made."""
    count = 1
    for name, values in knobs.items():
        if not isinstance(values, list):
            raise ToolError(f"knob {name[:LONGEST_VALUE]} needs a list of values")
        if any(isinstance(value, int) and value.bit_length() > 64 for value in values):
            raise ToolError(f"knob {name[:LONGEST_VALUE]} has a value of more than 64 bits")
        if long := [part for part in (name, *map(str, values[:MOST_CANDIDATES])) if len(part) > LONGEST_VALUE]:
            raise ToolError(f"'{long[0][:LONGEST_VALUE]} …' is no name and no value of a knob")
        count = min(count * len(values), MOST_COUNTED)
    if not knobs or not 1 <= count <= MOST_CANDIDATES:
        many = (
            f"{MOST_COUNTED:,} candidates or more" if count == MOST_COUNTED else f"{count if knobs else 0} candidates"
        )
        raise ToolError(f"that makes {many}; between 1 and {MOST_CANDIDATES} are possible")
