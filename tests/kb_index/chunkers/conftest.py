"""`read`: a text through its chunker, with everything checked that holds for all chunks of all forms of text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from avo.kb_index.chunkers import parse
from avo.kb_index.index.chunk import LONGEST, Document, Parsed

Read = Callable[..., Parsed]


def document(content: str | bytes, parser: str, path: str = "lib/some.file", url: str = "") -> Document:
    given = content.encode() if isinstance(content, str) else content
    return Document("src", path, given, parser, url)


def check(parsed: Parsed) -> None:
    """The promises of Chunk and Parsed."""
    lines = parsed.text.split("\n")
    assert "\r" not in parsed.text
    assert parsed.text.splitlines() == (lines if lines[-1] else lines[:-1]), "a sign other than \\n ends a line"
    ids: set[str] = set()
    for chunk in parsed.chunks:
        assert 0 < len(chunk.text) <= LONGEST
        assert 1 <= chunk.start <= chunk.end <= len(lines)
        within = "\n".join(lines[chunk.start - 1 : chunk.end])
        body = chunk.text.split("\n")[1:] if chunk.kind == "op" else chunk.text.split("\n")
        assert all(line in within for line in body), f"{chunk.title}: lines {chunk.start}-{chunk.end} say otherwise"
        assert chunk.title.strip()
        assert "\n" not in chunk.title
        assert chunk.arch
        assert chunk.kind in ("code", "doc", "instruction", "op", "note")
        assert bool(chunk.symbol) == (chunk.symbol_lines != (0, 0))
        name, repeat = f"src:lib/some.file#L{chunk.start}-{chunk.end}", 1
        while name + (f"~{repeat}" if repeat > 1 else "") in ids:
            repeat += 1
        ids.add(name + (f"~{repeat}" if repeat > 1 else ""))
    assert len(ids) == len(parsed.chunks)
    assert len({(chunk.symbol, chunk.text) for chunk in parsed.chunks}) == len(parsed.chunks), "a chunk twice"


@pytest.fixture
def read() -> Read:
    """Parse a text and check what holds for every chunk."""

    def reader(content: str | bytes, parser: str, path: str = "lib/some.file", url: str = "") -> Parsed:
        parsed = parse(document(content, parser, path, url))
        check(parsed)
        return parsed

    return reader


@pytest.fixture
def uncovered() -> Callable[[Parsed], list[str]]:
    """The non-blank lines of a text that stand in no chunk."""

    def lines(parsed: Parsed) -> list[str]:
        held = {number for chunk in parsed.chunks for number in range(chunk.start, chunk.end + 1)}
        return [line for number, line in enumerate(parsed.text.split("\n"), 1) if line.strip() and number not in held]

    return lines
