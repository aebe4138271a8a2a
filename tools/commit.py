"""The gate: a version is kept if it is correct and matches or beats the best one, measured side by side."""

from __future__ import annotations

import contextlib
import time

from avo.memory.journal.journal import Attempt
from avo.spans import span
from avo.tools.answer import Answer
from avo.tools.build.compilers import compiler_of
from avo.tools.build.knobs import settings_of
from avo.tools.build.sources import Sources, digest
from avo.tools.payloads import Committed, Refusal
from avo.tools.sanitize import sanitized
from avo.tools.texts import comparison_text, verdict_text
from avo.tools.workspace import Workspace
from avo.types import RULES, Comparison, Rejected, ToolError, Unfit, Version, usual_seconds


async def commit(workspace: Workspace, message: str) -> Answer:
    """Keep the work tree as a new version, if it passes and is not slower than the best version beyond noise.

    Both are timed interleaved, twice, on fresh inputs; what you measured before does not count. A commit ends the step.
    message: first line what changed; then why, and what it gained.
    """
    files = workspace.sources()
    tree, best = digest(files), workspace.lineage.best()
    if known := next((v for v in workspace.lineage.versions() if v.tree == tree), None):
        raise _refused(files, f"nothing to commit: these sources are {known.name} already")
    await _require_other_code(workspace, files)
    attempt, _ = await workspace.evaluate(files, message.partition("\n")[0])
    if not attempt.verdict.passed:
        raise _refused(files, f"refused: it does not pass\n{verdict_text(attempt.verdict, best)}")
    version, measured = await _gate(workspace, files, attempt, message)
    kind = "an improvement" if version.improved else "a match"
    return Answer(f"committed as {version.name}, {kind}: {measured}.", Committed(version.name, version.improved))


def _refused(files: Sources, why: str) -> ToolError:
    """Return the gate's error about these sources."""
    return ToolError(why, Refusal(settings_of(files)))


async def _require_other_code(workspace: Workspace, files: Sources) -> None:
    """Raise ToolError if the sources compile to the code of a version: there is nothing to measure then."""
    code = await _compiled(workspace, files)
    built = {workspace.lineage.champion().name, workspace.lineage.best().name}
    for version in reversed(workspace.lineage.versions()) if code else ():
        attempt, known = workspace.journal.attempt_of(version.tree), ""
        if attempt and attempt.verdict.compiler == compiler_of(workspace.target).version:
            known = attempt.verdict.code
        if not known and version.name in built:  # scored by an older avo, or brought in from another compiler
            known = await _compiled(workspace, workspace.lineage.files(version))
        if known == code:
            raise _refused(files, f"refused: it compiles to the same machine code and constants as {version.name}")


async def _compiled(workspace: Workspace, files: Sources) -> str:
    """Return the digest of the compiled sources; "" if they do not compile, which an evaluation will explain."""
    try:
        return (await workspace.blocking(lambda: workspace.executor.build(files))).code
    except Rejected:
        return ""


async def _gate(workspace: Workspace, files: Sources, attempt: Attempt, message: str) -> tuple[Version, str]:
    """Compare with the champion; commit and return the version with the measurement in words, or raise ToolError."""
    await _clean(workspace, files)
    champion = workspace.lineage.champion()
    began = time.monotonic()
    with span(
        "compare", {"avo.tree": attempt.tree, "avo.incumbent": champion.name, "avo.step": workspace.step}
    ) as facts:
        result = await _compared(workspace, champion, files)
        accepted = result.improved or result.matched
        facts |= {"avo.ratio": result.ratio, "avo.accepted": accepted}
    seconds, lease = round(time.monotonic() - began, 3), round(result.lease, 3)
    workspace.journal.spend(workspace.step, "worker", "comparison", seconds=seconds, device=lease)
    workspace.journal.add_comparison(workspace.step, attempt.tree, champion.name, result, accepted)
    measured = comparison_text(result, champion.name)
    if not accepted:
        raise _refused(files, f"refused: slower than the best version: {measured}")
    tried = workspace.journal.count("attempts")
    version = workspace.lineage.commit(
        files, workspace.added(), attempt.tree, attempt.verdict, message,
        gain=(result.ratio, result.low, result.high), improved=result.improved,
        trailers={"Target": workspace.target, "Direction": attempt.direction, "Attempts": str(tried)},
    )  # fmt: skip
    workspace.journal.record_effect(version.name)
    return version, measured


async def _compared(workspace: Workspace, champion: Version, files: Sources) -> Comparison:
    """Compare side by side with the champion; once more if it seems unfit, as the machine may have been disturbed.

    Raises Rejected, or Unfit if it is unfit again.
    """
    incumbent, usual = workspace.lineage.files(champion), _scored_here(workspace, champion)
    with contextlib.suppress(Unfit):
        return await workspace.blocking(lambda: workspace.executor.compare(incumbent, files, usual))
    try:
        return await workspace.blocking(lambda: workspace.executor.compare(incumbent, files))
    except Unfit as error:
        remedy = "begin a run from an earlier one by --seed-from RUN@vN"
        raise Unfit(f"nothing can be compared with {champion.name}, the best version: {error}; {remedy}") from error


def _scored_here(workspace: Workspace, version: Version) -> dict[str, float] | None:
    """Return the seconds of a launch by case of a version that was scored on this device by these rules, else None."""
    attempt = workspace.journal.attempt_of(version.tree)
    if attempt is None or not attempt.verdict.passed or attempt.verdict.rules != RULES:
        return None
    return usual_seconds(attempt.verdict.cases) if workspace.executor.measured_here(attempt.verdict.device) else None


async def _clean(workspace: Workspace, files: Sources) -> None:
    """Raise ToolError if the sanitizers that the scenario requires find anything, or cannot run."""
    tools = workspace.scenario.target(workspace.target).sanitizers
    if not tools:
        return

    from avo.tools.instruments.harness import Unread
    from avo.tools.instruments.sanitizer import text

    try:
        built = await workspace.blocking(lambda: workspace.executor.build(files))
        found = await workspace.blocking(lambda: sanitized(built, files, workspace.scenario, workspace.target, tools))
    except Unread as reason:
        why = f"refused: the scenario asks for {', '.join(tools)}, which could not look: {reason}"
        raise _refused(files, why) from reason
    if not all(one.clean for one in found):
        raise _refused(files, f"refused: {text(found, built.sass)}")
