"""A candidate is compiled once, by whichever process; anything that goes into it makes it another one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avo.scenarios.loader import Scenario
from avo.settings import cache_folder
from avo.tools.score import cache
from avo.tools.score.cache import cached_build
from avo.tools.sources import Sources
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


def test_the_builds_that_were_used_longest_ago_go_first(
    tiny: Scenario, seed: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    trees = [with_sums(seed, str(2**n)) for n in range(1, 4)]
    first, second = (cached_build(tree, tiny, "cpu").library for tree in trees[:2])
    cached_build(trees[0], tiny, "cpu")  # used again
    third = cached_build(trees[2], tiny, "cpu").library
    assert (first.is_file(), second.is_file(), third.is_file()) == (True, False, True)
