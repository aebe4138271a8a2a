"""Python is cut where its syntax tree says, and no line of it is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from avo.kb_index.index.chunk import Chunk, Parsed

Read = Callable[..., Parsed]
Uncovered = Callable[[Parsed], list[str]]

MODULE = '''\
# SPDX-License-Identifier: MIT
# Use it as you like.

"""Sums over a warp."""

import math
LOG2_E = math.log2(math.e)

try:
    import numpy as np
except ImportError:
    np = None

# Adds up what the
# lanes of a warp hold.
@jit
@cached(maxsize=4)
def warp_sum(value: Float32, width: int = 32, *, mask=None):
    """Butterfly sum over the lanes.

    Every lane gets the result.
    """
    def inner(a):
        return a
    return inner(value)


class Softmax(Base):
    """Row-wise softmax of one tile."""

    rows: int = 4

    def __init__(self, rows):
        self.rows = rows

    LIMIT = 8.0

    # Only when the maximum moved.
    def rescale(self, acc, scale):
        return acc * scale

    class Config:
        def stages(self): return 2

if np is None:
    def fallback():
        pass
else:
    async def fallback():
        return np
'''


def by_symbol(parsed: Parsed, symbol: str) -> Chunk:
    return next(chunk for chunk in parsed.chunks if chunk.symbol == symbol)


def test_a_function_stands_whole_with_its_decorators_and_the_comments_above(read: Read) -> None:
    chunk = by_symbol(read(MODULE, "python"), "warp_sum")
    assert chunk.text.startswith("# Adds up what the\n# lanes")
    assert chunk.text.endswith("return inner(value)")
    assert (chunk.start, chunk.end) == chunk.symbol_lines == (14, 25)
    assert chunk.title == "warp_sum(value, width, mask): Butterfly sum over the lanes."


def test_methods_stand_apart_from_the_header_of_their_class(read: Read) -> None:
    parsed = read(MODULE, "python")
    header = by_symbol(parsed, "Softmax")
    assert "rows: int = 4" in header.text
    assert "def __init__" not in header.text
    assert header.symbol_lines == (28, 43)
    assert by_symbol(parsed, "Softmax.rescale").text.lstrip().startswith("# Only when")
    assert by_symbol(parsed, "Softmax.rescale").title == "Softmax.rescale(acc, scale)"
    assert by_symbol(parsed, "Softmax.Config.stages").start == 43


def test_fields_between_methods_belong_to_the_class(read: Read) -> None:
    found = [chunk for chunk in read(MODULE, "python").chunks if "LIMIT" in chunk.text]
    assert [chunk.symbol for chunk in found] == ["Softmax"]


def test_functions_under_an_if_are_found(read: Read) -> None:
    parsed = read(MODULE, "python")
    assert [chunk.start for chunk in parsed.chunks if chunk.symbol == "fallback"] == [46, 49]


def test_what_a_module_defines_outside_functions_names_the_chunk(read: Read) -> None:
    chunk = read(MODULE, "python", "lib/warp.py").chunks[0]
    assert chunk.title == "warp.py: LOG2_E"
    assert chunk.symbol == ""


def test_only_the_licence_at_the_head_is_left_out(read: Read, uncovered: Uncovered) -> None:
    parsed = read(MODULE, "python")
    assert uncovered(parsed) == MODULE.split("\n")[:2]
    assert not any("SPDX" in chunk.text for chunk in parsed.chunks)


def test_a_head_that_says_more_than_a_copyright_stays(read: Read, uncovered: Uncovered) -> None:
    assert not uncovered(read("# Copyright (c) 2025, A. Writer\n# Forward pass with two stages.\nx = 1\n", "python"))


def test_a_long_method_is_cut_at_blank_lines_and_every_piece_knows_the_whole(read: Read, uncovered: Uncovered) -> None:
    body = "\n".join(f"        load(tile_{i})\n        wait(tile_{i})\n" for i in range(120))
    parsed = read(f"class Kernel:\n    def mainloop(self):\n{body}", "python")
    pieces = [chunk for chunk in parsed.chunks if chunk.symbol == "Kernel.mainloop"]
    assert len(pieces) >= 3
    assert {chunk.symbol_lines for chunk in pieces} == {(2, 361)}
    assert [chunk.title for chunk in pieces] == [
        f"Kernel.mainloop() ({i}/{len(pieces)})" for i in range(1, len(pieces) + 1)
    ]
    assert all(chunk.text.endswith(")") and "wait" in chunk.text.rsplit("\n", 1)[1] for chunk in pieces)
    assert min(len(chunk.text) for chunk in pieces) > 300
    assert not uncovered(parsed)


@pytest.mark.parametrize(
    "text", ["def broken(:\n    pass\n\nx = 1\n", "(" * 5000, "-" * 200_000 + "1", "print 'old'\n"]
)
def test_what_is_no_python_is_read_as_plain_code(read: Read, uncovered: Uncovered, text: str) -> None:
    parsed = read(text, "python")
    assert {chunk.kind for chunk in parsed.chunks} == {"code"}
    assert {chunk.symbol for chunk in parsed.chunks} == {""}
    assert not uncovered(parsed)


def test_two_methods_with_the_same_text_are_both_found(read: Read) -> None:
    same = "    def empty(self):\n        return None\n"
    parsed = read(f"class A:\n{same}\nclass B:\n{same}", "python")
    assert {chunk.symbol for chunk in parsed.chunks} >= {"A.empty", "B.empty"}


def test_a_million_lines_are_read(read: Read) -> None:
    text = "".join(f"x{i} = {i}\n" for i in range(1_000_000))
    assert len(read(text, "python").chunks) > 5000


def test_form_feeds_and_odd_line_ends_do_not_move_the_lines(read: Read) -> None:
    parsed = read("a = '\u2028'\r\n\x0c\rdef f():\r\n    return 1\r\n", "python")
    assert by_symbol(parsed, "f").start == 3
