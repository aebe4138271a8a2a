"""The tool profile: what bounds a candidate and where its time goes, as far as this machine can measure it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avo.scenarios.loader import Case, Scenario, family
from avo.tools.build.builder import Build
from avo.tools.build.sources import Sources
from avo.tools.devices.lease import lease
from avo.tools.score.executor import Executor
from avo.tools.workspace import Workspace
from avo.types import Missing, Unknown

KEPT = 20
"""Number of profiles of a run whose reports stay on disk."""


@dataclass(frozen=True)
class Profile:
    """The results of this machine's instruments for one candidate."""

    text: str
    """The report, verdict first."""
    facts: Mapping[str, Any]
    """All numbers, for JSON."""


async def profile(workspace: Workspace, case: str = "") -> str:
    """Find out why the work tree is as fast as it is: what bounds it, where it waits, its hottest source lines.

    case: id of a timed case; without it the one with the most work. On a GPU by Nsight Compute, on the CPU by perf;
    where they are not to be had you get what the compiler and the machine code tell. Nothing is scored.
    """
    files = workspace.sources()
    keep = _room(workspace.artifacts / "profiles")
    chosen = timed_case(workspace.scenario, workspace.target, case)
    found = await workspace.blocking(
        lambda: profiled(workspace.executor, files, workspace.scenario, workspace.target, chosen, keep)
    )
    return found.text


def _room(folder: Path) -> Path:
    """Return the path of the next numbered folder; delete the oldest ones."""
    numbers = sorted(int(path.name) for path in folder.glob("[0-9]*"))
    for old in numbers[: -KEPT + 1]:
        shutil.rmtree(folder / f"{old:04}", ignore_errors=True)
    return folder / f"{max(numbers, default=0) + 1:04}"


def timed_case(scenario: Scenario, target: str, name: str) -> Case:
    """Return the case of that id; without one, the case with the most work. Raises Unknown."""
    cases = {case.id: case for case in scenario.timed(target)}
    if name and name not in cases:
        raise Unknown(
            f"scenario {scenario.name} has no timed case '{name}' for {target}; there are: {', '.join(cases)}"
        )
    return cases[name] if name else max(cases.values(), key=lambda case: scenario.work_of("TFLOPS", case))


def profiled(
    executor: Executor, files: Sources, scenario: Scenario, target: str, case: Case, keep: Path | None = None
) -> Profile:
    """Profile one candidate with the instruments of its target. keep: folder for their output.

    Waits for the device. Raises Rejected when the candidate does not compile.
    """
    if family(target) == "cpu":
        return _on_cpu(files, scenario, case, keep)
    return _on_gpu(executor.build(files), files, scenario, target, case, keep)


def _on_gpu(built: Build, files: Sources, scenario: Scenario, target: str, case: Case, keep: Path | None) -> Profile:
    from avo.tools.devices.gpu import require_gpu
    from avo.tools.instruments import ncu, ncu_text
    from avo.tools.instruments.harness import Unread
    from avo.tools.texts import build_text

    static = {"kernels": [asdict(kernel) for kernel in built.kernels], "sass": dict(built.sass)}
    try:
        require_gpu(target)
        with lease(target) as index:
            reading = ncu.read(built, scenario, target, case, index, keep)
    except (Missing, Unread) as reason:
        what = f"not measured: {reason}; what follows is by the compiler and the machine code"
        return Profile(f"{what}\n{build_text(built)}", {"unmeasured": str(reason)} | static)
    made_of = build_text(built)
    shown = f"{ncu_text.text(reading, case.id, files)}\n\n{made_of}"
    return Profile(
        shown[: ncu_text.LONGEST], {"unmeasured": "", "verdict": ncu_text.verdict(reading)} | asdict(reading) | static
    )


def _on_cpu(files: Sources, scenario: Scenario, case: Case, keep: Path | None) -> Profile:
    from avo.tools.build.cache import cached_build
    from avo.tools.instruments import cpu_profile, perf
    from avo.tools.instruments.harness import Unread

    built = cached_build(files, _with_lines(scenario), "cpu")
    watched, why = None, ""
    try:
        with lease("cpu"):
            watched = perf.watch(built, scenario, case, keep)
    except Unread as reason:
        why = str(reason)
    code = cpu_profile.disassembled(built.library, watched.samples if watched else perf.Samples())
    widest = cpu_profile.widest_vectors()
    return Profile(cpu_profile.text(code, watched, why, case.id, widest, files), cpu_profile.facts(code, watched, why))


def _with_lines(scenario: Scenario) -> Scenario:
    """Return the scenario with source lines in CPU builds; the machine code stays the same."""
    settings = scenario.target("cpu")
    named = settings.model_copy(update={"flags": (*settings.flags, "-g1")})
    return scenario.model_copy(update={"targets": scenario.targets | {"cpu": named}})
