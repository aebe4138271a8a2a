"""The knowledge base as an agent has it: answers are short, mistakes are told, and what was shown is journalled."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.index.store import Store
from avo.memory.journal.journal import Journal
from avo.tools.all_tools import registry
from avo.tools.knowledge import LONGEST_ANSWER
from avo.tools.workspace import Workspace
from avo.types import Verdict

ROOM = 6000


@pytest.fixture
def base(knowledge_base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The knowledge base in use."""
    monkeypatch.setenv("AVO_KB", str(knowledge_base))
    return knowledge_base


def call(workspace: Workspace, name: str, **arguments: Any) -> tuple[str, bool]:
    answer = asyncio.run(registry(workspace).call(name, arguments))
    return answer.text, answer.worked


def test_a_search_shows_ids_titles_and_lines(workspace: Workspace, base: Path) -> None:
    answer, fine = call(workspace, "kb_search", queries=["wait for a copy", "mbarrier.try_wait"], arch="all")
    assert fine
    assert answer.startswith("kernels:hopper/barrier.py#L1-4\nwait_for_copy(mbar_ptr, phase):")
    assert "spins until the bulk copy has landed" in answer
    assert len(answer) <= ROOM


def test_a_knowledge_base_that_was_built_anew_is_opened_and_the_old_one_closed(
    workspace: Workspace, knowledge_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "kb"
    monkeypatch.setenv("AVO_KB", str(own))
    held = []
    for name in ("store-1", "store-2", "store-3", "store-4"):
        shutil.copytree((knowledge_base / "current").resolve(), own / name)
        (own / "new").symlink_to(name)
        (own / "new").replace(own / "current")
        assert "wait_for_copy" in call(workspace, "kb_search", queries=["wait for a copy"], arch="all")[0]
        files = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]  # noqa: PTH208
        held.append({Path(file).relative_to(own).parts[0] for file in files if file.startswith(str(own))})
    assert held == [{"store-1"}, {"store-2"}, {"store-3"}, {"store-4"}]


def test_the_architecture_is_the_runs_target_unless_it_is_said(workspace: Workspace, base: Path) -> None:
    question = ["tensor_memory_product tcgen05.mma"]
    workspace.target = "sm_90a"
    assert "blackwell" not in call(workspace, "kb_search", queries=question)[0]
    assert "blackwell" in call(workspace, "kb_search", queries=question, arch="sm_100a")[0]
    assert "blackwell" in call(workspace, "kb_search", queries=question, arch="all")[0]
    workspace.target = "sm_100a"
    assert "blackwell" in call(workspace, "kb_search", queries=question)[0]


def test_an_id_is_read_on_and_a_file_has_a_table_of_contents(workspace: Workspace, base: Path) -> None:
    answer, _ = call(workspace, "kb_read", id_or_path="kernels:hopper/barrier.py#L1-4")
    assert "licence Apache-2.0" in answer
    assert "2      # spins until" in answer
    assert "next: kernels:hopper/barrier.py#L5-7" in answer
    assert call(workspace, "kb_read", id_or_path="kernels:hopper/barrier.py", lines="contents") == (
        "1-4 wait_for_copy\n5-7 announce_bytes",
        True,
    )


def test_a_long_answer_is_cut_at_a_line_and_says_where_to_go_on(workspace: Workspace, base: Path) -> None:
    answer, _ = call(workspace, "kb_read", id_or_path="lessons:long.md")
    assert len(answer) <= LONGEST_ANSWER
    assert "go on: lines " in answer


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("kb_search", {"queries": []}, "give 1 to 6 queries"),
        ("kb_search", {"queries": ["a"] * 7}, "give 1 to 6 queries"),
        ("kb_search", {"queries": ["x"], "source": "nowhere"}, "no source 'nowhere'; there are: kernels"),
        ("kb_read", {"id_or_path": "../../etc/passwd"}, "no document"),
        ("kb_read", {"id_or_path": "hopper/barrier.py", "lines": "a-b"}, "give A-B"),
        ("kb_read", {"id_or_path": "nothing.py", "lines": "contents"}, "no document"),
    ],
)
def test_what_cannot_be_answered_is_said(
    workspace: Workspace, base: Path, name: str, arguments: dict[str, Any], problem: str
) -> None:
    answer, fine = call(workspace, name, **arguments)
    assert (fine, problem in answer) == (False, True), answer


def test_nothing_found_names_the_filter_to_drop(workspace: Workspace, base: Path) -> None:
    workspace.target = "sm_90a"
    answer, _ = call(workspace, "kb_search", queries=["zyzzyva"], source="kernels")
    assert answer.startswith("nothing found")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("kb_search", {"queries": ["x"]}), ("kb_read", {"id_or_path": "x"})],
)
def test_without_a_base_every_tool_says_so_in_one_line(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any]
) -> None:
    monkeypatch.setenv("AVO_KB", str(tmp_path / "none"))
    answer, fine = call(workspace, name, **arguments)
    assert (answer, fine) == (
        f"{name}: there is no knowledge base on this machine (avo kb build makes it): go on without it",
        False,
    )


def test_a_base_that_is_built_anew_meanwhile_is_used_at_once(
    workspace: Workspace, knowledge_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: Any
) -> None:
    monkeypatch.setenv("AVO_KB", str(tmp_path))
    shutil.copytree(knowledge_base / "store-1", tmp_path / "store-1")
    (tmp_path / "current").symlink_to("store-1")
    assert "barrier.py" in call(workspace, "kb_search", queries=["wait_for_copy"], arch="all")[0]
    with Store.create(tmp_path / "store-2") as made:
        made.put(*cut("fresh:new.py", "def wait_for_copy(x):\n    # another one\n"))
        made.finish()
    (tmp_path / "next").symlink_to("store-2")
    (tmp_path / "next").rename(tmp_path / "current")
    shutil.rmtree(tmp_path / "store-1")
    assert "fresh:new.py" in call(workspace, "kb_search", queries=["wait_for_copy"], arch="all")[0]


def test_what_was_consulted_leads_to_the_next_attempt_of_its_step(
    workspace: Workspace, base: Path, seed: dict[str, bytes]
) -> None:
    call(workspace, "kb_search", queries=["mbarrier.try_wait"], arch="all")
    call(workspace, "kb_read", id_or_path="kernels:hopper/barrier.py#L1-4")
    shown = workspace.journal.consulted_before(workspace.step, "9999")
    assert shown[0]["chunk"] == "kernels:hopper/barrier.py#L1-4"
    assert (shown[0]["query"], shown[-1]["query"], shown[0]["attempt"]) == ("mbarrier.try_wait", "", None)
    changed = {name: content + b"\n" for name, content in seed.items()}
    attempt, _ = asyncio.run(workspace.evaluate(changed, "a line more"))
    assert {row["attempt"] for row in workspace.journal.consulted_for(attempt.tree)} == {attempt.id}
    assert len(workspace.journal.consulted_for(attempt.tree)) == len(shown)


def test_what_is_consulted_later_or_in_another_step_did_not_lead_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "avo.db", create=True)

    def attempted(step: int, tree: str) -> int:
        attempt = journal.add_attempt(step, tree, "v0", "", {}, Verdict("TIMEOUT", "", ""), "", 0.0)  # type: ignore[arg-type]
        journal.link_consulted(step, attempt.id)
        return attempt.id

    journal.add_consulted(1, ["a"], "first")
    journal.add_consulted(2, ["b"], "elsewhere")
    one = attempted(1, "one")
    journal.add_consulted(1, ["c"], "second")
    attempted(1, "two")
    journal.add_consulted(1, ["d"], "third")
    assert [(row["chunk"], row["attempt"]) for row in journal.consulted_for("one")] == [("a", one)]
    assert [row["chunk"] for row in journal.consulted_for("two")] == ["a", "c"]
    assert journal.consulted_for("none") == []
    journal.close()
