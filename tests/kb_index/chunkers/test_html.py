"""A manual's page becomes text with headings, code and rows, and every chunk the address of its section."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from avo.kb_index.chunkers import Unreadable
from avo.kb_index.index.chunk import Chunk, Parsed

Read = Callable[..., Parsed]

URL = "https://example.org/guide/index.html"
PAGE = """\
<!DOCTYPE html><html><head><title>Guide &mdash; docs</title><style>p {}</style></head><body>
<nav class="wy-nav-side"><ul><li><a href="#x">Menu entry</a></li></ul></nav>
<div role="main" class="document" itemscope><div itemprop="articleBody">
<div role="navigation">You are here</div>
<section id="guide"><h1>Guide<a class="headerlink" href="#guide">&#182;</a></h1>
<p hidden>For robots</p><p>A short   guide to <em>waiting</em>.</p>
<section id="barriers"><h2><span class="section-number">1. </span>Barriers<a class="headerlink">x</a></h2>
<section id="mbarrier-try-wait"><h3>1.1. mbarrier.try_wait</h3>
<p>Waits for a <code class="docutils"><span class="pre">phase</span></code> of the barrier.</p>
<div class="highlight"><pre><span></span><span class="n">wait</span>:
    <span class="nf">try_wait</span> p, [a];

    bra wait;
</pre></div>
<table><thead><tr><th>Type</th><th>Bits</th></tr></thead>
<tbody><tr><td><p>.b64</p></td><td><p>64</p></td></tr><tr><td>.b32</td><td>32</td></tr></tbody></table>
<ul><li><p>First <b>point</b></p></li><li>Second point</li></ul>
</section></section>
<div class="section" id="old"><h2>Old style</h2><p>Still here.</p></div>
</section></div>
<footer>Copyright, and <a href="#">Next page</a></footer></div>
<script>var hidden = "<p>code</p>";</script></body></html>
"""


def titled(parsed: Parsed, end: str) -> Chunk:
    return next(chunk for chunk in parsed.chunks if chunk.title.endswith(end))


def test_sections_keep_their_headings_and_anchors(read: Read) -> None:
    parsed = read(PAGE, "html", url=URL)
    assert [(chunk.title, chunk.url) for chunk in parsed.chunks] == [
        ("Guide", f"{URL}#guide"),
        ("Guide > 1. Barriers > 1.1. mbarrier.try_wait", f"{URL}#mbarrier-try-wait"),
        ("Guide > Old style", f"{URL}#old"),
    ]


def test_navigation_scripts_and_permalinks_are_dropped(read: Read) -> None:
    text = read(PAGE, "html").text
    assert not [
        word for word in ("Menu", "You are here", "Next page", "hidden", "¶", "Barriersx", "robots") if word in text
    ]


def test_code_keeps_its_lines(read: Read) -> None:
    text = titled(read(PAGE, "html"), "try_wait").text
    assert "```\nwait:\n    try_wait p, [a];\n\n    bra wait;\n```" in text


def test_a_table_is_rows_and_a_list_is_points(read: Read) -> None:
    text = titled(read(PAGE, "html"), "try_wait").text
    assert "Type | Bits\n.b64 | 64\n.b32 | 32" in text
    assert "- First point\n" in text
    assert "- Second point" in text
    assert "Waits for a phase of the barrier." in text


def test_a_page_without_sections_has_the_ids_of_its_headings(read: Read) -> None:
    parsed = read('<h1>Top</h1><p>a</p><h2 id="two">Two</h2><p>b</p><h3>Three</h3><p>c</p>', "html", url=URL)
    assert [(chunk.title, chunk.url) for chunk in parsed.chunks] == [
        ("Top", URL), ("Top > Two", f"{URL}#two"), ("Top > Two > Three", URL),
    ]  # fmt: skip


def test_long_code_is_cut_but_short_code_is_not(read: Read) -> None:
    words = "".join(f"<p>Sentence {i} of the introduction to this code.</p>" for i in range(25))
    short = "\n\n".join(f"short_{i}();" for i in range(60))
    long = "\n".join(f"long_{i}();" for i in range(600))
    parsed = read(f"<section><h1>T</h1>{words}<pre>{short}</pre>{words}!<pre>{long}</pre></section>", "html")
    assert [chunk for chunk in parsed.chunks if "short_0();" in chunk.text and "short_59();" in chunk.text]
    assert all(any(f"long_{i}();" in chunk.text for chunk in parsed.chunks) for i in range(600))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"error": "not found"}', "no HTML"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "no HTML"),
        (b"", "no HTML"),
        (b"<html><body><script>render()</script></body></html>", "no text"),
        (b"\x1f\x8b\x08\x00<html>", "NUL"),
        (b"<html><body>" + b"<div>" * 300_000 + b"deep", "inside each other"),
    ],
)
def test_what_is_no_page_to_read_is_refused_in_one_line(read: Read, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as caught:
        read(content, "html")
    assert "\n" not in str(caught.value)
    assert "lib/some.file" in str(caught.value)


def test_a_deep_page_is_read(read: Read) -> None:
    assert "bottom" in read("<body>" + "<div>" * 1500 + "bottom", "html").text
