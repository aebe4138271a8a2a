"""CUDA and C++ are cut where their grammar says, qualifiers, templates and inline PTX included."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from avo.kb_index.index.chunk import Chunk, Parsed

Read = Callable[..., Parsed]
Uncovered = Callable[[Parsed], list[str]]

SOURCE = """\
/*
 * Redistribution and use in any form are permitted.
 */
#pragma once
#include <cstdint>
#define STAGES 4
#define DEPTH(x) \\
  ((x) * STAGES)

namespace tiles { namespace sm90 {

/// Waits until a phase is over.
/// Spins.
template <int N>
__device__ __forceinline__ void wait(uint64_t* bar, uint32_t parity) {
  asm volatile("{ mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1; }" :: "r"(bar), "r"(parity));
}

struct Barrier {
  uint64_t value;

  __device__ static void arrive(uint64_t* bar) { asm volatile("mbarrier.arrive.b64 _, [%0];" :: "l"(bar)); }

  /* Counts
     bytes. */
  __device__ void expect(int bytes) {
    value += bytes;
  }
  ~Barrier() { value = 0; }
  bool operator==(Barrier other) const { return value == other.value; }
};

}}  // namespace tiles::sm90

#ifdef TWO
__global__ void __launch_bounds__(128)
kernel(float* out) {
  out[0] = 2;
}
#else
__global__ void kernel(float* out) {
  out[0] = 1;
}
#endif

void tiles::sm90::Outer::inner(int a) { a++; }

extern "C" {
int launch(void* stream) { return 0; }
}
"""


def by_symbol(parsed: Parsed, symbol: str) -> Chunk:
    return next(chunk for chunk in parsed.chunks if chunk.symbol == symbol)


def test_a_device_function_stands_whole_with_template_and_comments(read: Read) -> None:
    chunk = by_symbol(read(SOURCE, "cuda"), "tiles::sm90::wait")
    assert chunk.text.startswith("/// Waits until")
    assert "template <int N>" in chunk.text
    assert "mbarrier.try_wait" in chunk.text
    assert chunk.symbol_lines == (12, 17)
    assert chunk.title == "tiles::sm90::wait(uint64_t* bar, uint32_t parity)"


def test_methods_stand_apart_from_the_header_of_their_struct(read: Read) -> None:
    parsed = read(SOURCE, "cuda")
    header = by_symbol(parsed, "tiles::sm90::Barrier")
    assert header.text == "struct Barrier {\n  uint64_t value;"
    assert header.symbol_lines == (19, 31)
    assert by_symbol(parsed, "tiles::sm90::Barrier::expect").text.lstrip().startswith("/* Counts")
    assert {chunk.symbol.rpartition("::")[2] for chunk in parsed.chunks} >= {"arrive", "~Barrier", "operator=="}


def test_both_branches_of_the_preprocessor_are_read(read: Read) -> None:
    kernels = [chunk for chunk in read(SOURCE, "cuda").chunks if chunk.symbol == "kernel"]
    assert [chunk.symbol_lines for chunk in kernels] == [(36, 39), (41, 43)]


def test_qualified_names_and_linkage_blocks_are_read(read: Read) -> None:
    symbols = {chunk.symbol for chunk in read(SOURCE, "cuda").chunks}
    assert {"tiles::sm90::Outer::inner", "launch"} <= symbols


def test_macros_name_the_chunk_outside_functions(read: Read) -> None:
    assert read(SOURCE, "cuda", "include/tiles.h").chunks[0].title == "tiles.h: STAGES, DEPTH"


def test_only_the_licence_is_left_out(read: Read, uncovered: Uncovered) -> None:
    assert uncovered(read(SOURCE, "cuda")) == SOURCE.split("\n")[:3]


def test_brackets_and_endifs_make_no_chunks_of_their_own(read: Read) -> None:
    assert not [chunk.text for chunk in read(SOURCE, "cuda").chunks if len(chunk.text) < 12]


def test_a_long_kernel_is_cut_and_every_piece_knows_the_whole(read: Read, uncovered: Uncovered) -> None:
    body = "\n".join(f"    stage({i});\n    if (last) {{\n      drain({i});\n    }}\n" for i in range(100))
    parsed = read(f"__global__ void loop(bool last) {{\n{body}}}\n", "cuda")
    assert len(parsed.chunks) >= 3
    assert {chunk.symbol_lines for chunk in parsed.chunks} == {(1, 501)}
    assert all(chunk.text.startswith(("__global__", "    stage")) for chunk in parsed.chunks)
    assert not uncovered(parsed)


@pytest.mark.parametrize(
    "text",
    [
        "the quick brown fox\n\njumps over\n", "{" * 20_000, "namespace a {\n" * 5000 + "int f() { return 1; }\n",
        "*/\n" * 2000, "/* never closed\nint x;\n", "#if A\nint f() {\n#else\nint g() {\n#endif\n}\n",
        "int a() { return 1; } int b() { return 2; }\n", "a<" * 20_000,
    ],
)  # fmt: skip
def test_no_line_of_odd_code_is_lost(read: Read, uncovered: Uncovered, text: str) -> None:
    parsed = read(text, "cuda")
    distinct = {line.strip() for line in uncovered(parsed)} - {
        line.strip() for chunk in parsed.chunks for line in chunk.text.split("\n")
    }
    assert not distinct
