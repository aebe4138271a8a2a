"""The gate: only what is right and not slower than the champion becomes a version, whatever the agent claims."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from avo.evolve import brief
from avo.tools.build.sources import digest
from avo.tools.commit import commit
from avo.tools.devices.lease import lease
from avo.tools.payloads import Begun
from avo.tools.workspace import Workspace
from avo.types import ToolError, Unfit

ROWS = "for (int64_t n = 0; n < a->R; n++) {"


def change(workspace: Workspace, old: str, new: str) -> None:
    """Replace a text of the work tree's matvec.cpp, which must be there."""
    path = workspace.work_tree / "matvec.cpp"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def refusal(workspace: Workspace, message: str = "better") -> str:
    """Why the gate refused; nothing may have been kept."""
    before = workspace.lineage.versions()
    with pytest.raises(ToolError) as caught:
        asyncio.run(commit(workspace, message))
    assert workspace.lineage.versions() == before
    return str(caught.value)


def test_what_is_faster_is_kept_as_an_improvement(workspace: Workspace) -> None:
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    shown = asyncio.run(commit(workspace, "Sixteen sums\n\nBreak the chain of additions.")).text
    assert shown.startswith("committed as v1, an improvement: x")
    best = workspace.lineage.best()
    assert (best.name, best.improved, best.message) == ("v1", True, "Sixteen sums\n\nBreak the chain of additions.")
    assert best.gain > 1.05
    assert workspace.lineage.champion() == best
    assert workspace.lineage.files(best) == workspace.sources()
    comparison = workspace.journal.comparisons()[-1]
    assert (comparison["incumbent"], comparison["accepted"], comparison["tree"]) == ("v0", 1, best.tree)
    assert comparison["result"]["improved"]


def test_the_commit_carries_what_was_measured(workspace: Workspace) -> None:
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    asyncio.run(commit(workspace, "Sixteen sums"))
    show = ["git", "log", "-1", "--format=%(trailers:only)", "v1"]
    text = subprocess.run(show, cwd=workspace.work_tree, capture_output=True, text=True, check=True).stdout
    trailers = dict(line.split(": ", 1) for line in text.splitlines() if line)
    assert trailers["Avo-Version"] == "v1"
    assert trailers["Avo-Tree"] == workspace.journal.attempts()[-1].tree
    assert trailers["Avo-Improved"] == "yes"
    assert trailers["Avo-Score"].endswith(" GFLOP/s")
    assert (trailers["Avo-Target"], trailers["Avo-Direction"], trailers["Avo-Attempts"]) == ("cpu", "Sixteen sums", "2")


def test_what_is_wrong_is_refused(workspace: Workspace) -> None:
    change(workspace, "a->y[i] = y;", "a->y[i] = 0;")
    assert refusal(workspace).startswith("refused: it does not pass\nINCORRECT_NUMERICAL")
    assert workspace.journal.comparisons() == []
    assert workspace.journal.count("attempts") == 2


def test_what_is_slower_is_refused(workspace: Workspace) -> None:
    change(workspace, ROWS, f"for (int twice = 0; twice < 2; twice++) {ROWS}")
    assert refusal(workspace).startswith("refused: slower than the best version: x0.")
    assert workspace.journal.comparisons()[-1]["accepted"] == 0


@pytest.mark.slow
def test_what_is_slower_than_the_champion_is_refused_though_it_beats_the_seed(workspace: Workspace) -> None:
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    asyncio.run(commit(workspace, "Sixteen sums"))
    change(workspace, "SUMS = 16;", "SUMS = 4;")
    assert "x0." in refusal(workspace, "Four sums")


IDLE = "\nvoid idle(float* x) { x[0] = 1; }\n"
"""A function that nobody calls: other machine code, and as fast."""


def test_what_is_equal_is_kept_as_a_match_and_never_the_champion(workspace: Workspace) -> None:
    path = workspace.work_tree / "matvec.cpp"
    path.write_text(path.read_text() + IDLE)
    shown = ""
    for _ in range(5):  # a busy neighbour may slow one of the two
        try:
            shown = asyncio.run(commit(workspace, "A function more")).text
            break
        except ToolError:
            continue
    assert shown.startswith("committed as v1, a match: x")
    assert not workspace.lineage.best().improved
    assert workspace.lineage.best().name == "v1"
    assert workspace.lineage.champion().name == "v0"
    begun = asyncio.run(brief(workspace, resumed=False)).data
    assert isinstance(begun, Begun)
    assert begun.resumed  # a search starts from the champion
    assert begun.refused == ({"SUMS": "1", "BACKWARDS": "0"},)  # and does not commit these settings again


def test_other_text_of_the_same_code_is_refused_before_anything_is_measured(workspace: Workspace) -> None:
    assert workspace.journal.attempts()[-1].verdict.code
    change(workspace, "// y = A x", "// y  =  A x")
    with lease("cpu"):  # nobody else can measure now
        assert refusal(workspace) == "refused: it compiles to the same machine code and constants as v0"
    assert workspace.journal.count("attempts") == 1
    assert workspace.journal.comparisons() == []


def test_a_version_of_older_avo_is_compiled_to_know_its_code(workspace: Workspace) -> None:
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    asyncio.run(commit(workspace, "Sixteen sums"))
    workspace.journal.write("UPDATE attempts SET verdict = json_set(verdict, '$.code', '')")
    change(workspace, "SUMS = 16;", "SUMS = 16 ;")
    assert refusal(workspace).endswith("as v1")


def test_a_version_that_is_there_already_is_refused(workspace: Workspace) -> None:
    assert refusal(workspace) == "nothing to commit: these sources are v0 already"
    assert workspace.journal.count("attempts") == 1


def test_a_forged_score_or_header_in_the_work_tree_is_ignored(workspace: Workspace) -> None:
    (workspace.work_tree / "score.json").write_text('{"score": 1e9, "status": "PASSED"}')
    (workspace.work_tree / "avo_abi.h").write_text("#error forged")
    assert refusal(workspace) == "nothing to commit: these sources are v0 already"
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    asyncio.run(commit(workspace, "Sixteen sums\n\nAvo-Score: 1000000000 GFLOP/s"))
    best = workspace.lineage.best()
    assert best.score == pytest.approx(workspace.journal.attempts()[-1].verdict.score, rel=1e-4)
    workspace.lineage.restore()
    assert "1e9" not in (workspace.work_tree / "score.json").read_text()
    assert "forged" not in (workspace.work_tree / "avo_abi.h").read_text()


TWICE_UNEXAMINED = """static int launches, times = 1;
    if (++launches == 1 && a->R == 128) times = 3;
    for (int again = 0; again < times; again++) """
"""Slow in processes that begin with a timed shape, which those of later rounds of a comparison do."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("a->y[i] = y;", "a->y[i] = a->R == 3 ? 0 : y;", "INCORRECT_NUMERICAL"),
        (ROWS, TWICE_UNEXAMINED + ROWS, "TIMING_MISMATCH"),
    ],
)
def test_a_best_version_that_does_not_do_what_it_was_kept_for_is_named_and_nothing_is_journalled(
    workspace: Workspace, old: str, new: str, told: str
) -> None:
    seed = workspace.journal.attempts()[0]
    change(workspace, old, new)
    files = workspace.sources()
    version = workspace.lineage.commit(
        files,
        workspace.added(),
        digest(files),
        seed.verdict,
        "Kept by whatever means",
        gain=(2, 2, 2),
        improved=True,
        trailers={},
    )
    workspace.record(files, "kept", seed.verdict, {})
    before = workspace.journal.count("attempts")
    change(workspace, new, old)
    path = workspace.work_tree / "matvec.cpp"
    path.write_text(path.read_text() + IDLE)
    with pytest.raises(Unfit) as caught:
        asyncio.run(commit(workspace, "A function more"))
    assert str(caught.value).startswith(f"nothing can be compared with {version.name}, the best version: {told}: ")
    assert str(caught.value).endswith("begin a run from an earlier one by --seed-from RUN@vN")
    assert workspace.journal.comparisons() == []
    assert workspace.lineage.best().name == version.name
    assert workspace.journal.count("attempts") == before + 1  # that of the candidate, which is right


def test_an_intervention_is_credited_with_the_version(workspace: Workspace) -> None:
    workspace.journal.add_intervention(1, "stalled", {}, "v0")
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    asyncio.run(commit(workspace, "Sixteen sums"))
    assert workspace.journal.interventions()[0].effect == "v1"


def test_a_direction_with_a_control_character_can_be_committed(workspace: Workspace) -> None:
    # Surfaced as "ValueError: embedded null byte" when this was written.
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    asyncio.run(commit(workspace, "Sixteen\0 sums"))
    assert workspace.lineage.best().name == "v1"
