"""Markdown and reStructuredText are cut at their headings, and code is not torn apart."""

from __future__ import annotations

from collections.abc import Callable

from avo.kb_index.index.chunk import Parsed

Read = Callable[..., Parsed]

GUIDE = """\
# Pipelines

Stages hide latency.

## Barriers
### Arrival

A producer arrives.

```cpp
# no heading
arrive(bar);
```

Waiting
-------

A consumer waits.
"""

RST = """\
==========
The guide
==========

Intro text.

.. _label:

Copies
======

Bulk copies are quick.

.. code-block:: cpp

   copy(a, b);

   commit();

Details
-------

Sixteen bytes at a time.

Layouts
=======

Rows first.
"""


def test_a_section_stands_under_the_headings_above_it(read: Read) -> None:
    titles = [chunk.title for chunk in read(GUIDE, "markdown").chunks]
    assert titles == ["Pipelines", "Pipelines > Barriers > Arrival", "Pipelines > Waiting"]


def test_a_section_knows_where_it_ends(read: Read) -> None:
    first, arrival, waiting = read(GUIDE, "markdown").chunks
    assert first.symbol_lines[0] == 1
    assert first.symbol_lines[1] >= 18
    assert (arrival.start, arrival.end) == (6, 13)
    assert arrival.symbol_lines == (6, 14)
    assert waiting.symbol_lines[0] == 15


def test_a_sign_inside_code_is_no_heading(read: Read) -> None:
    assert "# no heading\narrive(bar);" in read(GUIDE, "markdown").chunks[1].text


def test_code_stays_whole_where_it_fits(read: Read) -> None:
    code = "\n\n".join(f"step({i});" for i in range(80))
    prose = "\n\n".join(f"Sentence {i} explains a little of what the code does." for i in range(20))
    parsed = read(f"# Loop\n\n{prose}\n\n```\n{code}\n```\n\n{prose} Again.\n", "markdown")
    assert [chunk for chunk in parsed.chunks if "step(0);" in chunk.text and "step(79);" in chunk.text]
    assert len(parsed.chunks) > 2


def test_code_that_is_too_long_is_cut_at_its_lines(read: Read) -> None:
    code = "\n".join(f"step({i});" for i in range(900))
    parsed = read(f"# Loop\n\n```\n{code}\n```\n", "markdown")
    assert all(any(f"step({i});" in chunk.text.split("\n") for chunk in parsed.chunks) for i in range(900))


def test_a_note_says_what_it_is_about(read: Read) -> None:
    note = (
        "---\ntitle: Rescaling\narch: [sm_90, sm_100]\nsources: [a paper]\n---\n"
        "Rescale rarely, on Ampere too.\n\n## Why\n\nIt costs.\n"
    )
    parsed = read(note, "markdown")
    assert [chunk.title for chunk in parsed.chunks] == ["Rescaling", "Rescaling > Why"]
    assert {chunk.arch for chunk in parsed.chunks} == {("sm_90", "sm_100")}
    assert {chunk.kind for chunk in parsed.chunks} == {"note"}
    assert parsed.chunks[0].start == 6
    assert not any("a paper" in chunk.text for chunk in parsed.chunks)


def test_a_rule_at_the_head_is_no_front_matter(read: Read) -> None:
    assert "Nothing ends here." in read("---\n\nNothing ends here.\n", "markdown").chunks[0].text


def test_restructured_text_takes_its_levels_from_the_order_of_the_signs(read: Read) -> None:
    titles = [chunk.title for chunk in read(RST, "rst").chunks]
    assert titles == [
        "The guide",
        "The guide > Copies",
        "The guide > Copies > Details",
        "The guide > Layouts",
    ]


def test_a_directive_keeps_what_is_indented_under_it(read: Read) -> None:
    filler = "\n\n".join(f"Sentence {i} fills the page with words that say little." for i in range(27))
    text = RST.replace("Bulk copies are quick.", filler)
    assert [chunk for chunk in read(text, "rst").chunks if ":: cpp" in chunk.text and "commit();" in chunk.text]


def test_many_thousand_headings_are_read(read: Read) -> None:
    text = "".join(f"## Part {i}\n\nText {i}.\n\n" for i in range(20_000))
    assert len(read(text, "markdown").chunks) == 20_000
