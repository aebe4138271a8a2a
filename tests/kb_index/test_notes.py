"""The notes of the knowledge base: short, with title, architectures and sources; what they refer to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from avo.kb_index.chunkers.markdown import front_matter, parse
from avo.kb_index.index.chunk import Document

FOLDER = Path(__file__).parents[2] / "kb_index" / "notes"
NOTES = sorted(FOLDER.glob("*.md"))
ARCHITECTURES = {"sm_80", "sm_90", "sm_100", "cpu", "any"}
MOST_WORDS = 400
FORBIDDEN = re.compile(
    r"\b(?:todo|fixme|tbd|lorem ipsum|cheat\w*|game the|fool the|obviously|simply put)\b"
    r"|(?<![\w.:/)\]}])/(?!proc/)[a-z_]+/[a-z_.]+"
    r"|(?:issue|pull request|thread) #\d+",
    re.IGNORECASE,
)
"""Placeholders, somebody's paths, numbers of threads, and words that a note on measuring has no use for."""

each_note = pytest.mark.parametrize("note", NOTES, ids=lambda note: note.stem)


def facts(note: Path) -> dict[str, str]:
    return front_matter(note.read_text())[0]


def body(note: Path) -> str:
    return "\n".join(note.read_text().split("\n")[front_matter(note.read_text())[1] :])


def test_there_are_enough_notes_for_the_whole_ladder() -> None:
    assert len(NOTES) >= 28
    assert {arch for note in NOTES for arch in facts(note)["arch"].split(", ")} == ARCHITECTURES


@each_note
def test_a_note_says_what_it_is_for_which_architectures_and_from_where(note: Path) -> None:
    given = facts(note)
    assert set(given) == {"title", "arch", "sources"}
    assert 8 <= len(given["title"]) <= 100
    assert set(given["arch"].split(", ")) <= ARCHITECTURES
    assert given["sources"], "at least one source of the figures"
    sources = given["sources"].split(", ")
    assert all(source.count("(") == source.count(")") for source in sources), "a comma inside of brackets"


@each_note
def test_a_note_is_short_and_has_something_to_say(note: Path) -> None:
    words = len(body(note).split())
    assert 100 <= words <= MOST_WORDS


@each_note
def test_a_note_has_no_placeholders_and_no_private_paths(note: Path) -> None:
    assert FORBIDDEN.search(note.read_text()) is None


@each_note
def test_tables_and_code_are_closed(note: Path) -> None:
    text = body(note)
    assert text.count("```") % 2 == 0
    columns = 0
    for line in re.sub(r"```.*?```", "", text, flags=re.DOTALL).split("\n"):
        if not line.startswith("|"):
            columns = 0
            continue
        assert line.endswith("|"), line
        columns = columns or line.count("|")
        assert line.count("|") == columns, line


@each_note
def test_a_note_becomes_passages_with_its_title_and_architectures(note: Path) -> None:
    parsed = parse(Document("avo-notes", note.name, note.read_bytes(), "markdown"))
    assert parsed.chunks
    for chunk in parsed.chunks:
        assert chunk.kind == "note"
        assert facts(note)["title"] in chunk.title
        assert set(facts(note)["arch"].split(", ")) <= set(chunk.arch)


def test_titles_and_numbers_are_unique() -> None:
    titles = [facts(note)["title"].lower() for note in NOTES]
    numbers = [note.name[:2] for note in NOTES]
    assert all(re.fullmatch(r"\d\d-[a-z0-9-]+\.md", note.name) for note in NOTES)
    assert len(set(titles)) == len(titles)
    assert len(set(numbers)) == len(numbers)


@each_note
def test_every_note_that_is_referred_to_exists(note: Path) -> None:
    numbers = {other.name[:2] for other in NOTES}
    assert set(re.findall(r"\bnotes? (\d\d)\b", body(note))) <= numbers


def test_the_check_for_forbidden_words_finds_them() -> None:
    for text in ("TODO: measure", "see /home/me/notes", "in issue #14", "pull request #77", "how to cheat the clock"):
        assert FORBIDDEN.search(text), text
    for text in (
        "+8.1 % / +1.6 %",
        "issue slots",
        "`/proc/cpuinfo`",
        "full / causal",
        "FFMA/FADD",
        "each other's tricks",
    ):
        assert FORBIDDEN.search(text) is None, text
