"""The gate: a version is kept if it is correct and matches or beats the best one, measured side by side."""

from __future__ import annotations

import contextlib
import time

from avo.memory.journal import Attempt
from avo.tools.answer import Answer
from avo.tools.answers import comparison_text, verdict_text
from avo.tools.bench import Bench
from avo.tools.knobs import settings_of
from avo.tools.payloads import Committed, Refusal
from avo.tools.sanitize import sanitized
from avo.tools.score.compilers import compiler_of
from avo.tools.sources import Sources, digest
from avo.tools.spans import span
from avo.types import RULES, Comparison, Rejected, ToolError, Unfit, Version, usual_seconds


async def commit(bench: Bench, message: str) -> Answer:
    """Keep the work tree as a new version, if it passes and is not slower than the best version beyond noise.

    Both are timed interleaved, twice, on fresh inputs; what you measured before does not count. A commit ends the step.
    message: first line what changed; then why, and what it gained.
    """
    files = bench.sources()
    tree, best = digest(files), bench.lineage.best()
    if known := next((v for v in bench.lineage.versions() if v.tree == tree), None):
        raise _refused(files, f"nothing to commit: these sources are {known.name} already")
    await _require_other_code(bench, files)
    attempt, _ = await bench.evaluate(files, message.partition("\n")[0])
    if not attempt.verdict.passed:
        raise _refused(files, f"refused: it does not pass\n{verdict_text(attempt.verdict, best)}")
    version, measured = await _gate(bench, files, attempt, message)
    kind = "an improvement" if version.improved else "a match"
    return Answer(f"committed as {version.name}, {kind}: {measured}.", Committed(version.name, version.improved))


def _refused(files: Sources, why: str) -> ToolError:
    """What the gate answers when it does not let these sources in."""
    return ToolError(why, Refusal(settings_of(files)))


async def _require_other_code(bench: Bench, files: Sources) -> None:
    """Raise ToolError when the sources compile to what a version's compile to: there is nothing to measure then."""
    code = await _compiled(bench, files)
    built = {bench.lineage.champion().name, bench.lineage.best().name}
    for version in reversed(bench.lineage.versions()) if code else ():
        attempt, known = bench.journal.attempt_of(version.tree), ""
        if attempt and attempt.verdict.compiler == compiler_of(bench.target).version:
            known = attempt.verdict.code
        if not known and version.name in built:  # scored by an older avo, or brought in from another compiler
            known = await _compiled(bench, bench.lineage.files(version))
        if known == code:
            raise _refused(files, f"refused: it compiles to the same machine code and constants as {version.name}")


async def _compiled(bench: Bench, files: Sources) -> str:
    """The digest of what sources compile to; empty when they do not: an evaluation says why."""
    try:
        return (await bench.blocking(lambda: bench.executor.build(files))).code
    except Rejected:
        return ""


async def _gate(bench: Bench, files: Sources, attempt: Attempt, message: str) -> tuple[Version, str]:
    """Compare with the champion; commit or raise ToolError."""
    await _clean(bench, files)
    champion = bench.lineage.champion()
    began = time.monotonic()
    with span("compare", {"avo.tree": attempt.tree, "avo.incumbent": champion.name, "avo.step": bench.step}) as facts:
        result = await _compared(bench, champion, files)
        accepted = result.improved or result.matched
        facts |= {"avo.ratio": result.ratio, "avo.accepted": accepted}
    seconds, lease = round(time.monotonic() - began, 3), round(result.lease, 3)
    bench.journal.spend(bench.step, "worker", "comparison", seconds=seconds, device=lease)
    bench.journal.add_comparison(bench.step, attempt.tree, champion.name, result, accepted)
    measured = comparison_text(result, champion.name)
    if not accepted:
        raise _refused(files, f"refused: slower than the best version: {measured}")
    tried = bench.journal.count("attempts")
    version = bench.lineage.commit(
        files, bench.added(), attempt.tree, attempt.verdict, message,
        gain=(result.ratio, result.low, result.high), improved=result.improved,
        trailers={"Target": bench.target, "Direction": attempt.direction, "Attempts": str(tried)},
    )  # fmt: skip
    bench.journal.record_effect(version.name)
    return version, measured


async def _compared(bench: Bench, champion: Version, files: Sources) -> Comparison:
    """Side by side with the champion, twice where that seems unfit: a machine may be disturbed. Raises Unfit."""
    incumbent, usual = bench.lineage.files(champion), _scored_here(bench, champion)
    with contextlib.suppress(Unfit):
        return await bench.blocking(lambda: bench.executor.compare(incumbent, files, usual))
    try:
        return await bench.blocking(lambda: bench.executor.compare(incumbent, files))
    except Unfit as error:
        remedy = "begin a run from an earlier one by --seed-from RUN@vN"
        raise Unfit(f"nothing can be compared with {champion.name}, the best version: {error}; {remedy}") from error


def _scored_here(bench: Bench, version: Version) -> dict[str, float] | None:
    """Seconds of a launch by case of a version, if it was scored on this device by these rules."""
    attempt = bench.journal.attempt_of(version.tree)
    if attempt is None or not attempt.verdict.passed or attempt.verdict.rules != RULES:
        return None
    return usual_seconds(attempt.verdict.cases) if bench.executor.measured_here(attempt.verdict.device) else None


async def _clean(bench: Bench, files: Sources) -> None:
    """Raise ToolError unless the sanitizers that the scenario asks for find nothing, or where they cannot look."""
    tools = bench.scenario.target(bench.target).sanitizers
    if not tools:
        return

    from avo.tools.score.instrument import Unread
    from avo.tools.score.sanitizer import text

    try:
        built = await bench.blocking(lambda: bench.executor.build(files))
        found = await bench.blocking(lambda: sanitized(built, files, bench.scenario, bench.target, tools))
    except Unread as reason:
        why = f"refused: the scenario asks for {', '.join(tools)}, which could not look: {reason}"
        raise _refused(files, why) from reason
    if not all(one.clean for one in found):
        raise _refused(files, f"refused: {text(found, built.sass)}")
