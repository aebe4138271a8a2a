"""Build, evaluate, sweep: each tree is scored once, and answers say what a model may know."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Any

import pytest

from avo.scenarios.loader import Scenario
from avo.tools.all_tools import registry
from avo.tools.build.builder import Build
from avo.tools.build.sources import Sources, digest
from avo.tools.score.executor import LocalExecutor
from avo.tools.workspace import Workspace
from avo.types import Missing, Status, Verdict


def ask(workspace: Workspace, name: str, **arguments: Any) -> str:
    return asyncio.run(registry(workspace).call(name, arguments)).text


def change(workspace: Workspace, old: str, new: str) -> None:
    """Replace a text of the work tree's matvec.cpp, which must be there."""
    path = workspace.work_tree / "matvec.cpp"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_an_evaluation_is_a_row_with_verdict_diff_and_knobs(workspace: Workspace) -> None:
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    shown = ask(workspace, "evaluate", direction="sixteen sums")
    assert shown.startswith("attempt 2: PASSED ")
    assert "of v0, the latest version" in shown
    assert "of torch_mv" in shown
    attempt = workspace.journal.attempts()[-1]
    assert (attempt.parent, attempt.direction, attempt.step) == ("v0", "sixteen sums", 1)
    assert attempt.knobs == {"SUMS": "16", "BACKWARDS": "0"}
    assert "-constexpr int SUMS = 1;" in attempt.diff
    assert "+constexpr int SUMS = 16;" in attempt.diff
    assert attempt.tree == digest(workspace.sources())
    assert attempt.verdict.score > workspace.lineage.best().score


def test_the_same_tree_is_scored_once_and_its_return_counted(workspace: Workspace) -> None:
    change(workspace, "// y = A x", "// y  =  A x")
    first = ask(workspace, "evaluate", direction="a comment")
    again = ask(workspace, "evaluate", direction="the same, under another name")
    assert again == f"(these sources were scored before, as attempt 2: a comment)\n{first}"
    assert workspace.journal.count("attempts") == 2
    assert workspace.journal.count("revisits") == 1
    assert sum(row["entries"] for row in workspace.journal.spent() if row["kind"] == "evaluation") == 2


def test_a_compile_error_is_told_by_its_first_error(workspace: Workspace) -> None:
    change(workspace, "float y = 0;", "flaot y = 0;")
    shown = ask(workspace, "evaluate", direction="a slip")
    first = shown.partition("\n")[0]
    assert first.startswith("attempt 2: COMPILE_ERROR: ")
    assert "flaot" in first
    assert "score 0" in shown
    assert workspace.journal.attempts()[-1].verdict.score == 0
    assert "flaot" in ask(workspace, "build")


def test_a_build_scores_nothing(workspace: Workspace) -> None:
    shown = ask(workspace, "build")
    assert shown.startswith("compiled in ")
    assert "no diagnostics" in shown
    assert workspace.journal.count("attempts") == 1


def test_warnings_are_part_of_the_answer(workspace: Workspace) -> None:
    change(workspace, "float y = 0;", '#warning "look here"\n        float y = 0;')
    assert "look here" in ask(workspace, "evaluate", direction="a warning")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (Status.INCORRECT_NUMERICAL, "a->y[i] = 3;"),
        (Status.INCORRECT_NUMERICAL, "a->y[i] = 0.f / 0.f;"),
        (Status.NOT_WRITTEN, "if (i) a->y[i] = y; else *(unsigned*)a->y = 0x7FD5AAAA;"),
        (Status.OUT_OF_BOUNDS, "a->y[a->R] = 3;"),
        (Status.INPUT_MODIFIED, "const_cast<float*>(a->x)[0] = 3;"),
        (Status.NON_DETERMINISTIC, "static int calls; a->y[i] = y * (1 + 1e-6f * (calls++ / 16 % 2));"),
        (Status.RUNTIME_ERROR, "__builtin_trap();"),
        (Status.RUNTIME_ERROR, "return 5;"),
        (Status.UNSUPPORTED, "return 1;"),
    ],
)
def test_no_answer_names_a_hidden_test(workspace: Workspace, status: Status, line: str) -> None:
    change(workspace, "a->y[i] = y;", f"a->y[i] = y;\n        if (a->C == 300) {{ {line} }}")
    shown = ask(workspace, "evaluate", direction="wrong in a hidden test only")
    assert f"{status}: " in shown
    assert "(case a hidden test)" in shown
    for tool, arguments in (("attempts", {"number": 2}), ("attempts", {}), ("commit", {"message": "x"})):
        shown += ask(workspace, tool, **arguments)
    assert "large" not in shown


def test_a_visible_test_is_named(workspace: Workspace) -> None:
    change(workspace, "a->y[i] = y;", "a->y[i] = a->C == 77 ? 3 : y;")
    assert "(case odd)" in ask(workspace, "evaluate", direction="wrong")


def test_a_quick_look_is_no_attempt_and_can_be_taken_again(workspace: Workspace) -> None:
    change(workspace, "SUMS = 1;", "SUMS = 16;")
    for _ in range(2):
        shown = ask(workspace, "evaluate", direction="sixteen sums", quick=True)
        assert re.fullmatch(
            r"quick look: [\d.]+ GFLOP/s in case wide, x[\d.]+ of v0, x[\d.]+ of torch_mv; two tests passed; "
            "no score, and no attempt", shown
        )  # fmt: skip
    assert workspace.journal.count("attempts") == 1
    assert [row["entries"] for row in workspace.journal.spent() if row["kind"] == "look"] == [2]
    scored = ask(workspace, "evaluate", direction="sixteen sums")
    assert ask(workspace, "evaluate", direction="again", quick=True).endswith(scored), "it has a score by now"


def test_a_quick_look_begins_with_the_tests_that_refused_most_often(workspace: Workspace) -> None:
    small = workspace.scenario.tests[0]
    more = tuple(small.model_copy(update={"id": f"more {number}"}) for number in range(3))
    longer = workspace.scenario.model_copy(update={"tests": (*more, *workspace.scenario.tests)})
    workspace.executor = LocalExecutor(longer, "cpu")
    change(workspace, "a->y[i] = y;", "a->y[i] = a->C == 300 ? 3 : y;")
    assert ask(workspace, "evaluate", direction="wrong", quick=True).startswith("quick look: "), "more 0 and more 1"
    assert "INCORRECT_NUMERICAL" in ask(workspace, "evaluate", direction="wrong in the hidden test")
    assert workspace.journal.refusing() == [workspace.scenario.tests[1].alias]
    change(workspace, "? 3 : y;", "? 4 : y;")
    shown = ask(workspace, "evaluate", direction="wrong", quick=True)
    assert shown.startswith("quick look: INCORRECT_NUMERICAL: an output is wrong (case a hidden test); no score")


def test_a_sweep_scores_every_combination_and_leaves_the_work_tree(workspace: Workspace) -> None:
    before = workspace.sources()
    shown = ask(workspace, "sweep", knobs={"SUMS": [1, "16"], "BACKWARDS": [0, 1]}, direction="all of them")
    head, *lines = shown.splitlines()
    assert head.startswith("best of 4: x")
    assert len(lines) == 4
    assert workspace.sources() == before
    assert workspace.journal.count("attempts") == 4  # the seed is one of them and was scored already
    values = [float(line.split()[2]) for line in lines]
    assert values == sorted(values, reverse=True)
    assert "SUMS=16" in lines[0]


@pytest.mark.parametrize(
    ("knobs", "answer"),
    [
        ({"SUM": [1]}, "no knob 'SUM'; there are: SUMS, BACKWARDS"),
        ({"SUMS": [3]}, "knob SUMS takes 1, 4, 16, not 3"),
        ({}, "between 1 and 32 are possible"),
        ({"SUMS": []}, "that makes 0 candidates"),
        ({"SUMS": [1] * 7, "BACKWARDS": [0] * 5}, "that makes 35 candidates"),
        ({f"K{n}": [1] * 40 for n in range(6)}, "that makes 1,000,000 candidates or more"),
        ({f"K{n}": [1] * 40 for n in range(4000)}, "that makes 1,000,000 candidates or more"),
        ({"SUMS": [1] * 100_000}, "that makes 100,000 candidates"),
        ({"SUMS": ["1" * 1_000_000]}, "knob SUMS takes 1, 4, 16, not 111"),
        ({"S" * 1_000_000: [1]}, "no knob 'SSS"),
        ({"SUMS": 1}, "should be a valid list"),
        ({"SUMS": [1 << 100]}, "knob SUMS takes 1, 4, 16, not 1267"),
        ({"SUMS": [None] * 1000}, "and 1992 more"),
    ],
)
def test_a_sweep_that_cannot_be_done_does_nothing(workspace: Workspace, knobs: dict[str, Any], answer: str) -> None:
    shown = ask(workspace, "sweep", knobs=knobs, direction="x")
    assert answer in shown
    assert len(shown) < 11_000
    assert workspace.journal.count("attempts") == 1


def test_a_sweep_tells_of_those_that_fail(workspace: Workspace) -> None:
    change(workspace, "float y = 0;", "static_assert(SUMS != 4);\n        float y = 0;")
    shown = ask(workspace, "sweep", knobs={"SUMS": [4]}, direction="x")
    assert shown.startswith("best of 1: x0.000 of v0")
    assert "COMPILE_ERROR" in shown


class Compiling(LocalExecutor):
    """As on a GPU, compilers run beside what is measured; remembers how much was compiled by then."""

    overlaps = True

    def __init__(self, scenario: Scenario, target: str) -> None:
        super().__init__(scenario, target)
        self.open = threading.Event()
        self.compiled: list[str] = []
        self.waiting: list[int] = []

    def _built(self, tree: str, files: Sources) -> Build:
        if b"SUMS = 4;" not in files["matvec.cpp"]:
            self.open.wait(60)  # the others take longer to compile
        self.compiled.append(tree)
        return super()._built(tree, files)

    def evaluate(self, files: Sources) -> Verdict:
        verdict = super().evaluate(files)
        self.waiting.append(len(self.compiled))
        self.open.set()
        return verdict


def test_where_compilers_do_not_disturb_the_first_is_measured_while_the_others_compile(
    workspace: Workspace, tiny: Scenario
) -> None:
    workspace.executor = executor = Compiling(tiny, "cpu")
    shown = ask(workspace, "sweep", knobs={"SUMS": [4, 16]}, direction="x")
    assert "PASSED" in shown
    assert executor.waiting == [1, 2], "one was measured before the other was compiled"
    assert len(executor.compiled) == 2, "and none was compiled twice"


def test_a_rejection_of_a_compiler_that_ran_ahead_is_the_candidates(workspace: Workspace, tiny: Scenario) -> None:
    workspace.executor = executor = Compiling(tiny, "cpu")
    executor.open.set()
    change(workspace, "float y = 0;", "static_assert(SUMS != 4);\n        float y = 0;")
    shown = ask(workspace, "sweep", knobs={"SUMS": [4, 16]}, direction="x")
    assert "COMPILE_ERROR" in shown
    assert "PASSED" in shown


class TwoDevices(LocalExecutor):
    """Two devices, the second of which is gone."""

    @property
    def devices(self) -> int:
        return 2

    def evaluate(self, files: Sources) -> Verdict:
        if b"SUMS = 16;" in files["matvec.cpp"]:
            raise Missing("GPU 1 has not answered")
        return super().evaluate(files)


def test_what_one_device_said_is_kept_when_another_fails(workspace: Workspace, tiny: Scenario) -> None:
    workspace.executor, seed = TwoDevices(tiny, "cpu"), workspace.sources()
    trees = [seed | {"matvec.cpp": seed["matvec.cpp"].replace(b"SUMS = 1;", b"SUMS = %d;" % n)} for n in (16, 8)]
    with pytest.raises(Missing, match="GPU 1 has not answered"):
        asyncio.run(workspace.evaluate_all(trees, "more sums"))
    assert [workspace.journal.attempt_of(digest(tree)) is not None for tree in trees] == [False, True]


def test_what_refused_most_often_comes_first_and_a_hidden_test_goes_by_a_name_that_tells_nothing(
    workspace: Workspace,
) -> None:
    change(workspace, "a->y[i] = y;", "a->y[i] = a->C == 77 ? 3 : y;")
    ask(workspace, "evaluate", direction="wrong in the visible test")
    change(workspace, "a->C == 77 ? 3", "a->C == 300 ? 4")
    ask(workspace, "evaluate", direction="wrong in the hidden test")
    change(workspace, "? 4 : y;", "? 5 : y;")
    ask(workspace, "evaluate", direction="wrong in it again")
    hidden, visible = workspace.journal.refusing()
    assert re.fullmatch("hidden [0-9a-f]{8}", hidden)
    assert visible == "odd"
