"""The user's own git settings, hooks and variables have no say in the lineage, and are left alone by it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from avo.memory.lineage import Lineage
from avo.types import Status, Verdict, Version

HOOKS = ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change", "post-checkout")
CONTENT = {"a.cpp": b"int a;\r\nint b;\n"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder whose .gitconfig is in force."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


def hooks(folder: Path, ran: Path) -> Path:
    """Hooks that leave a trace and fail."""
    folder.mkdir(parents=True)
    for name in HOOKS:
        (folder / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\nexit 1\n")
        (folder / name).chmod(0o755)
    return folder


def kept(folder: Path, content: bytes = CONTENT["a.cpp"]) -> tuple[Lineage, Version]:
    lineage = Lineage(folder, create=True)
    version = lineage.commit({"a.cpp": content}, {}, "t", Verdict(Status.PASSED, "", "GFLOP/s"), "m", trailers={})
    lineage.restore()
    return lineage, version


def check(folder: Path) -> None:
    """A version is kept and put back, byte for byte."""
    lineage, version = kept(folder)
    assert lineage.files(version) == CONTENT
    assert (folder / "a.cpp").read_bytes() == CONTENT["a.cpp"]
    shown = subprocess.run(["git", "log", "-1", "--format=%an %G?", "main"], cwd=folder, capture_output=True, text=True)
    assert shown.stdout.strip() == "avo N"


def test_hooks_signing_and_line_endings_of_the_users_config_do_nothing(home: Path, tmp_path: Path) -> None:
    path = hooks(tmp_path / "hooks", tmp_path / "ran")
    (home / ".gitconfig").write_text(
        f"[core]\nhooksPath = {path}\nautocrlf = true\n[commit]\ngpgsign = true\n[tag]\ngpgsign = true\n"
        "[init]\ndefaultBranch = trunk\n[user]\nname = somebody\n"
    )
    check(tmp_path / "lineage")
    assert not (tmp_path / "ran").exists()


def test_hooks_of_a_template_folder_are_not_copied_in(home: Path, tmp_path: Path) -> None:
    # `git init` still read the user's init.templateDir when this was written.
    hooks(tmp_path / "template" / "hooks", tmp_path / "ran")
    (home / ".gitconfig").write_text(f"[init]\ntemplateDir = {tmp_path / 'template'}\n")
    check(tmp_path / "lineage")
    assert not (tmp_path / "ran").exists()


def test_settings_given_by_variables_do_nothing(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIT_CONFIG_COUNT was passed on when this was written.
    path = hooks(tmp_path / "hooks", tmp_path / "ran")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(path))
    check(tmp_path / "lineage")
    assert not (tmp_path / "ran").exists()


def test_a_repository_named_by_variables_is_left_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As when avo is started from a git hook; GIT_DIR was passed on when this was written.
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", other], check=True)
    before = sorted(path.relative_to(other) for path in other.rglob("*"))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    lineage, version = kept(tmp_path / "lineage")
    assert lineage.files(version) == CONTENT
    assert sorted(path.relative_to(other) for path in other.rglob("*")) == before


def test_a_diff_program_of_the_user_is_not_run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIT_EXTERNAL_DIFF was passed on when this was written.
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/echo")
    lineage, first = kept(tmp_path / "lineage")
    _, second = kept(tmp_path / "lineage", b"int other;\n")
    assert "+int other;" in lineage.diff(first, second)
