"""Packages, repositories and folders as sources: read without being run, and one line when they are broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from avo.kb_index.fetch import selection
from avo.kb_index.fetch.fetch import Reach, Unreachable, fetch
from avo.kb_index.fetch.sources import Source

Wheel = Callable[..., Path]
Make = Callable[..., Source]
OFFLINE = "is not in the cache, and nothing is fetched offline"


def texts(source: Source, reach: Reach) -> dict[str, bytes]:
    return {document.path: document.content for document in fetch(source, reach).documents(source)}


def refusal(source: Source, reach: Reach) -> str:
    with pytest.raises(Unreachable) as caught:
        fetch(source, reach).documents(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- wheels ------------------------------------------------------------------------------------


def test_a_wheel_is_read_and_never_run(wheel: Wheel, make: Make, reach: Reach, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\n"
    wheel({"tiny/__init__.py": code, "tiny/a.py": code, "tiny/b.txt": "b", "setup.py": code})
    source = make("pypi", package="tiny", version="1.0", include=["tiny/*.py"])
    fetched = fetch(source, reach)
    found = {document.path: document for document in fetched.documents(source)}
    assert set(found) == {"tiny/__init__.py", "tiny/a.py"}
    assert found["tiny/a.py"].content.decode() == code
    assert (fetched.version, found["tiny/a.py"].parser) == ("1.0", "python")
    assert not ran.exists()


def test_a_wheel_comes_from_the_cache_when_its_index_is_gone(
    wheel: Wheel, make: Make, reach: Reach, index: Path
) -> None:
    wheel({"a.py": "x = 1\n"})
    source = make("pypi", package="tiny", version="1.0", include=["*.py"])
    assert OFFLINE in refusal(source, replace(reach, offline=True))
    first = texts(source, reach)
    shutil.rmtree(index)
    assert texts(source, reach) == texts(source, replace(reach, offline=True)) == first


def test_a_wheel_that_changed_in_the_cache_is_fetched_again(wheel: Wheel, make: Make, reach: Reach) -> None:
    wheel({"a.py": "x = 1\n"})
    source = make("pypi", package="tiny", version="1.0", include=["*.py"])
    first = texts(source, reach)
    kept = next(reach.cache.rglob("*.whl"))
    kept.write_bytes(kept.read_bytes()[:100])
    assert "is damaged" in refusal(source, reach)
    assert OFFLINE in refusal(source, replace(reach, offline=True))
    assert texts(source, reach) == first


def test_a_package_that_is_not_there_is_one_line(index: Path, make: Make, reach: Reach) -> None:
    source = make("pypi", package="tiny", version="1.0")
    assert "No matching distribution found for tiny==1.0" in refusal(source, reach)
    assert not any(path.is_file() for path in reach.cache.rglob("*"))


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.99])
def test_a_truncated_wheel_is_one_line_and_not_kept(wheel: Wheel, make: Make, reach: Reach, share: float) -> None:
    whole = wheel({"a.py": os.urandom(20000).hex()})
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * share)])
    said = refusal(make("pypi", package="tiny", version="1.0"), reach)
    assert "tiny-1.0-py3-none-any.whl" in said
    assert not [*reach.cache.rglob("*.whl")]


def test_a_wheel_with_a_damaged_member_is_one_line(wheel: Wheel, make: Make, reach: Reach) -> None:
    path = wheel({"a.py": os.urandom(20000).hex()})
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)
    said = refusal(make("pypi", package="tiny", version="1.0", include=["*.py"]), reach)
    assert "tiny-1.0-py3-none-any.whl is damaged" in said


def test_a_member_of_300_megabytes_is_left_out_and_named(wheel: Wheel, make: Make, reach: Reach) -> None:
    path = wheel({"a.py": "x = 1\n"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb.py", "w") as big:
        for _ in range(300):
            big.write(bytes(1 << 20))
    source = make("pypi", package="tiny", version="1.0", include=["*.py"])
    fetched = fetch(source, reach)
    assert [document.path for document in fetched.documents(source)] == ["a.py"]
    assert fetched.skipped == ["bomb.py: more than 16 MB"]


def test_a_member_that_lies_about_its_size_is_not_unpacked_whole(wheel: Wheel, make: Make, reach: Reach) -> None:
    path = wheel({"a.py": "x = 1\n", "bomb.py": b"#" * (40 << 20)})
    content = path.read_bytes()
    size = (40 << 20).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (100).to_bytes(4, "little")))
    source = make("pypi", package="tiny", version="1.0", include=["*.py"])
    assert "is damaged" in refusal(source, reach)


def test_what_unpacks_to_too_much_in_all_is_refused(
    wheel: Wheel, make: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avo.kb_index.fetch.fetch.LARGEST_SOURCE", 3 << 20)
    wheel({f"{number}.py": b"#" * (1 << 20) for number in range(5)})
    said = refusal(make("pypi", package="tiny", version="1.0", include=["*.py"]), reach)
    assert "narrow `include`" in said


def test_hostile_names_and_links_in_a_wheel_are_not_taken(wheel: Wheel, make: Make, reach: Reach) -> None:
    path = wheel({"a.py": "x = 1\n", "../b.py": "x", "/c.py": "x", "d/../../e.py": "x", "f\n.py": "x"})
    link = zipfile.ZipInfo("link.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert set(texts(make("pypi", package="tiny", version="1.0", include=["**/*.py"]), reach)) == {"a.py"}


def test_binary_files_are_counted_and_left_out(wheel: Wheel, make: Make, reach: Reach) -> None:
    wheel({"a.py": "x = 1\n", "b.py": b"\x7fELF\0\0", "latin.txt": "gr\xfc\xdfe".encode("latin-1")})
    source = make("pypi", package="tiny", version="1.0", include=["*.py", "*.txt"])
    fetched = fetch(source, reach)
    assert {document.path for document in fetched.documents(source)} == {"a.py", "latin.txt"}
    assert fetched.skipped == ["b.py: binary"]


def test_globs_that_match_nothing_say_so(wheel: Wheel, make: Make, reach: Reach) -> None:
    wheel({"a.py": "x = 1\n"})
    assert "`include` matches none" in refusal(make("pypi", package="tiny", version="1.0", include=["*.cu"]), reach)


# ---- repositories ------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", folder, *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: in the first docs/a.md says one, in the second two."""
    folder = tmp_path / "repository"
    (folder / "docs").mkdir(parents=True)
    (folder / "src").mkdir()
    git(folder, "init", "--quiet", "-b", "main")
    for text in ("one", "two"):
        (folder / "docs/a.md").write_text(f"# {text}\n")
        (folder / "src/a.cu").write_text("__global__ void k() {}\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", text)
    return folder


def test_a_pinned_commit_is_fetched_alone_and_then_needs_no_repository(
    repository: Path, make: Make, reach: Reach
) -> None:
    first = git(repository, "rev-parse", "HEAD~1")
    source = make("git", url=repository.as_uri(), ref=first, include=["docs/**/*.md"])
    assert OFFLINE in refusal(source, replace(reach, offline=True))
    assert texts(source, reach) == {"docs/a.md": b"# one\n"}
    assert fetch(source, reach).version == first[:12]
    shutil.rmtree(repository)
    assert texts(source, replace(reach, ask=True)) == {"docs/a.md": b"# one\n"}


def test_a_branch_is_asked_for_again_on_update_alone(repository: Path, make: Make, reach: Reach) -> None:
    source = make("git", url=repository.as_uri(), ref="main", include=["docs/*.md"])
    assert texts(source, reach) == {"docs/a.md": b"# two\n"}
    (repository / "docs/a.md").write_text("# three\n")
    git(repository, "commit", "--quiet", "-am", "three")
    assert texts(source, reach) == {"docs/a.md": b"# two\n"}
    assert texts(source, replace(reach, ask=True)) == {"docs/a.md": b"# three\n"}


def test_a_repository_that_is_gone_leaves_the_copy_and_a_note(repository: Path, make: Make, reach: Reach) -> None:
    source = make("git", url=repository.as_uri(), ref="main", include=["docs/*.md"])
    fetch(source, reach)
    repository.rename(repository.with_name("moved"))
    assert "the copy in the cache had to do" in fetch(source, replace(reach, ask=True)).note
    assert texts(source, replace(reach, ask=True)) == {"docs/a.md": b"# two\n"}


def test_a_copy_that_changed_in_the_cache_is_fetched_again(repository: Path, make: Make, reach: Reach) -> None:
    source = make("git", url=repository.as_uri(), ref="main", include=["docs/*.md"])
    fetch(source, reach)
    kept = next(reach.cache.rglob("*.zip"))
    kept.write_bytes(kept.read_bytes()[:50])
    assert "is damaged" in refusal(source, reach)
    assert OFFLINE in refusal(source, replace(reach, offline=True))
    assert texts(source, reach) == {"docs/a.md": b"# two\n"}


def test_a_repository_or_commit_that_is_not_there_is_one_line(
    repository: Path, make: Make, reach: Reach, tmp_path: Path
) -> None:
    said = refusal(make("git", url=(tmp_path / "none").as_uri(), ref="main"), reach)
    assert "repository" in said
    said = refusal(make("git", url=repository.as_uri(), ref="5" * 40), reach)
    assert "5555" in said
    said = refusal(make("git", url=repository.as_uri(), ref="main", include=["papers/*.md"]), reach)
    assert "matches none" in said


def test_a_link_in_a_repository_is_not_followed(repository: Path, make: Make, reach: Reach) -> None:
    (repository / "docs/b.md").symlink_to("/etc/passwd")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "link")
    assert set(texts(make("git", url=repository.as_uri(), ref="main", include=["docs/*.md"]), reach)) == {"docs/a.md"}


def test_no_key_reaches_git_or_pip(
    repository: Path, make: Make, reach: Reach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nenv >> {seen}\nexec {shutil.which("git")} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-children")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:8080")
    texts(make("git", url=repository.as_uri(), ref="main", include=["docs/*.md"]), reach)
    assert "sk-not-for-children" not in seen.read_text()
    assert "HTTPS_PROXY=http://proxy.example:8080" in seen.read_text()


def test_no_password_or_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDEX_TOKEN", "token-of-mine")
    said = str(Unreachable("pip:\n no answer of https://me:hunter2@index.example/simple with token-of-mine"))
    assert said == "pip: no answer of https://index.example/simple with [INDEX_TOKEN]"


# ---- folders -----------------------------------------------------------------------------------


def test_a_folder_is_read_as_it_is_now(tmp_path: Path, make: Make, reach: Reach) -> None:
    papers = tmp_path / "papers"
    (papers / "deep").mkdir(parents=True)
    (papers / "deep/a.md").write_text("# a\n")
    (papers / ".hidden").mkdir()
    (papers / ".hidden/b.md").write_text("# b\n")
    source = make("dir", path=papers, include=["**/*.md"])
    assert texts(source, replace(reach, offline=True)) == {"deep/a.md": b"# a\n"}
    (papers / "deep/a.md").write_text("# b\n")
    assert texts(source, reach) == {"deep/a.md": b"# b\n"}


def test_no_link_leads_out_of_a_folder(tmp_path: Path, make: Make, reach: Reach) -> None:
    papers, outside = tmp_path / "papers", tmp_path / "outside"
    papers.mkdir()
    outside.mkdir()
    (outside / "secret.md").write_text("secret\n")
    (papers / "a.md").write_text("# a\n")
    (papers / "same.md").symlink_to("a.md")
    (papers / "file.md").symlink_to(outside / "secret.md")
    (papers / "folder").symlink_to(outside)
    source = make("dir", path=papers, include=["**/*.md"])
    fetched = fetch(source, reach)
    assert {document.path for document in fetched.documents(source)} == {"a.md", "same.md"}


def test_pipes_binaries_and_big_files_are_counted(tmp_path: Path, make: Make, reach: Reach) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "a.md").write_text("# a\n")
    (papers / "b.bin").write_bytes(bytes(100))
    os.mkfifo(papers / "pipe.md")
    with (papers / "big.txt").open("wb") as big:
        big.truncate(300 << 20)
    (papers / "gone.md").symlink_to("nowhere")
    source = make("dir", path=papers)
    fetched = fetch(source, reach)
    assert [document.path for document in fetched.documents(source)] == ["a.md"]
    assert fetched.skipped == ["b.bin: binary", "big.txt: more than 16 MB"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, make: Make, reach: Reach) -> None:
    assert refusal(make("dir", path="none"), reach) == f"no folder {tmp_path / 'none'}"


def test_a_folder_with_too_many_files_is_refused(
    tmp_path: Path, make: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avo.kb_index.fetch.fetch.MOST_FILES", 2)
    for number in range(4):
        (tmp_path / f"{number}.md").write_text("x\n")
    assert "narrow `include`" in refusal(make("dir", path=".", include=["*.md"]), reach)


def test_limits_are_what_the_messages_say() -> None:
    assert (selection.limit("python"), selection.limit("html"), selection.limit("pdf")) == (16 << 20, *[64 << 20] * 2)
