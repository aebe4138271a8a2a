"""The shell: works on a copy of the work tree, brings sources back, and sees and reaches nothing else."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest

from avo.sandbox.isolation import measures_in_force
from avo.tools.all_tools import registry
from avo.tools.shell import LONGEST_ANSWER, shell
from avo.tools.workspace import Workspace

pytestmark = pytest.mark.skipif(
    "shell" not in measures_in_force(), reason="this system has neither namespaces nor Landlock: the shell is off"
)

OWN = f"7531.{os.getpid()}"
"""What no process of another test run sleeps for."""


def answer(workspace: Workspace, command: str, seconds: int = 20) -> str:
    return asyncio.run(shell(workspace, command, seconds))


def still_runs(argument: str) -> bool:
    """Whether a process with that argument is alive, looked for a while because a kill takes its time."""
    for _ in range(100):
        alive = False
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                alive = alive or argument.encode() in path.read_bytes().split(b"\0")
            except OSError:
                continue
        if not alive:
            return False
        time.sleep(0.05)
    return True


def test_it_answers_with_exit_code_and_both_streams(workspace: Workspace) -> None:
    shown = answer(workspace, "echo out; echo err >&2; exit 3")
    assert shown.startswith("exit code 3, ")
    assert "out\nerr" in shown


def test_compilers_and_binutils_are_there(workspace: Workspace) -> None:
    shown = answer(
        workspace, "c++ -std=c++20 -O2 -shared -fPIC -o x.so matvec.cpp && objdump -d x.so | grep avo_launch"
    )
    assert shown.startswith("exit code 0")
    assert "<avo_launch>:" in shown


def test_edits_new_files_and_deletions_are_taken_over(workspace: Workspace) -> None:
    (workspace.work_tree / "old.h").write_text("x")
    answer(workspace, "sed -i s/SUMS/TOTALS/ matvec.cpp; mkdir -p parts/deep; echo '// new' > parts/deep/n.h; rm old.h")
    assert "TOTALS" in (workspace.work_tree / "matvec.cpp").read_text()
    assert (workspace.work_tree / "parts" / "deep" / "n.h").read_text() == "// new\n"
    assert not (workspace.work_tree / "old.h").exists()


def test_nothing_but_sources_is_taken_over(workspace: Workspace) -> None:
    forge = "echo x > a.out; echo x > run.py; echo forged > score.json; echo forged > avo_abi.h"
    link = "ln -s /etc/passwd x.cpp; ln -s matvec.cpp y.cpp; ln -s /etc z; mkfifo f.cpp"
    answer(workspace, f"{forge}; mkdir .git; echo x > .git/x.h; {link}")
    names = {path.name for path in workspace.work_tree.iterdir()}
    assert names == {".git", "matvec.cpp", "avo_abi.h", "score.json"}
    assert "forged" not in (workspace.work_tree / "score.json").read_text()
    assert "forged" not in (workspace.work_tree / "avo_abi.h").read_text()
    assert not (workspace.work_tree / ".git" / "x.h").exists()


def test_untouched_files_keep_every_byte(workspace: Workspace) -> None:
    # \r\n became \n, and bytes that are no text became U+FFFD, when this was written.
    (workspace.work_tree / "x.h").write_bytes(b"a\r\n\xff\n")
    answer(workspace, "true")
    assert (workspace.work_tree / "x.h").read_bytes() == b"a\r\n\xff\n"


@pytest.mark.parametrize(
    "command",
    [
        "rm matvec.cpp; mkdir matvec.cpp; echo 'int x;' > matvec.cpp/b.cpp",
        "echo 'int x;' > \"$(printf '\\377').cpp\"",
        "for i in 1 2 3 4 5 6 7 8 9 10; do d=$(printf %0200d 1); mkdir $d; cd $d; done; "
        "for i in 1 2 3 4 5 6 7 8 9 10 11; do d=$(printf %0200d 1); mkdir $d; cd $d; done; echo > x.h",
        "echo a\0b",
        "echo a\ud800b",
    ],
    ids=["a folder in place of a file", "a name that is no text", "a path that is too long", "NUL", "a surrogate"],
)
def test_whatever_is_left_behind_the_next_call_is_answered(workspace: Workspace, command: str) -> None:
    # Each of these surfaced as an error when this was written.
    tools = registry(workspace)
    asyncio.run(tools.call("shell", {"command": command}))
    assert asyncio.run(tools.call("read_file", {})).text
    assert asyncio.run(tools.call("build", {})).text


def test_a_command_longer_than_the_system_takes_is_the_agents_to_mend(workspace: Workspace) -> None:
    # It was taken for a fault of the machine's, which ends a run, when this was written.
    for text, works in (
        ("x" * 99_000, True),
        ("\u20ac" * 33_000, True),
        ("x" * 100_000, False),
        ("x" * 3_000_000, False),
    ):
        made = asyncio.run(registry(workspace).call("shell", {"command": f": {text}; echo done"}))
        assert made.worked is works
        assert ("done" if works else "at most 100,000 bytes: put long texts into files") in made.text


def test_a_source_that_grew_too_large_is_not_lost(workspace: Workspace) -> None:
    # It was deleted without a word when this was written.
    before = (workspace.work_tree / "matvec.cpp").read_bytes()
    answer(workspace, "head -c 2000000 /dev/zero >> matvec.cpp")
    assert (workspace.work_tree / "matvec.cpp").read_bytes() == before


def test_there_is_no_network(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = f"perl -MIO::Socket::INET -e 'exit(IO::Socket::INET->new(\"127.0.0.1:{port}\") ? 0 : 9)'"
        assert answer(workspace, command).startswith("exit code 9")
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_variables_of_ours_are_not_there(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVO_SECRET", "a-planted-secret")
    shown = answer(workspace, "env; cat /proc/*/environ | tr '\\0' '\\n'; cat /proc/$PPID/environ")
    assert "PATH=" in shown
    assert "a-planted-secret" not in shown
    assert "AVO_SECRET" not in shown


def test_home_and_other_folders_cannot_be_read(workspace: Workspace, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a-planted-secret")
    shown = answer(workspace, f"ls /root; cat {secret}; ls {workspace.work_tree}; cat /etc/passwd; echo done")
    assert "done" in shown
    assert "a-planted-secret" not in shown
    assert "root:" not in shown
    assert shown.count("ermission denied") + shown.count("No such file or directory") == 4


def test_nothing_outside_can_be_written(workspace: Workspace, tmp_path: Path) -> None:
    for target in (tmp_path / "x", Path("/tmp/avo-test-x"), Path("/usr/avo-test-x"), workspace.work_tree / "x.cpp"):
        assert answer(workspace, f"echo x > {target}").startswith("exit code 2"), target
        assert not target.exists()


def test_the_lineage_is_out_of_sight(workspace: Workspace) -> None:
    shown = answer(workspace, f"ls -a; cat .git/HEAD; cat {workspace.work_tree}/.git/HEAD; git log")
    assert "refs/heads" not in shown
    assert "Seed of" not in shown
    assert workspace.lineage.best().name == "v0"


def test_it_is_killed_at_its_limit_with_all_that_it_started(workspace: Workspace) -> None:
    for seconds in (1, 10, 60):  # on a slow machine it begins late
        shown = answer(workspace, f"echo begun; setsid sleep {OWN}1 & nohup sleep {OWN}2 & sleep {OWN}3", seconds)
        assert shown.startswith(f"killed after {seconds} s")
        if "begun" in shown:
            break
    assert "begun" in shown
    assert not any(still_runs(f"{OWN}{n}") for n in (1, 2, 3))


def test_what_it_left_in_the_background_ends_with_it(workspace: Workspace) -> None:
    assert answer(workspace, f"setsid sleep {OWN}4 >/dev/null 2>&1 & exit 0").startswith("exit code 0")
    assert not still_runs(f"{OWN}4")


def test_a_long_answer_is_shown_by_head_and_tail(workspace: Workspace) -> None:
    shown = answer(workspace, "echo first; seq 100000; echo last")
    assert "first" in shown
    assert shown.endswith("last")
    assert len(shown) < LONGEST_ANSWER + 200


def test_what_others_write_meanwhile_is_left_alone(workspace: Workspace) -> None:
    work = workspace.work_tree

    async def both() -> str:
        command = asyncio.ensure_future(
            shell(workspace, "echo '// by the command' >> matvec.cpp; sleep 2; touch made.cpp")
        )
        await asyncio.sleep(1)
        (work / "other.cpp").write_text("// by an editor\n")
        return await command

    (work / "kept.cpp").write_text("// before\n")
    assert asyncio.run(both()).startswith("exit code 0")
    assert (work / "other.cpp").read_text() == "// by an editor\n"
    assert (work / "matvec.cpp").read_text().endswith("// by the command\n")
    assert (work / "made.cpp").exists()


def test_an_edit_made_meanwhile_is_not_undone(workspace: Workspace) -> None:
    async def both() -> str:
        command = asyncio.ensure_future(shell(workspace, "sleep 2"))
        await asyncio.sleep(1)
        (workspace.work_tree / "matvec.cpp").write_text("// by an editor\n")
        return await command

    assert asyncio.run(both()).startswith("exit code 0")
    assert (workspace.work_tree / "matvec.cpp").read_text() == "// by an editor\n"
