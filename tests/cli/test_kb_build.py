"""avo kb build, update and sources, as a user runs them: what is printed, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list with a folder of two notes, and a folder that is not there."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# Barriers\n\nA warp that waits for an mbarrier spins on its parity.\n")
    (notes / "b.md").write_text("# Registers\n\nsetmaxnreg gives registers back to the other warps.\n")
    list_ = tmp_path / "own.toml"
    list_.write_text(
        f'[[source]]\nname = "mine"\ntype = "dir"\npath = "{notes}"\nlicence = "MIT"\n'
        '[[source]]\nname = "gone"\ntype = "dir"\npath = "nowhere"\n'
        '[[source]]\nname = "spare"\ntype = "dir"\npath = "nowhere"\noptional = true\n'
    )
    monkeypatch.setenv("AVO_KB", str(tmp_path / "kb"))
    monkeypatch.setenv("AVO_KB_SOURCES", str(list_))
    return list_


def entry(shown: dict[str, Any], name: str) -> dict[str, Any]:
    return next(source for source in shown["sources"] if source["name"] == name)


def test_a_build_says_of_every_source_what_became_of_it(cli: Any, own: Path) -> None:
    done = cli("kb", "build", "--source", "mine", "--source", "spare")
    assert (done.returncode, done.stderr) == (0, "")
    mine, spare, total = done.stdout.splitlines()
    assert mine.split() == ["mine", "local", "2", "documents", "2", "chunks", "2", "new,", "0", "gone"]
    assert spare.startswith("spare            missing: no folder ")
    assert total.startswith("2 chunks in 2 sources, built in ")
    again = cli("kb", "update", "--source", "mine", "--offline")
    assert "nothing has changed" in again.stdout


def test_a_build_without_a_needed_source_ends_with_3_and_an_index(cli: Any, own: Path) -> None:
    done = cli("kb", "build", "--source", "mine", "--source", "gone")
    assert done.returncode == 3
    assert done.stderr.startswith("avo: ")
    assert "built without gone" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "setmaxnreg" in cli("kb", "search", "registers").stdout


def test_json_says_the_same(cli: Any, own: Path) -> None:
    shown = json.loads(cli("kb", "build", "--source", "mine", "--json").stdout)
    assert (shown["changed"], shown["chunks"], shown["lacking"]) == (True, 2, [])
    assert entry(shown, "mine")["put"] == 2


def test_the_sources_are_shown_with_what_the_index_holds_of_them(cli: Any, own: Path) -> None:
    before = json.loads(cli("kb", "sources", "--json").stdout)
    assert entry(before, "mine")["chunks"] == 0
    assert entry(before, "fa4")["licence"] == "BSD-3-Clause"
    cli("kb", "build", "--source", "mine", "--source", "gone")
    after = json.loads(cli("kb", "sources", "--json").stdout)
    assert (entry(after, "mine")["chunks"], entry(after, "mine")["version"]) == (2, "local")
    assert "no folder" in entry(after, "gone")["missing"]
    lines = cli("kb", "sources").stdout
    assert "2 chunks of local" in lines
    assert "not built" in lines


def test_offline_without_a_cache_the_shipped_notes_are_the_index(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVO_KB", str(tmp_path / "kb"))
    done = cli("kb", "build", AVO_OFFLINE="1")
    assert done.returncode == 3
    assert "fa4              missing: flash-attn-4==4.0.0b36 is not in the cache, and nothing is fetched" in done.stdout
    assert "built without fa4, cutlass-dsl, nvvm-ops, cuda-ptx;" in done.stderr
    assert cli("kb", "search", "barrier").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("build", "--source", "mien"), "no source 'mien'; there are: fa4,"),
        (("build", "--with", "none"), "no source 'none'"),
        (("build", "--list", "none.toml"), "none.toml: No such file"),
        (("build", "--source", "gone"), "nothing to build from: gone: no folder"),
        (("build", "--source", "mine", "--embedder", "magic"), "no embedder 'magic'"),
    ],
)
def test_a_mistake_is_one_line(cli: Any, own: Path, arguments: tuple[str, ...], complaint: str) -> None:
    done = cli("kb", *arguments)
    assert done.returncode in (2, 3)
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_mistake_in_the_list_names_file_and_key(cli: Any, own: Path) -> None:
    own.write_text(own.read_text() + 'licens = "MIT"\n')
    done = cli("kb", "sources")
    assert done.returncode == 2
    assert f"{own}: source 'spare': unknown key 'licens'; did you mean 'licence'?" in done.stderr
