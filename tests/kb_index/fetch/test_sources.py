"""sources.toml: what a user may write, and the line that answers a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from avo.kb_index.fetch.selection import below, parser_of
from avo.kb_index.fetch.sources import SHIPPED, Dir, Pypi, Source, choose, load, read
from avo.types import AvoError

GOOD = '[[source]]\nname = "mine"\ntype = "dir"\npath = "papers"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "own.toml"
    file.write_text(text)
    return file


def one(tmp_path: Path, **keys: object) -> Source:
    """A dir source with these keys."""
    lines = "".join(f"{key} = {value!r}\n" for key, value in keys.items())
    return read(written(tmp_path, GOOD + lines))[0]


def test_every_shipped_source_says_its_licence_and_what_it_is_for() -> None:
    shipped = read(SHIPPED)
    assert {source.tier for source in shipped} == {"core", "extra"}
    assert all(source.licence != "unknown" and source.about for source in shipped)


def test_what_comes_from_the_internet_is_pinned_or_optional() -> None:
    for source in read(SHIPPED):
        assert source.type in ("pypi", "dir") or source.optional or source.tier == "extra"


def test_the_notes_lie_beside_the_list() -> None:
    notes = next(source for source in read(SHIPPED) if source.name == "avo-notes")
    assert isinstance(notes, Dir)
    assert notes.path == SHIPPED.parent / "notes"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + 'includ = ["*"]\n', "source 'mine': unknown key 'includ'; did you mean 'include'?"),
        (GOOD + 'words = 1\n', "source 'mine': unknown key 'words'; there are: name, tier,"),
        ('[[source]]\nname = "a"\ntype = "ftp"\n',
         "source 'a': type: one of pypi, git, url, dir"),
        ('[[source]]\nname = "a"\n', "source 'a': type: one of"),
        ('[[source]]\nname = "a"\ntype = "pypi"\npackage = "p"\n', "source 'a': version: Field required"),
        ('[[source]]\ntype = "dir"\npath = "x"\n', "source 1: name: Field required"),
        ('[[source]]\nname = "A b"\ntype = "dir"\npath = "x"\n', "source 'A b': name: String should match"),
        ('[[source]]\nname = "a"\ntype = "url"\nurl = "file:///etc/passwd"\n', "source 'a': url: String should match"),
        ('[[source]]\nname = "a"\ntype = "git"\nurl = "--upload-pack=x"\nref = "main"\n', "source 'a': url: String"),
        ('[[source]]\nname = "a"\ntype = "git"\nurl = "https://me:pw@x/y"\nref = "main"\n', "source 'a': url: String"),
        ('[[source]]\nname = "a"\ntype = "git"\nurl = "https://x/y"\nref = "--all"\n', "source 'a': ref: String"),
        ('[[source]]\nname = "a"\ntype = "pypi"\npackage = "-r x"\nversion = "1"\n', "source 'a': package: String"),
        (GOOD + GOOD, "two sources are named 'mine'"),
        ('[source]\nname = "a"\n', "source: Input should be a valid list"),
        ('[kb]\nchunks = 3\n', "unknown key 'kb'; the file holds [[source]] tables only"),
        ('source = [1]\n', "source 1: type: Input should be a valid dictionary"),
        (GOOD + 'parser = "perl"\n', "source 'mine': parser: Input should be 'python', 'cuda'"),
        ("name = \n", "own.toml: Invalid value"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(AvoError) as caught:
        read(written(tmp_path, text))
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "own.toml") + ": ")
    assert complaint in said
    assert "\n" not in said


def test_a_file_that_is_not_there_or_is_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AvoError, match="No such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AvoError, match=r"own\.toml: .*utf-8"):
        read(tmp_path / "own.toml")


def test_a_users_file_adds_sources_and_replaces_shipped_ones(tmp_path: Path) -> None:
    own = written(tmp_path, GOOD + '[[source]]\nname = "fa4"\ntype = "pypi"\npackage = "flash-attn-4"\nversion = "9"\n')
    merged = {source.name: source for source in load(own)}
    assert set(merged) == {source.name for source in read(SHIPPED)} | {"mine"}
    assert isinstance(merged["fa4"], Pypi)
    assert merged["fa4"].version == "9"


def test_a_folder_is_meant_from_where_its_file_stands_and_home_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    found = read(written(tmp_path, GOOD + GOOD.replace("mine", "home").replace("papers", "~/gpu")))
    assert [source.path for source in found if isinstance(source, Dir)] == [tmp_path / "papers", Path("/somewhere/gpu")]


def test_a_misspelt_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(AvoError, match="no source 'fa5'; there are: fa4, "):
        choose(read(SHIPPED), ["fa5"])
    assert [source.name for source in choose(read(SHIPPED), ["quack", "fa4"])] == ["fa4", "quack"]


@pytest.mark.parametrize(
    ("include", "path", "asked_for"),
    [
        (["*.py"], "a.py", True),
        (["*.py"], "b/a.py", False),
        (["**/*.py"], "a.py", True),
        (["**/*.py"], "b/c/a.py", True),
        (["b/**"], "b/c/a.py", True),
        (["b/*/a.py"], "b/c/a.py", True),
        (["b/*/a.py"], "b/c/d/a.py", False),
        (["a?.h"], "ab.h", True),
        (["a+.h"], "aa.h", False),
        (["x.h", "y.h"], "y.h", True),
    ],
)
def test_a_star_stays_in_its_folder_and_two_do_not(
    tmp_path: Path, include: list[str], path: str, asked_for: bool
) -> None:
    assert (below(one(tmp_path, include=include), path) == path) is asked_for


def test_what_is_excluded_is_not_asked_for(tmp_path: Path) -> None:
    source = one(tmp_path, include=["**/*.md"], exclude=["old/**"])
    assert below(source, "new/a.md")
    assert not below(source, "old/a.md")


@pytest.mark.parametrize("path", ["../a.py", "/etc/a.py", "b/../a.py", "b//a.py", "b\\..\\a.py", "b/\na.py", "./a.py"])
def test_a_path_that_no_folder_holds_is_never_taken(tmp_path: Path, path: str) -> None:
    assert below(one(tmp_path), path) is None


def test_paths_start_below_the_root(tmp_path: Path) -> None:
    source = one(tmp_path, root="pkg/src", include=["*.py"])
    assert below(source, "pkg/src/a.py") == "a.py"
    assert below(source, "pkg/srcs/a.py") is None
    assert below(source, "a.py") is None


def test_the_ending_chooses_the_chunker_unless_the_source_does(tmp_path: Path) -> None:
    endings = {"a.py": "python", "a.CUH": "cuda", "a.rst": "rst", "a.htm": "html", "a.pdf": "pdf", "LICENSE": "text"}
    assert {path: parser_of(one(tmp_path), path) for path in endings} == endings
    assert parser_of(one(tmp_path, parser="ops"), "a.py") == "ops"
