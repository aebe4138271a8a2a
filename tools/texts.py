"""Results as text: the verdict first, then the figures by case, then the log."""

from __future__ import annotations

from avo.installation import how_to_install
from avo.memory.journal.journal import Attempt
from avo.tools.build.binary import plain, remarks
from avo.tools.build.builder import Build
from avo.types import CaseScore, Comparison, Verdict, Version, figure

DIRECTION_CHARACTERS = 100
"""Maximum length in characters of a direction that is part of a line."""
UNLIKE = 1.5
"""Factor between the times on two families of inputs from which it is worth a remark."""


def verdict_text(verdict: Verdict, best: Version | None = None) -> str:
    """Return a verdict as text, whose first line alone says how it went; with ratios to `best` and the baselines."""
    unisolated = [f"not isolated: {verdict.unisolated}"] * bool(verdict.unisolated)
    if not verdict.passed:
        lines = [f"{verdict.status}: {verdict.reason}", "score 0", *unisolated, *([verdict.log] if verdict.log else [])]
        return "\n".join(lines)
    against = []
    if best and best.score:
        against.append(f"x{verdict.score / best.score:.3f} of {best.name}, the latest version")
    baselines = verdict.as_dict()["baselines"]
    for name in verdict.first_baseline:
        against.append(f"x{verdict.score / baselines[name]['score']:.3f} of {name}")
    lines = [f"PASSED {figure(verdict.score)} {verdict.unit}" + (f" ({'; '.join(against)})" if against else "")]
    lines.append(f"{'case':10} {verdict.unit:>10} {'min ms':>9} {'median ms':>9} {'noise':>6} {'error':>6}")
    for case in verdict.cases:
        lines.append(
            f"{case.id:10} {figure(case.value):>10} {figure(case.min_ms):>9} {figure(case.median_ms):>9} "
            f"{case.noise:6.3f} {case.error_ratio:6.2f}"
        )
    if baselines:
        lines.append(f"baselines, measured {_ago(verdict.baselines_age)}:")
    for name, entry in baselines.items():
        by_case = ", ".join(f"{case} {figure(value)}" for case, value in entry["cases"].items())
        ratio = f"x{verdict.score / entry['score']:.3f}"
        lines.append(f"{name:16} {figure(entry['score']):>8} {verdict.unit}, {ratio} ({by_case})")
    lines += [f"note: {remark}" for case in verdict.cases for remark in _unlike(case)]
    lines += [*(f"not measured: {reason}" for reason in verdict.missing.values()), *unisolated]
    if verdict.log:
        lines += ["compiler:", verdict.log]
    return "\n".join(lines)


def look_text(verdict: Verdict, best: Version | None = None) -> str:
    """Return the verdict of a quick look as text; with the ratio to `best` in its case."""
    rest = "no score, and no attempt"
    if not verdict.passed:
        return f"quick look: {verdict.status}: {verdict.reason}; {rest}" + f"\n{verdict.log}" * bool(verdict.log)
    (case,) = verdict.cases
    against = [(f"{best.name}", best.scores[case.id])] if best and best.scores.get(case.id) else []
    against += [(name, values[case.id]) for name, values in verdict.first_baseline.items()]
    ratios = "".join(f", x{case.value / value:.3f} of {name}" for name, value in against)
    return f"quick look: {figure(case.value)} {verdict.unit} in case {case.id}{ratios}; two tests passed; {rest}"


def _ago(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "now" if not minutes else f"{minutes} min before" if minutes < 100 else f"{minutes / 60:.1f} h before"


def _unlike(case: CaseScore) -> list[str]:
    """Return a remark for each family of inputs on which the time of a launch differs much from the scored one."""
    return [
        f"{case.id} takes {ratio:.2f} times as long on inputs '{family}'"
        for family, ratio in case.families.items()
        if not 1 / UNLIKE <= ratio <= UNLIKE
    ]


def build_text(built: Build) -> str:
    """Return a build as text: compiler remarks first, then resources and instructions."""
    first = remarks(built.log)
    lines = [*first, f"compiled in {built.seconds:.2f} s"]
    for kernel in built.kernels:
        spills = f"{kernel.spill_stores} + {kernel.spill_loads} bytes spilled" if kernel.spill_stores else "no spills"
        lines.append(
            f"{kernel.name}: {kernel.registers} registers, {spills}, {kernel.stack} bytes of stack, "
            f"{kernel.shared} bytes of static shared memory"
        )
    if built.sass:
        lines.append("SASS: " + ", ".join(f"{count} {group}" for group, count in built.sass.items()))
    elif built.kernels:
        lines.append(f"SASS: not shown, there is no cuobjdump beside nvcc ({how_to_install('nvcc')})")
    rest = "\n".join(line for line in plain(built.log).splitlines() if line.strip() and line.strip() not in first)
    return "\n".join([*lines, rest or ("no other diagnostics" if first else "no diagnostics")])


def attempt_line(attempt: Attempt, origin: str = "") -> str:
    """Return an attempt as one line, as in `attempts` and `sweep`. origin: why its score does not compare."""
    verdict = attempt.verdict
    result = f"{figure(verdict.score)} {verdict.unit}" if verdict.passed else verdict.reason[:80].replace("|", "/")
    result += f" ({origin})" if origin else ""
    knobs = " ".join(f"{name}={value}" for name, value in attempt.knobs.items())
    direction = " ".join(attempt.direction.split())[:DIRECTION_CHARACTERS]
    return f"a{attempt.id} {verdict.status} {result} | {knobs} | {direction}"


def comparison_text(result: Comparison, incumbent: str) -> str:
    """Return a comparison as text: ratio, interval, and the noise that it has to exceed."""
    cases = ", ".join(f"{case} x{ratio:.3f}" for case, ratio in result.cases.items())
    return (
        f"x{result.ratio:.4f} of {incumbent} (95 % interval {result.low:.4f} to {result.high:.4f}, "
        f"A/A noise {result.noise:.4f}, {result.blocks} ABBA blocks; {cases})"
    )
