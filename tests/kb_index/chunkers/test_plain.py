"""Plain text becomes paragraphs, and hostile bytes one clear line, whatever the parser."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from avo.kb_index.chunkers import CHUNKERS, Unreadable
from avo.kb_index.index.chunk import LONGEST, Parsed

Read = Callable[..., Parsed]
Uncovered = Callable[[Parsed], list[str]]
TEXTUAL = sorted(set(CHUNKERS) - {"pdf", "html"})


def test_paragraphs_are_packed_and_not_torn(read: Read, uncovered: Uncovered) -> None:
    text = "\n\n".join(f"Paragraph {i} begins.\nParagraph {i} ends." for i in range(200))
    parsed = read(text, "text", "docs/a.txt")
    assert len(parsed.chunks) < 12
    assert all(chunk.text.startswith("Para") and chunk.text.endswith("ends.") for chunk in parsed.chunks)
    assert parsed.chunks[0].title == "a.txt: Paragraph 0 begins."
    assert not uncovered(parsed)


def test_a_line_without_end_is_cut_into_pieces(read: Read) -> None:
    words = [f"word{i}" for i in range(2000)]
    parsed = read(" ".join(words), "text")
    assert len(parsed.chunks) == -(-len(" ".join(words)) // LONGEST)
    assert "".join(chunk.text for chunk in parsed.chunks).replace(" ", "") == "".join(words)


def test_the_same_text_twice_is_one_chunk(read: Read) -> None:
    assert len(read("x\n" * 800_000, "text").chunks) <= 3


def test_old_encodings_are_read(read: Read) -> None:
    assert "Größe" in read("Größe".encode("cp1252"), "text").text
    assert read("Größe".encode("utf-8-sig"), "text").text == "Größe"


@pytest.mark.parametrize("parser", TEXTUAL)
def test_an_empty_file_has_no_chunks(read: Read, parser: str) -> None:
    assert read(b"", parser).chunks == ()
    assert read(b" \n\n\t\n", parser).chunks == ()


@pytest.mark.parametrize("parser", sorted(CHUNKERS))
@pytest.mark.parametrize("nul", [True, False])
def test_binary_files_are_refused_in_one_line(read: Read, parser: str, nul: bool) -> None:
    noise = random.Random(7).randbytes(20_000)
    with pytest.raises(Unreadable) as caught:
        read(noise if nul else noise.replace(b"\0", b"\1"), parser)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("parser", sorted({*TEXTUAL, "html"}))
def test_a_text_in_another_form_than_said_is_still_read(read: Read, parser: str) -> None:
    text = "<p>Eine Größe</p> def f(: {{{ ``` \n\n# /* unended\n=====\n.. x::\n   y\n" * 300
    assert read(text.encode("cp1252"), parser).chunks
