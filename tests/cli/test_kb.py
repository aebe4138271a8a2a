"""`avo kb` as a user types it: lines for people, JSON for programs, one line for every mistake."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avo.cli import main
from avo.run import open_run
from avo.scenarios.loader import Scenario
from avo.tools.all_tools import registry
from avo.tools.score.executor import LocalExecutor

Kb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def avo(knowledge_base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kb:
    """Runs `avo …` in this process: exit code, standard output, standard error."""
    monkeypatch.setenv("AVO_KB", str(knowledge_base))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["avo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


def test_a_search_prints_hits_and_how_to_read_on(avo: Kb) -> None:
    code, out, _ = avo("kb", "search", "wait until a copy has landed", "mbarrier.try_wait")
    assert code == 0
    assert out.startswith("1. kernels:hopper/barrier.py#L1-4  [2.5, sm_90]")
    assert "read on: avo kb read 'kernels:hopper/barrier.py#L1-4'" in out


def test_a_search_is_json_for_programs(avo: Kb) -> None:
    found = json.loads(avo("kb", "search", "wgmma.mma_async", "-k", 2, "--json")[1])
    hit = found["hits"][0]
    assert {"id", "source", "version", "path", "lines", "symbol", "arch", "url", "snippet"} <= set(hit)
    assert (hit["path"], hit["lines"], hit["arch"]) == ("hopper/product.py", [1, 4], ["sm_90"])
    assert len(found["hits"]) == 2


def test_bare_words_are_one_question(avo: Kb) -> None:
    bare, quoted = (json.loads(avo("kb", "search", *words, "--json")[1])["hits"] for words in (
        ("bulk", "copy", "landed"), ("bulk copy landed",),
    ))  # fmt: skip
    assert bare == quoted


def test_filters_limit_and_without_a_hit_say_what_to_drop(avo: Kb) -> None:
    assert "blackwell" not in avo("kb", "search", "product", "--arch", "sm_90a")[1]
    code, out, _ = avo("kb", "search", "wgmma", "--source", "kernels", "--kind", "note")
    assert (code, out) == (0, "nothing found; drop a filter: source kernels, kind note\n")
    assert json.loads(avo("kb", "search", "wgmma", "--kind", "note", "--source", "kernels", "--json")[1])["hits"] == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("search", "x", "--source", "none"), "no source 'none'; there are: kernels, lessons, reference"),
        (("search", "x", "--kind", "none"), "no kind 'none'"),
        (("read", "../../../etc/passwd"), "no document '../../../etc/passwd'"),
        (("read", "product.py"), "is in several places"),
        (("read", "hopper/barrier.py", "--lines", "x"), "give A-B"),
        (("symbols", "none.py"), "no document"),
        (("eval", "none.json"), "No such file"),
    ],
)
def test_a_mistake_is_one_line(avo: Kb, arguments: tuple[str, ...], problem: str) -> None:
    code, out, err = avo("kb", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err


@pytest.mark.parametrize("arguments", [("search", "x"), ("read", "x"), ("symbols", "x")])
def test_no_base_is_exit_code_3_and_how_to_get_one(
    avo: Kb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("AVO_KB", str(tmp_path))
    assert avo("kb", *arguments) == (3, "", "avo: no knowledge base yet: avo kb build\n")


def test_a_passage_is_read_with_numbers_version_and_licence(avo: Kb) -> None:
    _, out, _ = avo("kb", "read", "kernels:hopper/barrier.py", "--lines", "5-6")
    assert out.splitlines()[:3] == [
        "kernels:hopper/barrier.py lines 5-6 of 7",
        "kernels 2.5, licence Apache-2.0",
        "5  def announce_bytes(mbar_ptr, count):",
    ]
    assert json.loads(avo("kb", "read", "long.md", "--lines", "2", "--json")[1])["lines"] == ["row 1 of the table"]


def test_the_table_of_contents_of_a_file(avo: Kb) -> None:
    _, out, _ = avo("kb", "symbols", "kernels:hopper/barrier.py")
    assert out.splitlines()[0].split() == ["1-4", "wait_for_copy"]


def test_an_evaluation_is_a_table_or_json(avo: Kb, tmp_path: Path) -> None:
    entry = {"id": "q", "kind": "words", "query": "announce_bytes", "expect": [{"path": "barrier.py", "match": "ann"}]}
    (tmp_path / "q.json").write_text(json.dumps({"queries": [entry]}))
    assert avo("kb", "eval", tmp_path / "q.json")[1].splitlines()[1].split() == ["all", "1", "1.00", "1.00", "1.000"]
    figures: dict[str, Any] = json.loads(avo("kb", "eval", tmp_path / "q.json", "--json")[1])
    assert (figures["hit@1"], figures["by_kind"]["words"]["mrr"]) == (1.0, 1.0)


def test_reading_and_help_do_without_chroma(knowledge_base: Path) -> None:
    probe = "import sys; from avo.cli import main\ntry: main()\nexcept SystemExit: pass\nprint('LOADED', *sys.modules)"
    for arguments in (("read", "hopper/barrier.py"), ("symbols", "hopper/barrier.py"), ("search", "--help")):
        done = subprocess.run(
            [sys.executable, "-c", probe, "kb", *arguments], capture_output=True, text=True, check=True,
            env=os.environ | {"AVO_KB": str(knowledge_base), "PATH": "/usr/bin"},
        )  # fmt: skip
        names = set(done.stdout.rpartition("LOADED ")[2].split())
        assert "avo.cli.kb" in names
        assert not names & {"chromadb", "numpy", "sklearn", "torch"}


def test_a_run_shows_what_was_consulted_on_the_way_to_a_version(
    avo: Kb, tmp_path: Path, planted_run: Path, tiny: Scenario, executor: LocalExecutor
) -> None:
    folder = shutil.copytree(planted_run, tmp_path / "run")
    with open_run(folder, tiny, "cpu", "tuner") as workspace:
        workspace.executor = executor
        workspace.step, _ = workspace.journal.open_step("v0")
        tools = registry(workspace)
        asyncio.run(tools.call("kb_search", {"queries": ["mbarrier.try_wait"], "arch": "all"}))
        files = {name: content + b"\n" for name, content in workspace.sources().items()}
        attempt, _ = asyncio.run(workspace.evaluate(files, "a line more"))
        assert attempt.verdict.passed
        workspace.lineage.commit(files, workspace.added(), attempt.tree, attempt.verdict, "A line more", trailers={})
        number = workspace.journal.add_message(workspace.step, "worker", "result", "committed", "", "commit")
    passage = "kernels:hopper/barrier.py#L1-4  (mbarrier.try_wait)"
    assert passage in avo("lineage", "show", "v1", "--run", folder)[1]
    assert passage not in avo("lineage", "show", "v0", "--run", folder)[1]
    assert passage in avo("memory", "show", number, "--run", folder)[1]
    told = json.loads(avo("lineage", "show", "v1", "--run", folder, "--json")[1])
    assert told["consulted"][0] == {"chunk": "kernels:hopper/barrier.py#L1-4", "query": "mbarrier.try_wait"}
