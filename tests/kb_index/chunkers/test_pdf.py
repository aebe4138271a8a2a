"""A PDF is read page by page; what is encrypted, broken or empty is refused in one line."""

from __future__ import annotations

import io
from collections.abc import Callable

import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from avo.kb_index.chunkers import Unreadable
from avo.kb_index.index.chunk import Parsed

Read = Callable[..., Parsed]
FONT = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}


def pdf(*pages: list[str], title: str = "", password: str = "") -> bytes:
    """A file with one line of text below the other on every page."""
    writer = pypdf.PdfWriter()
    for lines in pages:
        page = writer.add_blank_page(600, 800)
        shown = "".join(f"1 0 0 1 50 {750 - 14 * row} Tm ({line}) Tj " for row, line in enumerate(lines))
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf {shown} ET".encode())
        font = DictionaryObject({NameObject(key): NameObject(value) for key, value in FONT.items()})
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def test_every_page_is_a_chunk_with_its_number(read: Read) -> None:
    parsed = read(
        pdf(["Tensor memory", "has 512 columns."], [], ["The end."], title="Tuning"), "pdf", url="https://e.org/t.pdf"
    )
    assert [(chunk.title, chunk.url) for chunk in parsed.chunks] == [
        ("Tuning, page 1", "https://e.org/t.pdf#page=1"),
        ("Tuning, page 3", "https://e.org/t.pdf#page=3"),
    ]
    assert parsed.chunks[0].text == "Tensor memory\nhas 512 columns."
    assert "[page 3]\nThe end." in parsed.text


def test_a_word_parted_at_the_end_of_a_line_is_one_word_again(read: Read) -> None:
    text = read(pdf(["All warps synchro-", "nize here, on SM-", "90 as well."]), "pdf").text
    assert "synchronize here" in text
    assert "SM-\n90" in text


def test_a_long_page_is_cut(read: Read) -> None:
    parsed = read(pdf([f"Line {i} of a page that says a lot about nothing at all" for i in range(50)]), "pdf")
    assert len(parsed.chunks) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>not a pdf</html>", "broken or encrypted"),
        (b"%PDF-1.7\nnothing behind the head", "broken or encrypted"),
        (pdf(["text"])[:300], "broken or encrypted"),
        (pdf(["secret"], password="key"), "not been decrypted"),
        (pdf([], []), "no page"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(read: Read, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as caught:
        read(content, "pdf")
    assert "\n" not in str(caught.value)
