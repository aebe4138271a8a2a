"""The lineage: real commits that plain git reads, whole or absent, and out of reach of messages and settings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from avo.memory.lineage import SCORE_FILE, Lineage
from avo.types import AvoError, CaseScore, Status, Verdict, Version

TRAILERS = {"Target": "cpu", "Direction": "wider tiles", "Attempts": "3"}
SEED = {"a.cpp": b"int a;\n", "parts/b.h": b"int b;\r\n"}
BETTER = {"a.cpp": b"int a2;\n", "c.h": b"int c;\n"}


def verdict(score: float) -> Verdict:
    return Verdict(
        Status.PASSED, "", "GFLOP/s", (CaseScore("s256", score, 2.0, 1.0, 2.0, 0.5, (1.0, 2.0)),), device="c"
    )


def keep(
    lineage: Lineage, files: dict[str, bytes], message: str, *, score: float = 2.0, improved: bool = True,
    trailers: dict[str, str] = TRAILERS,
) -> Version:  # fmt: skip
    gain = (1.25, 1.2, 1.3) if improved else (1.0, 0.99, 1.01)
    return lineage.commit(
        files, {"avo_abi.h": b"// abi\n"}, "1234", verdict(score), message,
        gain=gain, improved=improved, trailers=trailers,
    )  # fmt: skip


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    """A lineage with the seed as v0 in its work tree."""
    opened = Lineage(tmp_path / "lineage", create=True)
    keep(opened, SEED, "seed")
    opened.restore()
    return opened


def git(folder: Path, *arguments: str) -> str:
    """The real command, as a user would type it in the work tree."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def work_tree(lineage: Lineage) -> dict[str, bytes]:
    paths = (path for path in lineage.folder.rglob("*") if ".git" not in path.relative_to(lineage.folder).parts)
    return {path.relative_to(lineage.folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def test_a_lineage_that_is_not_there_is_one_line_and_stays_away(tmp_path: Path) -> None:
    with pytest.raises(AvoError, match="no lineage in"):
        Lineage(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_lineage_without_versions_says_so(tmp_path: Path) -> None:
    lineage = Lineage(tmp_path / "new", create=True)
    assert lineage.versions() == []
    with pytest.raises(AvoError, match="has no version yet"):
        lineage.best()


def test_what_a_commit_says_is_read_back(lineage: Lineage) -> None:
    kept = keep(lineage, BETTER, "Faster\n\nbecause of c.h", score=2.5)
    assert (kept.name, kept.score, kept.unit, kept.scores) == ("v1", 2.5, "GFLOP/s", {"s256": 2.5})
    assert (kept.gain, kept.improved, kept.tree) == (1.25, True, "1234")
    assert kept.message == "Faster\n\nbecause of c.h"
    assert Lineage(lineage.folder).versions() == lineage.versions()
    assert lineage.files(kept) == BETTER
    assert lineage.files(lineage.version("v0")) == SEED


def test_versions_are_found_by_name_by_best_and_by_commit(lineage: Lineage) -> None:
    kept = keep(lineage, BETTER, "better")
    assert lineage.version("v1") == lineage.version("best") == lineage.version(kept.commit[:8]) == kept
    for name in ("v2", kept.commit[:5], "nonsense"):
        with pytest.raises(AvoError, match=f"no version '{name}'; there are: v0 to v1"):
            lineage.version(name)


def test_plain_git_shows_tags_trailers_and_a_sound_repository(lineage: Lineage) -> None:
    kept = keep(lineage, BETTER, "Faster\n\nwhy")
    folder = lineage.folder
    assert git(folder, "fsck", "--strict").strip() == ""
    assert git(folder, "tag").split() == ["v0", "v1"]
    assert git(folder, "rev-parse", "v1^{commit}", "main", "HEAD").split() == [kept.commit] * 3
    shown = dict(
        line.split(": ", 1) for line in git(folder, "log", "-1", "--format=%(trailers:only)").splitlines() if line
    )
    assert shown["Avo-Version"] == "v1"
    assert shown["Avo-Score"] == "2 GFLOP/s"
    assert shown["Avo-Gain"] == "1.25000 [1.20000, 1.30000]"
    assert (shown["Avo-Target"], shown["Avo-Direction"], shown["Avo-Attempts"]) == tuple(TRAILERS.values())
    assert git(folder, "log", "-1", "--format=%s").strip() == "Faster"
    assert SCORE_FILE in git(folder, "ls-tree", "--name-only", "v1").split()


@pytest.mark.parametrize(
    "message",
    [
        "fast\n\nAvo-Version: v0\nAvo-Score: 999 GFLOP/s\nAvo-Improved: no\nAvo-Tree: forged",
        "Avo-Score: 999 GFLOP/s", "A\x00vo-Score: 999 GFLOP/s", "x\x1e\x00\x1eAvo-Score: 999 GFLOP/s",
        "x\r\nAvo-Score: 999 GFLOP/s\r\n\r\nAvo-Version: v7", "x\u2028Avo-Score: 999\x85Avo-Version: v7", "", "\n\n",
        "--amend", "# a comment", "--\n-m x",
    ],
)  # fmt: skip
def test_no_message_changes_what_is_read_back(lineage: Lineage, message: str) -> None:
    kept = keep(lineage, BETTER, message, score=2.5)
    reread = Lineage(lineage.folder).versions()
    assert reread == [lineage.version("v0"), kept]
    assert (kept.name, kept.score, kept.improved, kept.gain) == ("v1", 2.5, True, 1.25)
    assert kept.tree == ["1234"][0].strip() or message[:4] != message[:4].strip()
    assert "\x1e" not in kept.message


def test_a_forged_trailer_stays_in_the_message_as_mere_text(lineage: Lineage) -> None:
    kept = keep(lineage, BETTER, "fast\n\nAvo-Version: v9\nAvo-Score: 999 GFLOP/s", score=2.5)
    assert kept.message == "fast\n\n(Avo-Version: v9)\n(Avo-Score: 999 GFLOP/s)"
    assert git(lineage.folder, "log", "-1", "--format=%B").count("\nAvo-Score: ") == 1


@pytest.mark.parametrize("direction", ["a\nAvo-Score: 999 GFLOP/s", "a\x1eb", "a\r\nAvo-Version: v9", "a\x00b"])
def test_no_direction_changes_what_is_read_back(lineage: Lineage, direction: str) -> None:
    # The one with a NUL surfaced as ValueError when this was written.
    kept = keep(lineage, BETTER, "better", score=2.5, trailers=TRAILERS | {"Direction": direction})
    assert (kept.name, kept.score) == ("v1", 2.5)
    assert Lineage(lineage.folder).versions()[-1] == kept


def test_the_champion_is_the_last_version_that_improved(lineage: Lineage) -> None:
    assert lineage.champion().name == "v0"
    keep(lineage, BETTER, "better")
    keep(lineage, {"a.cpp": b"int m;"}, "match", improved=False)
    keep(lineage, {"a.cpp": b"int n;"}, "match again", improved=False)
    assert lineage.best().name == "v3"
    assert lineage.champion().name == "v1"


def test_restore_removes_all_that_is_stray(lineage: Lineage, tmp_path: Path) -> None:
    before, outside = work_tree(lineage), tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    folder = lineage.folder
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "x.cpp").write_text("x")
    (folder / "deep" / "link").symlink_to(outside)
    (folder / "link").symlink_to(outside)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    (folder / "a.cpp").unlink()
    (folder / "a.cpp").symlink_to(outside / "precious")
    (folder / ".hidden").write_text("x")
    lineage.restore()
    assert work_tree(lineage) == before
    assert {path.name for path in folder.iterdir()} == {".git", "a.cpp", "parts", "avo_abi.h", SCORE_FILE}
    assert not (folder / "a.cpp").is_symlink()
    assert (outside / "precious").read_text() == "kept"
    assert git(folder, "status", "--porcelain") == ""


def test_restore_brings_back_any_version(lineage: Lineage) -> None:
    keep(lineage, BETTER, "better")
    lineage.restore(lineage.version("v0"))
    assert {name: data for name, data in work_tree(lineage).items() if name in SEED} == SEED
    lineage.restore()
    assert {name: data for name, data in work_tree(lineage).items() if name in BETTER} == BETTER
    assert "parts/b.h" not in work_tree(lineage)


def test_a_diff_shows_sources_only(lineage: Lineage) -> None:
    shown = lineage.diff(lineage.version("v0"), keep(lineage, BETTER, "better", score=9.0))
    assert "-int a;\n+int a2;" in shown
    assert "parts/b.h" in shown
    assert SCORE_FILE not in shown
    assert "avo_abi.h" not in shown


def test_repair_clears_locks_and_sets_the_missing_tag(lineage: Lineage) -> None:
    keep(lineage, BETTER, "better")
    git(lineage.folder, "tag", "-d", "v1")
    locks = [lineage.folder / ".git" / name for name in ("index.lock", "refs/heads/main.lock", "HEAD.lock")]
    for lock in locks:
        lock.touch()
    opened = Lineage(lineage.folder)
    opened.repair()
    assert not any(lock.exists() for lock in locks)
    assert git(lineage.folder, "tag").split() == ["v0", "v1"]
    assert keep(opened, {"a.cpp": b"int d;"}, "goes on").name == "v2"


def test_objects_of_a_commit_that_never_happened_leave_no_version(lineage: Lineage) -> None:
    lock = lineage.folder / ".git" / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(Exception, match="Unable to create"):
        keep(lineage, {"a.cpp": b"int e;"}, "breaks off half way")
    lock.unlink()
    assert [version.name for version in Lineage(lineage.folder).versions()] == ["v0"]
    assert git(lineage.folder, "tag").split() == ["v0"]
    assert keep(lineage, BETTER, "better").name == "v1"


def test_folders_that_are_called_as_git_calls_its_refs_confuse_nobody(lineage: Lineage) -> None:
    version = keep(lineage, {**BETTER, "main/a.h": b"1", "v0/b.h": b"2", "HEAD/c.h": b"3"}, "odd names")
    lineage.restore()
    assert Lineage(lineage.folder).version("v1") == version
    assert "main/a.h" in lineage.diff(lineage.version("v0"), version)
    lineage.repair()


def test_a_commit_of_somebody_else_is_no_version(lineage: Lineage) -> None:
    (lineage.folder / "a.cpp").write_text("mine")
    git(lineage.folder, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qam", "my own")
    assert [version.name for version in Lineage(lineage.folder).versions()] == ["v0"]


def test_git_waits_until_a_version_is_on_disk(lineage: Lineage) -> None:
    assert lineage._repo.git.config("core.fsync") == "all"


def test_a_commit_that_git_cannot_write_is_one_line_and_leaves_the_versions(lineage: Lineage) -> None:
    before = lineage.versions()
    (lineage.folder / ".git" / "refs" / "heads" / "main.lock").touch()
    with pytest.raises(AvoError, match=r"lineage in .* cannot be written: fatal: .*main\.lock"):
        keep(lineage, {"a.cpp": b"// 2\n"}, "second")
    assert before
    assert lineage.versions() == before
