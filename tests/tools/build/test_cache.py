"""A candidate is compiled once, by whichever process; anything that goes into it makes it another one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from avo.scenarios.loader import Scenario, load
from avo.settings import cache_folder
from avo.tools.build import cache
from avo.tools.build.cache import cached_build
from avo.tools.build.sources import Sources
from avo.tools.score.executor import LocalExecutor
from avo.types import Rejected


def with_sums(files: Sources, text: str) -> Sources:
    """The seed with another number of partial sums."""
    return {name: content.replace(b"SUMS = 1;", f"SUMS = {text};".encode()) for name, content in files.items()}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVO_CACHE", str(tmp_path / "cache"))


def entries() -> list[str]:
    return sorted(path.name for path in (cache_folder() / "builds").iterdir())


def test_the_second_build_is_the_first_one(tiny: Scenario, seed: Sources) -> None:
    first = cached_build(seed, tiny, "cpu")
    made = first.library.stat().st_mtime_ns
    second = cached_build(seed, tiny, "cpu")
    assert second == first
    assert second.library.stat().st_mtime_ns == made
    assert len(entries()) == 1


def test_other_sources_flags_or_headers_are_built_anew(tiny: Scenario, seed: Sources) -> None:
    flags = tiny.target("cpu").model_copy(update={"flags": ("-O1", "-march=native")})
    wider = tiny.model_copy(update={"dims": (*tiny.dims, "Z")})
    cached_build(seed, tiny, "cpu")
    cached_build(with_sums(seed, "2"), tiny, "cpu")
    cached_build(seed, tiny.model_copy(update={"targets": {"cpu": flags}}), "cpu")
    cached_build(seed, wider, "cpu")
    assert len(entries()) == 4


def test_what_does_not_compile_leaves_nothing_behind(tiny: Scenario, seed: Sources) -> None:
    with pytest.raises(Rejected):
        cached_build(with_sums(seed, ""), tiny, "cpu")
    assert entries() == []


def test_a_damaged_entry_is_built_again(tiny: Scenario, seed: Sources) -> None:
    built = cached_build(seed, tiny, "cpu")
    (built.library.parent / "build.json").write_text("{")
    again = cached_build(seed, tiny, "cpu")
    assert again.library.is_file()
    assert json.loads((again.library.parent / "build.json").read_text())["facts"]["tree"] == built.tree


def test_a_build_is_on_disk_before_it_has_its_name(
    tiny: Scenario, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that outlives a loss of power would else stand for files that do not."""
    fsync, rename, done = os.fsync, Path.rename, list[str]()

    def syncs(handle: int) -> None:
        done.append(Path(f"/proc/self/fd/{handle}").resolve().name)
        fsync(handle)

    def renames(path: Path, target: Path) -> Path:
        done.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", syncs)
    monkeypatch.setattr(Path, "rename", renames)
    cached_build(seed, tiny, "cpu")
    assert done == ["candidate.so", "build.json", "build", "renamed", "builds"]


def truncated(folder: Path) -> None:
    (folder / "candidate.so").write_bytes((folder / "candidate.so").read_bytes()[:100])


def of_another(folder: Path) -> None:
    content = (folder / "candidate.so").read_bytes()
    (folder / "candidate.so").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def with_other_facts(folder: Path) -> None:
    text = (folder / "build.json").read_text()
    assert '"seconds": ' in text
    (folder / "build.json").write_text(text.replace('"seconds": ', '"seconds": 1'))


def replaced(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file in its place")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "an empty library": lambda folder: (folder / "candidate.so").write_bytes(b""),
    "a short library": truncated,
    "another library": of_another,
    "no library": lambda folder: (folder / "candidate.so").unlink(),
    "no facts": lambda folder: (folder / "build.json").unlink(),
    "other facts": with_other_facts,
    "facts of another shape": lambda folder: (folder / "build.json").write_text('{"tree": "", "library": 3}'),
    "facts that are a list": lambda folder: (folder / "build.json").write_text("[1, 2]"),
    "facts that are no text": lambda folder: (folder / "build.json").write_bytes(b"\xff\xfe\0"),
    "nothing at all": lambda folder: [path.unlink() for path in folder.iterdir()],
    "a file": replaced,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_damaged_is_built_again_by_the_same_process(
    executor: LocalExecutor, seed: Sources, damage: Callable[[Path], object]
) -> None:
    built = executor.build(seed)
    whole = built.library.read_bytes()
    damage(built.library.parent)
    again = executor.build(seed)
    assert (again.tree, again.code, again.library.read_bytes()) == (built.tree, built.code, whole)
    assert executor.build(seed) == again
    assert entries() == [built.library.parent.name]


def test_processes_that_build_the_same_at_once_all_get_it(own_scenario: Path, seed: Sources) -> None:
    code = (
        "import sys; from avo.scenarios.loader import load; from avo.tools.build.seeds import seed_sources\n"
        "from avo.tools.build.cache import cached_build; scenario = load(sys.argv[1])\n"
        "print(cached_build(seed_sources(scenario, 'cpu'), scenario, 'cpu').code)"
    )
    damaged = cached_build(seed, load(str(own_scenario)), "cpu").library
    damaged.write_bytes(b"")
    command = [sys.executable, "-c", code, str(own_scenario)]
    under_way = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {process.communicate()[0].strip() for process in under_way}
    assert [process.returncode for process in under_way] == [0, 0, 0]
    assert len(printed) == 1
    assert len(entries()) == 1


def test_the_builds_that_were_used_longest_ago_go_first(
    tiny: Scenario, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    trees = [with_sums(seed, str(2**n)) for n in range(1, 4)]
    first, second = (cached_build(tree, tiny, "cpu").library for tree in trees[:2])
    cached_build(trees[0], tiny, "cpu")  # used again
    third = cached_build(trees[2], tiny, "cpu").library
    assert (first.is_file(), second.is_file(), third.is_file()) == (True, False, True)
