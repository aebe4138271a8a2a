"""Sources: what of a folder is a candidate, and the digest that tells candidates apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from avo.tools.build.sources import LARGEST_BYTES, MOST_FILES, digest, read_sources, write_sources
from avo.types import ToolError


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    files = {"a.cpp": b"\xff\r\n", "parts/deep/b.h": b"", "z.md": b"notes"}
    write_sources(files, tmp_path)
    assert read_sources(tmp_path) == files


def test_generated_hidden_and_other_files_are_no_part_of_a_candidate(tmp_path: Path) -> None:
    others = ["avo_abi.h", "score.json", ".git/x.cpp", ".vscode/y.h", "a.o", "Makefile", "run.sh", "x.py"]
    write_sources({"a.cpp": b"a"} | dict.fromkeys(others, b"x"), tmp_path)
    assert read_sources(tmp_path) == {"a.cpp": b"a"}


def test_a_folder_without_sources_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    with pytest.raises(ToolError, match="no source files"):
        read_sources(tmp_path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.cpp").write_text("a")
    (tmp_path / "b.h").symlink_to("/etc/passwd")
    with pytest.raises(ToolError, match=r"b\.h is a link"):
        read_sources(tmp_path)


def test_a_linked_folder_is_not_looked_into(tmp_path: Path) -> None:
    write_sources({"outside/x.cpp": b"x", "tree/a.cpp": b"a"}, tmp_path)
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "outside")
    assert read_sources(tmp_path / "tree") == {"a.cpp": b"a"}


def test_too_much_is_refused(tmp_path: Path) -> None:
    write_sources({"a.cpp": b"x" * LARGEST_BYTES}, tmp_path)
    assert len(read_sources(tmp_path)["a.cpp"]) == LARGEST_BYTES
    write_sources({"b.cpp": b"x" * (LARGEST_BYTES + 1)}, tmp_path)
    with pytest.raises(ToolError, match=r"b\.cpp is larger than"):
        read_sources(tmp_path)
    (tmp_path / "b.cpp").unlink()
    write_sources({f"{i}.h": b"" for i in range(MOST_FILES)}, tmp_path)
    with pytest.raises(ToolError, match="more than 64 source files"):
        read_sources(tmp_path)


def test_the_digest_follows_names_and_contents_but_not_their_order() -> None:
    files = {"a.cpp": b"xy", "b.h": b"z"}
    assert digest(files) == digest(dict(reversed(files.items())))
    assert len(digest(files)) == 16
    others = [
        {"a.cpp": b"xy"},
        {"a.cpp": b"x", "b.h": b"yz"},
        {"b.h": b"xy", "a.cpp": b"z"},
        {"a.cpp": b"xyb.h\x001\x00z"},
    ]
    assert len({digest(files), *map(digest, others)}) == 5
