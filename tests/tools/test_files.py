"""Files of the work tree: whole or unchanged, and nothing outside of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from avo.sandbox.confine import AT_FDCWD, libc
from avo.tools import files
from avo.tools.all_tools import registry
from avo.tools.build.sources import LARGEST_BYTES
from avo.tools.workspace import Workspace
from avo.types import ToolError

DELETED = {"content": ""}
"""What write_file takes to delete a file."""
EXCHANGE = 2
"""Of renameat2: both names stay, each with what the other had."""


def refused(workspace: Workspace, name: str, **arguments: Any) -> str:
    """What a model reads when the tool could not do it."""
    answer = asyncio.run(registry(workspace).call(name, arguments))
    assert not answer.worked
    return answer.text


@pytest.mark.parametrize(
    "path", ["../lock", "../../x.cpp", "/etc/passwd", "parts/../../x.cpp", ".git/config", ".git/x.cpp", "a/.git/x.cpp"]
)
@pytest.mark.parametrize("name", ["read_file", "write_file", "edit_file"])
def test_nothing_outside_of_the_work_tree_is_reached(workspace: Workspace, name: str, path: str) -> None:
    more = {"write_file": {"content": "x"}, "edit_file": {"old": "a", "new": "b"}}.get(name, {})
    assert "is not in the work tree" in refused(workspace, name, path=path, **more)


def test_a_link_out_of_the_work_tree_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside.cpp"
    outside.write_text("secret")
    (workspace.work_tree / "x.cpp").symlink_to(outside)
    (workspace.work_tree / "folder").symlink_to(tmp_path)
    assert "x.cpp is a link" in refused(workspace, "read_file", path="x.cpp")
    for name, more in (("read_file", {}), ("write_file", {"content": "x"})):
        assert "a link stands where a folder should" in refused(workspace, name, path="folder/outside.cpp", **more)
    asyncio.run(files.write_file(workspace, "x.cpp", "own"))  # takes the name's place: what it led to stays as it was
    assert outside.read_text() == "secret"
    assert asyncio.run(files.read_file(workspace, "x.cpp")).text == "own"


@pytest.mark.parametrize("name", ["read_file", "write_file", "edit_file"])
def test_links_are_refused_wherever_they_lead(workspace: Workspace, tmp_path: Path, name: str) -> None:
    tree = workspace.work_tree
    (tree / "dangling.h").symlink_to(tmp_path / "not there")
    (tree / "inside.h").symlink_to(tree / "matvec.cpp")
    (tree / "git").symlink_to(".git")
    (tree / "up").symlink_to("..")
    (tree / "proc").symlink_to("/proc/self")
    (tree / "loop.h").symlink_to("loop.h")
    more = {"write_file": {"content": "x"}, "edit_file": {"old": "a", "new": "b"}}.get(name, {})
    for path in ("git/x.h", "up/run.h", "proc/x.h", "up/lineage/matvec.cpp"):
        assert "a link stands where a folder should" in refused(workspace, name, path=path, **more)
    for path in ("dangling.h", "inside.h", "loop.h") if name != "write_file" else ():
        assert f"{path} is a link" in refused(workspace, name, path=path, **more)
    assert not (tmp_path / "not there").exists()
    assert not (tree / ".git" / "x.h").exists()


@pytest.mark.parametrize("path", [".GIT/config", ".Git/x.h", ".git./x.h", ".git /x.h", "git~1/x.h", ".git::$DATA/x.h"])
def test_git_is_refused_in_every_spelling(workspace: Workspace, path: str) -> None:
    for name, more in (("read_file", {}), ("write_file", {"content": "x"})):
        assert "is not in the work tree" in refused(workspace, name, path=path, **more)


def test_what_is_no_plain_file_is_refused_at_once(workspace: Workspace, tmp_path: Path) -> None:
    # Reading a FIFO would wait for a writer for ever.
    tree = workspace.work_tree
    (tmp_path / "outside.h").write_text("a-planted-secret")
    os.mkfifo(tree / "fifo.h")
    os.link(tmp_path / "outside.h", tree / "hard.h")
    (tree / "folder.h").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tree / "socket.h"))
        assert "fifo.h is a FIFO, not a plain file" in refused(workspace, "read_file", path="fifo.h")
        assert "hard.h is a hard link, not a plain file" in refused(workspace, "read_file", path="hard.h")
        assert "socket.h" in refused(workspace, "read_file", path="socket.h")
        for name, more in (("read_file", {}), ("write_file", DELETED)):
            assert "no file 'folder.h'" in refused(workspace, name, path="folder.h", **more)
    if os.geteuid() == 0:
        os.mknod(tree / "zero.h", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        assert "zero.h is a device, not a plain file" in refused(workspace, "read_file", path="zero.h")
    shown = asyncio.run(files.read_file(workspace)).text
    assert "fifo.h  FIFO" in shown
    assert "hard.h  hard link" in shown
    asyncio.run(files.write_file(workspace, "hard.h", "own"))  # takes the name's place: what was linked stays as it was
    assert (tmp_path / "outside.h").read_text() == "a-planted-secret"
    assert asyncio.run(files.read_file(workspace, "hard.h")).text == "own"


def test_a_huge_file_and_a_huge_folder_are_one_line(workspace: Workspace) -> None:
    with (workspace.work_tree / "huge.txt").open("wb") as file:
        file.truncate(1 << 40)
    assert "huge.txt is larger than 16777216 bytes" in refused(workspace, "read_file", path="huge.txt")
    (workspace.work_tree / "many").mkdir()
    for number in range(files.MOST_LISTED + 500):
        (workspace.work_tree / "many" / f"{number}.txt").touch()
    shown = asyncio.run(files.read_file(workspace)).text.splitlines()
    assert len(shown) == files.MOST_LISTED + 1
    assert shown[-1].endswith("more files]")


@pytest.mark.slow
def test_a_folder_that_turns_into_a_link_between_check_and_use_is_not_followed(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (workspace.work_tree / "parts").mkdir()
    (workspace.work_tree / "link").symlink_to(tmp_path / "outside")
    over, names = threading.Event(), [os.fsencode(workspace.work_tree / name) for name in ("parts", "link")]

    def swap() -> None:
        while not over.is_set():
            assert libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], EXCHANGE) == 0

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(2000):
            with contextlib.suppress(ToolError):
                asyncio.run(files.write_file(workspace, f"parts/{number}.h", "x"))
    finally:
        over.set()
        thread.join()
    assert list((tmp_path / "outside").iterdir()) == []
    folder = next(Path(os.fsdecode(name)) for name in names if not os.path.islink(name))  # noqa: PTH114
    assert any(folder.iterdir())


@pytest.mark.parametrize("path", ["avo_abi.h", "score.json", "parts/avo_abi.h"])
def test_what_the_harness_writes_stays_as_it_is(workspace: Workspace, path: str) -> None:
    assert "is written by the harness" in refused(workspace, "write_file", path=path, content="x")
    assert "is written by the harness" in refused(workspace, "write_file", path=path, **DELETED)


@pytest.mark.parametrize("path", ["x.py", "Makefile", "x.so", ".cpp", "", "x.CPP"])
def test_only_sources_are_written(workspace: Workspace, path: str) -> None:
    assert "a candidate holds files that end in .cpp" in refused(workspace, "write_file", path=path, content="x")


# Each of these names surfaced as another error, at once or when the tree was committed, when this was written.
@pytest.mark.parametrize(
    "path", ["a\0b.cpp", "matvec.cpp/b.cpp", "x" * 300 + ".cpp", "a\ud800.cpp", "a\nb.h", '"a.h'],
    ids=["NUL", "below a file", "too long", "a surrogate", "a line break", "a quote"],
)  # fmt: skip
def test_a_name_that_cannot_be_kept_is_answered(workspace: Workspace, path: str) -> None:
    refused(workspace, "write_file", path=path, content="x")


def test_text_that_cannot_be_written_is_answered(workspace: Workspace) -> None:
    refused(workspace, "write_file", path="a.h", content="\ud800")  # surfaced as UnicodeEncodeError
    (workspace.work_tree / "a.txt").write_bytes(b"\xff")
    refused(workspace, "edit_file", path="a.txt", old="a", new="b")  # surfaced as UnicodeDecodeError


def test_a_file_is_written_read_edited_and_deleted(workspace: Workspace) -> None:
    assert asyncio.run(files.write_file(workspace, "parts/x.h", "one\ntwo\nthree\n")).text == "wrote parts/x.h: 3 lines"
    assert "parts/x.h  14 bytes" in asyncio.run(files.read_file(workspace)).text
    assert asyncio.run(files.read_file(workspace, "parts/x.h")).text == "one\ntwo\nthree"
    assert asyncio.run(files.read_file(workspace, "parts/x.h", 2, 2)).text == "two"
    assert asyncio.run(files.read_file(workspace, "parts/x.h", 2)).text == "two\nthree"
    asyncio.run(files.edit_file(workspace, "parts/x.h", "two", "2"))
    assert (workspace.work_tree / "parts" / "x.h").read_text() == "one\n2\nthree\n"
    asyncio.run(files.write_file(workspace, "parts/x.h", ""))
    assert "parts" not in asyncio.run(files.read_file(workspace)).text
    assert sorted(path.name for path in workspace.work_tree.rglob(".*.new")) == []


def test_line_endings_stay_as_they_are_where_nothing_is_edited(workspace: Workspace) -> None:
    # An edit turned every \r\n of the file into \n when this was written.
    (workspace.work_tree / "x.h").write_bytes(b"one\r\ntwo\r\n")
    asyncio.run(files.edit_file(workspace, "x.h", "two", "2"))
    assert (workspace.work_tree / "x.h").read_bytes() == b"one\r\n2\r\n"


@pytest.mark.parametrize(("old", "times"), [("not there", 0), ("int64_t", 3), ("", 0)])
def test_an_edit_needs_its_text_exactly_once(workspace: Workspace, old: str, times: int) -> None:
    before = (workspace.work_tree / "matvec.cpp").read_bytes()
    assert f"`old` stands {times} times in matvec.cpp" in refused(
        workspace, "edit_file", path="matvec.cpp", old=old, new="x"
    )
    assert (workspace.work_tree / "matvec.cpp").read_bytes() == before


def test_a_file_too_large_leaves_the_old_one(workspace: Workspace) -> None:
    before = (workspace.work_tree / "matvec.cpp").read_bytes()
    answer = refused(workspace, "write_file", path="matvec.cpp", content="x" * (LARGEST_BYTES + 1))
    assert "would be larger than 1048576 bytes" in answer
    assert (workspace.work_tree / "matvec.cpp").read_bytes() == before


@pytest.mark.parametrize(("name", "more"), [("read_file", {}), ("write_file", DELETED)])
def test_a_file_that_is_not_there_is_told(workspace: Workspace, name: str, more: dict[str, str]) -> None:
    assert "no file 'x.cpp'; read_file without a path lists" in refused(workspace, name, path="x.cpp", **more)


def test_a_long_file_is_shown_by_head_and_tail(workspace: Workspace) -> None:
    asyncio.run(files.write_file(workspace, "long.txt", "head\n" + "x" * 100_000 + "\ntail"))
    shown = asyncio.run(files.read_file(workspace, "long.txt")).text
    assert shown.startswith("head")
    assert shown.endswith("tail")
    assert "characters left out" in shown
    assert len(shown) < files.LONGEST_ANSWER + 100


def test_the_tool_itself_raises_what_the_agent_can_mend(workspace: Workspace) -> None:
    with pytest.raises(ToolError, match="is not in the work tree"):
        asyncio.run(files.read_file(workspace, "/etc/passwd"))
