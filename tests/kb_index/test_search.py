"""Search: both indexes, several questions, filters and tags; then reading on from a hit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.index.chunk import Chunk, Document, Parsed
from avo.kb_index.index.store import Store
from avo.kb_index.reading import MOST_LINES, read, symbols
from avo.kb_index.search import SNIPPET, advice, search, snippet
from avo.types import AvoError


@pytest.mark.parametrize(
    ("question", "symbol"),
    [
        ("mbarrier.try_wait.parity", "wait_for_copy"),
        ("wait until a bulk copy has landed", "wait_for_copy"),
        ("tcgen05.ld", "read_accumulator"),
        ("setmaxnreg.inc waits until the pool has more", "setmaxnreg_inc"),
        ("tensor memory", "read_accumulator"),
    ],
)
def test_a_thing_is_found_by_name_and_in_words(store: Store, question: str, symbol: str) -> None:
    assert symbol in [hit.symbol for hit in search(store, question, 2)]


def test_a_hit_says_where_it_stands(store: Store) -> None:
    hit = search(store, "wgmma.mma_async", 1)[0]
    assert (hit.id, hit.source, hit.path) == ("kernels:hopper/product.py#L1-4", "kernels", "hopper/product.py")
    assert (hit.version, hit.lines, hit.symbol_lines, hit.arch) == ("2.5", (1, 4), (1, 4), ("sm_90",))
    assert "wgmma.mma_async" in hit.snippet


def test_several_questions_find_what_each_of_them_asks_for(store: Store) -> None:
    hits = search(store, ["announce bytes", "read_accumulator"], 2)
    assert {hit.symbol for hit in hits} == {"read_accumulator", "announce_bytes"}


def test_two_searches_give_the_same(store: Store) -> None:
    assert search(store, ["accumulator", "registers"]) == search(store, ["accumulator", "registers"])


@pytest.mark.parametrize(
    ("arch", "kept", "left_out"),
    [("sm_90a", "sm_90", "sm_100"), ("sm_90", "sm_90", "sm_100"), ("100a", "sm_100", "sm_90")],
)
def test_an_architecture_keeps_its_own_and_what_belongs_to_none(
    store: Store, arch: str, kept: str, left_out: str
) -> None:
    tags = {
        tag for hit in search(store, "accumulator registers wgmma tcgen05 barrier", 20, arch=arch) for tag in hit.arch
    }
    assert tags == {kept, "any"}
    assert left_out not in tags


def test_sources_and_kinds_limit(store: Store) -> None:
    assert {hit.source for hit in search(store, "registers", 20, source="lessons")} == {"lessons"}
    assert {hit.source for hit in search(store, "registers", 20, source="lessons, reference")} == {
        "lessons",
        "reference",
    }
    assert {hit.kind for hit in search(store, "registers", 20, kind="instruction")} == {"instruction"}
    both = search(store, "registers accumulator", 20, source="kernels", arch="sm_100", kind="code")
    assert {hit.path for hit in both} == {"blackwell/product.py"}


def test_an_unknown_source_or_kind_names_those_that_there_are(store: Store) -> None:
    with pytest.raises(AvoError, match="no source 'kernel'; there are: kernels, lessons, reference"):
        search(store, "x", source="kernel")
    with pytest.raises(AvoError, match="no kind 'prose'; there are: code, instruction, note"):
        search(store, "x", kind="prose")


def test_nothing_found_says_which_filter_to_drop(store: Store) -> None:
    assert search(store, "wgmma", source="kernels", kind="note") == []
    told = advice(store, ["wgmma"], source="kernels", kind="note")
    assert told == "nothing found; drop a filter: source kernels, kind note"
    assert "no passage shares a word" in advice(store, ["zyzzyva"])
    assert "no passage shares a word" in advice(store, ["zyzzyva"], source="lessons")


@pytest.mark.parametrize("question", ["", "   ", "the of a", "zyzzyva", "\0\x1b[2J", '") OR 1=1 --', "é" * 5000])
def test_a_question_without_a_known_word_finds_nothing(store: Store, question: str) -> None:
    assert search(store, question) == []
    assert search(store, [question, ""]) == []


def test_a_symbol_comes_once_and_a_file_twice_while_there_are_others(tmp_path: Path) -> None:
    def document(path: str, symbols: list[str]) -> tuple[Document, Parsed]:
        chunks = tuple(
            Chunk(at, at, f"{name} tile", f"tile number {at} of {path}", "code", name, (1, 9))
            for at, name in enumerate(symbols, 1)
        )
        return Document("s", path, b"", "python"), Parsed("tile\n" * 9, chunks)

    with Store.create(tmp_path / "kb") as store:
        store.put(*document("a.py", ["f", "f", "g", "h", "i"]))
        store.put(*document("b.py", ["k"]))
        store.finish()
        hits = search(store, "tile", 10)
        assert sorted(hit.symbol for hit in hits) == ["f", "g", "h", "i", "k"]
        assert [hit.path for hit in hits[:3]].count("a.py") == 2


def test_a_scenarios_tags_turn_the_scales_only_between_equals(tmp_path: Path, cut: Any) -> None:
    with Store.create(tmp_path / "kb") as made:
        text = "def {0}(x):\n    # sums up the rows of one tile{1}\n"
        made.put(*cut("a:x.py", text.format("one", "") + text.format("two", " for a softmax")))
        made.finish()
        assert [hit.symbol for hit in search(made, "sums rows of a tile")] == ["one", "two"]
        biased = search(made, "sums rows of a tile", tags=("online-softmax", "attention"))
        assert [hit.symbol for hit in biased] == ["two", "one"]
        assert search(made, "one", tags=("softmax",))[0].symbol == "one"


def test_a_snippet_is_the_lines_that_share_most_with_the_question() -> None:
    text = "\n".join(f"line {at} of nothing in particular" for at in range(100)) + "\nthe barrier waits\nend"
    assert "the barrier waits" in snippet(text, {"barrier", "wait"})
    assert len(snippet(text, {"barrier"})) <= SNIPPET
    assert len(snippet("x" * 5000, {"y"})) == SNIPPET
    assert snippet("", {"y"}) == ""


def test_a_hit_is_read_with_its_licence_and_its_neighbours(store: Store) -> None:
    passage = read(store, "kernels:hopper/barrier.py#L1-4")
    assert (passage.version, passage.licence, passage.first, passage.last) == ("2.5", "Apache-2.0", 1, 4)
    assert (passage.previous, passage.next) == ("", "kernels:hopper/barrier.py#L5-7")
    lines = passage.text().splitlines()
    assert lines[0] == "kernels:hopper/barrier.py lines 1-4 of 7"
    assert lines[1] == "kernels 2.5, licence Apache-2.0"
    assert lines[2] == "1  def wait_for_copy(mbar_ptr, phase):"
    assert read(store, passage.next).previous == "kernels:hopper/barrier.py#L1-4"


def test_lines_and_context_widen_and_every_answer_is_limited(store: Store) -> None:
    assert read(store, "lessons:long.md", "100-102").lines == (
        "row 99 of the table",
        "row 100 of the table",
        "row 101 of the table",
    )
    assert read(store, "lessons:long.md", "100").lines == ("row 99 of the table",)
    assert len(read(store, "lessons:long.md", "100", context=2).lines) == 5
    assert len(read(store, "lessons:long.md").lines) == MOST_LINES
    assert len(read(store, "lessons:long.md", "1-999999999").lines) == MOST_LINES
    assert read(store, "long.md", "890-2000").last == 901


def test_a_short_answer_says_where_to_go_on(store: Store) -> None:
    text = read(store, "lessons:long.md").text(1000)
    assert len(text) <= 1000
    shown = int(text.split("lines 1-")[1].split(" ")[0])
    assert f"go on: lines {shown + 1}-" in text


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("../../etc/passwd", "", "no document '../../etc/passwd'"),
        ("/etc/passwd", "", "no document"),
        ("kernels:../hopper/barrier.py", "", "near it: kernels:hopper/barrier.py"),
        ("", "", "no document"),
        ("product.py", "", "in several places: kernels:hopper/product.py, kernels:blackwell/product.py"),
        ("hopper/barrier.py", "20-30", "has lines 1-7"),
        ("hopper/barrier.py", "5-2", "has lines 1-7"),
        ("hopper/barrier.py", "all", "give A-B"),
        ("hopper/barrier.py", "-3", "give A-B"),
    ],
)
def test_only_stored_lines_are_served(store: Store, name: str, lines: str, problem: str) -> None:
    with pytest.raises(AvoError, match=problem):
        read(store, name, lines)


def test_the_symbols_of_a_document_are_its_table_of_contents(store: Store) -> None:
    assert symbols(store, "kernels:hopper/barrier.py") == [
        {"symbol": "wait_for_copy", "lines": [1, 4], "kind": "code"},
        {"symbol": "announce_bytes", "lines": [5, 7], "kind": "code"},
    ]
    assert [entry["symbol"] for entry in symbols(store, "registers.md")] == [
        "Sharing out registers",
        "Rescaling rarely",
    ]
