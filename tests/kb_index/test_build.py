"""A build writes what differs and nothing else; whatever ends it, the index as it was stays whole and in use."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.build import Report, build
from avo.kb_index.fetch.sources import Source, read
from avo.kb_index.index.place import in_use, only_builder
from avo.kb_index.index.store import Store
from avo.kb_index.search import search
from avo.types import AvoError, Missing

Make = Callable[..., Source]
Wheel = Callable[..., Path]
CODE = "def {name}(tile):\n    # {name} waits for the barrier of its tile\n    return tile * {number}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kb"


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """Thirty short files of code, each with one function."""
    place = tmp_path / "papers"
    place.mkdir()
    for number in range(30):
        (place / f"f{number:02}.py").write_text(CODE.format(name=f"wait_{number:02}", number=number))
    return place


def made(folder: Path, *sources: Source, **options: Any) -> Report:
    return build(folder, sources, report=lambda line: None, **options)


def current(folder: Path) -> Path:
    return (folder / "current").resolve()


def held(folder: Path) -> dict[tuple[str, str], str]:
    with Store.open(current(folder)) as store:
        return store.documents()


def recorded(folder: Path, name: str) -> dict[str, Any]:
    with Store.open(current(folder)) as store:
        return store.sources()[name]


def finds(folder: Path, query: str) -> list[str]:
    with Store.open(current(folder)) as store:
        return [hit.path for hit in search(store, query, 3)]


# ---- what is written ---------------------------------------------------------------------------


def test_what_was_built_is_found_and_a_second_build_writes_nothing(folder: Path, papers: Path, make: Make) -> None:
    first = made(folder, make("dir", path=papers))
    assert (first.changed, first.chunks, first.rows[0].documents) == (True, 30, 30)
    assert finds(folder, "wait_07")[0] == "f07.py"
    place = current(folder)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    again = made(folder, make("dir", path=papers))
    assert (again.changed, again.chunks, again.rows[0].put) == (False, 30, 0)
    assert current(folder) == place
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_an_edited_a_new_and_a_deleted_file_are_all_that_is_written(folder: Path, papers: Path, make: Make) -> None:
    made(folder, make("dir", path=papers))
    before = held(folder)
    (papers / "f03.py").write_text(CODE.format(name="arrive_03", number=3))
    (papers / "new.py").write_text(CODE.format(name="expect_tx", number=4))
    (papers / "f04.py").unlink()
    row = made(folder, make("dir", path=papers)).rows[0]
    assert (row.put, row.removed, row.documents) == (2, 1, 30)
    after = held(folder)
    assert {path for _, path in before.items() ^ after.items()} == {before["a", "f03.py"], after["a", "f03.py"],
        after["a", "new.py"], before["a", "f04.py"]}  # fmt: skip
    assert finds(folder, "arrive_03")[0] == "f03.py"
    assert "f04.py" not in finds(folder, "wait_04")


def test_one_store_is_left_after_every_build(folder: Path, papers: Path, make: Make) -> None:
    for text in "ab":
        (papers / "f00.py").write_text(f"# {text}\n")
        made(folder, make("dir", path=papers))
    assert [path for path in folder.glob("store-*")] == [current(folder)]


def test_a_new_version_of_a_package_is_told_of_files_that_did_not_change(
    folder: Path, wheel: Wheel, make: Make
) -> None:
    files = {"a.py": CODE.format(name="wait", number=1), "b.py": CODE.format(name="arrive", number=2)}
    wheel(files)
    made(folder, make("pypi", package="tiny", version="1.0", include=["*.py"]))
    wheel(files | {"b.py": CODE.format(name="arrive", number=3)}, version="2.0")
    row = made(folder, make("pypi", package="tiny", version="2.0", include=["*.py"])).rows[0]
    assert (row.version, row.documents) == ("2.0", 2)
    assert recorded(folder, "a")["version"] == "2.0"


def test_a_source_that_is_no_longer_listed_is_removed_and_told(folder: Path, papers: Path, make: Make) -> None:
    made(folder, make("dir", "a", path=papers), make("dir", "b", path=papers, include=["f0*.py"]))
    told: list[str] = []
    build(folder, [make("dir", "a", path=papers)], report=told.append)
    assert told == ["b: no source of that name is listed any more; removed"]
    assert {source for source, _ in held(folder)} == {"a"}
    with Store.open(current(folder)) as store:
        assert [*store.sources()] == ["a"]


def test_an_extra_source_comes_in_by_name_and_then_stays(folder: Path, papers: Path, make: Make) -> None:
    core, extra = make("dir", "a", path=papers), make("dir", "b", path=papers, tier="extra")
    made(folder, core, extra)
    assert {source for source, _ in held(folder)} == {"a"}
    made(folder, core, extra, with_=["b"])
    assert {source for source, _ in held(folder)} == {"a", "b"}
    (papers / "f00.py").unlink()
    made(folder, core, extra)
    assert {source for source, _ in held(folder)} == {"a", "b"}
    assert ("b", "f00.py") not in held(folder)
    made(folder, core, extra, fresh=True)
    assert {source for source, _ in held(folder)} == {"a"}


def test_only_leaves_the_other_sources_as_they_are(folder: Path, papers: Path, make: Make) -> None:
    both = make("dir", "a", path=papers), make("dir", "b", path=papers)
    made(folder, *both)
    before = held(folder)
    (papers / "f00.py").write_text("# other\n")
    made(folder, *both, only=["b"])
    after = held(folder)
    assert after["a", "f00.py"] == before["a", "f00.py"]
    assert after["b", "f00.py"] != before["b", "f00.py"]
    with pytest.raises(AvoError, match="no source 'c'"):
        made(folder, *both, only=["c"])


def test_other_chunkers_make_the_index_from_nothing(
    folder: Path, papers: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, extra = make("dir", "a", path=papers), make("dir", "b", path=papers, tier="extra")
    made(folder, core, extra, with_=["b"])
    monkeypatch.setattr("avo.kb_index.build.chunkers", lambda: "other")
    told: list[str] = []
    done = build(folder, [core, extra], report=told.append)
    assert told == ["made with other chunkers: building it from nothing"]
    assert [row.put for row in done.rows] == [30, 30]


def test_an_index_that_is_made_from_nothing_holds_the_same_sources(
    folder: Path, papers: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = make("dir", "a", path=papers), make("dir", "b", path=papers, tier="extra")
    made(folder, *both, with_=["b"])
    monkeypatch.setattr("avo.kb_index.build.chunkers", lambda: "other")
    made(folder, *both, only=["a"])
    assert {source for source, _ in held(folder)} == {"a", "b"}


def test_an_index_that_is_damaged_is_made_from_nothing(folder: Path, papers: Path, make: Make) -> None:
    made(folder, make("dir", path=papers))
    (current(folder) / "kb.sqlite3").write_text("{")
    told: list[str] = []
    assert build(folder, [make("dir", path=papers)], report=told.append).rows[0].put == 30
    assert "is damaged" in told[0]


def test_an_index_of_another_avo_is_made_from_nothing(folder: Path, papers: Path, make: Make) -> None:
    made(folder, make("dir", path=papers))
    with sqlite3.connect(current(folder) / "kb.sqlite3") as db:
        db.execute("UPDATE facts SET value='other' WHERE key='rules'")
    db.close()
    told: list[str] = []
    done = build(folder, [make("dir", path=papers)], report=told.append)
    assert told == ["made with other rules: building it from nothing"]
    assert (done.rows[0].put, done.chunks) == (30, 30)


# ---- what is missing or broken -----------------------------------------------------------------


def test_a_missing_source_is_recorded_and_named_and_the_build_goes_on(folder: Path, papers: Path, make: Make) -> None:
    gone = make("dir", "gone", path="nowhere", optional=True)
    needed = make("dir", "needed", path="nowhere")
    done = made(folder, gone, make("dir", path=papers), needed)
    assert [bool(row.missing) for row in done.rows] == [True, False, True]
    assert done.lacking == ("needed",)
    assert "no folder" in recorded(folder, "gone")["missing"]
    assert {source for source, _ in held(folder)} == {"a"}


def test_nothing_to_build_from_is_one_line_and_leaves_no_index(folder: Path, make: Make) -> None:
    with pytest.raises(Missing, match=r"a: no folder .*nowhere; no index was made"):
        made(folder, make("dir", path="nowhere"))
    assert in_use(folder) is None
    assert not [*folder.glob("store-*")]


def test_a_source_that_goes_away_or_breaks_stays_as_it_was(folder: Path, wheel: Wheel, make: Make) -> None:
    wheel({"a.py": CODE.format(name="wait", number=1)})
    made(folder, make("pypi", package="tiny", version="1.0", include=["*.py"]))
    before = held(folder)
    broken = wheel({"a.py": "x = 2\n"}, version="2.0")
    broken.write_bytes(broken.read_bytes()[:-40])
    row = made(folder, make("pypi", package="tiny", version="2.0", include=["*.py"])).rows[0]
    assert "tiny-2.0-py3-none-any.whl" in row.missing
    assert (row.version, row.documents) == ("1.0", 1)
    assert held(folder) == before
    assert recorded(folder, "a")["missing"] == row.missing
    wheel({"a.py": "x = 2\n"}, version="2.0")
    assert not made(folder, make("pypi", package="tiny", version="2.0", include=["*.py"])).rows[0].missing
    assert not recorded(folder, "a")["missing"]


def test_offline_a_build_does_with_what_was_fetched(folder: Path, wheel: Wheel, make: Make, index: Path) -> None:
    wheel({"a.py": "x = 1\n"})
    source = make("pypi", package="tiny", version="1.0", include=["*.py"])
    with pytest.raises(Missing, match="nothing is fetched offline"):
        made(folder, source, offline=True)
    made(folder, source)
    (index / "tiny-1.0-py3-none-any.whl").unlink()
    assert made(folder, source, offline=True, fresh=True).chunks == 1


def test_a_document_that_cannot_be_read_is_left_out_and_named(folder: Path, papers: Path, make: Make) -> None:
    (papers / "f00.py").rename(papers / "paper.pdf")
    row = made(folder, make("dir", path=papers)).rows[0]
    assert row.documents == 29
    assert [reason.startswith("paper.pdf: ") for reason in row.skipped] == [True]
    assert recorded(folder, "a")["skipped"] == 1
    assert made(folder, make("dir", path=papers)).changed is False


@pytest.mark.parametrize("embedder", ["none-such", "openai:no-key"])
def test_an_embedder_that_fails_leaves_the_index_as_it_was(
    folder: Path, papers: Path, make: Make, monkeypatch: pytest.MonkeyPatch, embedder: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made(folder, make("dir", path=papers))
    before, place = held(folder), current(folder)
    with pytest.raises(AvoError, match="the index as it was stays in use"):
        made(folder, make("dir", path=papers), embedder=embedder)
    assert (held(folder), current(folder)) == (before, place)
    assert [path for path in folder.glob("store-*")] == [place]


# ---- what ends it ------------------------------------------------------------------------------

CHILD = """
import resource, sys
from pathlib import Path
from avo.kb_index.build import build
from avo.kb_index.fetch.sources import read
from avo.types import AvoError
folder, sources, most = Path(sys.argv[1]), read(Path(sys.argv[2])), int(sys.argv[3])
if most:
    import chromadb, sklearn.decomposition
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print("ready", flush=True)
try:
    build(folder, sources, report=lambda line: None)
except AvoError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def child(folder: Path, list_: Path, largest_file: int = 0) -> subprocess.Popen[str]:
    """A build in a process of its own that has got as far as calling it."""
    started = subprocess.Popen(
        [sys.executable, "-c", CHILD, folder, list_, str(largest_file)], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout
    assert started.stdout.readline() == "ready\n"
    return started


def written(tmp_path: Path, papers: Path) -> Path:
    list_ = tmp_path / "list.toml"
    list_.write_text(f'[[source]]\nname = "a"\ntype = "dir"\npath = "{papers}"\n')
    return list_


def killed_at(folder: Path, list_: Path, moment: Callable[[], bool]) -> bool:
    """Kill a build as soon as the moment has come; False when it ended before."""
    running = child(folder, list_)
    while not moment() and running.poll() is None:
        time.sleep(0.001)
    running.send_signal(signal.SIGKILL)
    return running.wait() == -signal.SIGKILL


@pytest.mark.parametrize("sign", ["store-2", "store-2/chroma", "store-2/lsa.npz", "store-2/kb.sqlite3"])
def test_a_killed_build_leaves_the_old_index_and_no_lock(folder: Path, papers: Path, tmp_path: Path, sign: str) -> None:
    list_ = written(tmp_path, papers)
    made(folder, *read(list_))
    before = held(folder)
    for path in papers.iterdir():
        path.write_text(path.read_text().replace("wait", "arrive") * 20)
    killed = killed_at(folder, list_, (folder / sign).exists)
    if current(folder).name == "store-1":
        assert killed
        assert held(folder) == before
        assert finds(folder, "wait_07")[0] == "f07.py"
    made(folder, *read(list_))
    assert finds(folder, "arrive_07")[0] == "f07.py"
    assert [path for path in folder.glob("store-*")] == [current(folder)]


def test_a_killed_first_build_leaves_nothing_in_the_way(folder: Path, papers: Path, tmp_path: Path) -> None:
    list_ = written(tmp_path, papers)
    while not killed_at(folder, list_, (folder / "store-1").exists):  # it may be over by then, once in a while
        shutil.rmtree(folder)
    (folder / "cache/pypi/.new-half").mkdir(parents=True)
    assert in_use(folder) is None
    assert made(folder, *read(list_)).chunks == 30
    assert not [*folder.glob("cache/*/*")]


def test_a_second_builder_is_told_who_builds(folder: Path, papers: Path, make: Make) -> None:
    made(folder, make("dir", path=papers))
    with only_builder(folder):
        running = child(folder, written(folder.parent, papers))
        said, _ = running.communicate()
    assert running.returncode == 2
    assert f"process {os.getpid()} builds this knowledge base now" in said
    assert made(folder, make("dir", path=papers)).changed is False


def test_a_folder_that_cannot_hold_an_index_is_one_line(folder: Path, papers: Path, make: Make) -> None:
    folder.write_text("a file\n")
    with pytest.raises(AvoError, match="cannot hold the knowledge base: File exists"):
        made(folder, make("dir", path=papers))


def test_two_builds_at_once_make_one_whole_index(folder: Path, papers: Path, tmp_path: Path) -> None:
    list_ = written(tmp_path, papers)
    both = [child(folder, list_), child(folder, list_)]
    codes = sorted(running.wait() for running in both)
    assert codes in ([0, 0], [0, 2])
    assert len(held(folder)) == 30


@pytest.mark.parametrize("most", [1 << 14, 1 << 17, 1 << 18])
def test_a_full_disk_is_one_line_and_leaves_the_old_index(
    folder: Path, papers: Path, tmp_path: Path, most: int
) -> None:
    list_ = written(tmp_path, papers)
    made(folder, *read(list_))
    before, place = held(folder), current(folder)
    for path in papers.iterdir():
        path.write_text("".join(CODE.format(name=f"{path.stem}_{number}", number=number) for number in range(60)))
    running = child(folder, list_, most)
    said, _ = running.communicate()
    assert running.returncode == 2, said
    assert said.strip().endswith("the index as it was stays in use")
    assert len(said.splitlines()) == 1
    assert (held(folder), current(folder)) == (before, place)
    assert [path for path in folder.glob("store-*")] == [place]
    assert finds(folder, "wait_07")[0] == "f07.py"
