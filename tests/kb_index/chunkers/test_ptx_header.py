"""Of the generated PTX headers only the comments are kept, one chunk per instruction and set of architectures."""

from __future__ import annotations

from collections.abc import Callable

from avo.kb_index.index.chunk import Chunk, Parsed

Read = Callable[..., Parsed]


def overload(first: str, function: str, parameters: str = "  uint64_t* addr") -> str:
    return f"""
/*
// {first}
// .space     = {{ .shared::cta }}
template <typename = void>
__device__ bool {function}(
{parameters});
*/
#if ISA >= 800
template <typename = void>
API bool {function}(/* addr */ uint64_t* __addr)
{{
  asm("body of the function" : : "r"(__addr));
}}
#endif
"""


HEADER = (
    "// Made by a script.\n"
    + overload("gate.open.sem.scope.b64 state, [addr]; // PTX ISA 80, SM_90", "gate_open")
    + overload("gate.open.sem.scope.b64 state, [addr], count; // PTX ISA 80, SM_90", "gate_open")
    + overload("gate.open.cluster.b64 state, [addr]; // PTX ISA 86, SM_100a,\nSM_103f", "gate_open")
    + overload("mov.u32 value, %%lane.id; // PTX ISA 20", "get_sreg_lane_id", "")
    + "#endif\n"
)


def of(parsed: Parsed, title: str) -> Chunk:
    return next(chunk for chunk in parsed.chunks if chunk.title == title)


def test_overloads_of_an_instruction_share_a_chunk_without_their_bodies(read: Read) -> None:
    chunk = of(read(HEADER, "ptx-header"), "gate.open.sem.scope.b64")
    assert chunk.text.count("__device__ bool gate_open(") == 2
    assert "SM_90" in chunk.text
    assert "PTX ISA 80" in chunk.text
    assert "body of the function" not in chunk.text
    assert chunk.kind == "instruction"


def test_the_symbol_is_the_function_and_the_instruction(read: Read) -> None:
    parsed = read(HEADER, "ptx-header")
    chunk = of(parsed, "gate.open.cluster.b64")
    assert chunk.symbol == "gate_open gate.open"
    first, last = chunk.symbol_lines
    whole = parsed.text.split("\n")[first - 1 : last]
    assert whole[0].startswith("// gate.open.sem.scope.b64 state, [addr];")
    assert whole[-1] == chunk.text.split("\n")[-1] == "  uint64_t* addr);"
    assert "\n".join(whole).count("\n__device__ bool gate_open(") == 3


def test_a_plain_architecture_stands_for_all_later_ones(read: Read) -> None:
    parsed = read(HEADER, "ptx-header")
    assert {"sm_90", "sm_100", "sm_120"} <= set(of(parsed, "gate.open.sem.scope.b64").arch)
    assert "sm_80" not in of(parsed, "gate.open.sem.scope.b64").arch
    assert of(parsed, "gate.open.cluster.b64").arch == ("sm_100", "sm_103")


def test_a_special_register_is_named_and_belongs_to_no_architecture(read: Read) -> None:
    chunk = of(read(HEADER, "ptx-header"), "mov.u32 %lane.id")
    assert chunk.arch == ("any",)
    assert chunk.symbol.startswith("get_sreg_lane_id")


def test_every_overload_is_in_a_chunk(read: Read) -> None:
    blocks = "".join(overload(f"many.v{i}.b64 d, [addr]; // PTX ISA 80, SM_90", "many") for i in range(40))
    parsed = read(blocks, "ptx-header")
    assert 1 < len(parsed.chunks) < 20
    assert all(any(f"many.v{i}.b64" in chunk.title for chunk in parsed.chunks) for i in range(40))
    assert all(chunk.text.startswith("// many.v") for chunk in parsed.chunks)


def test_a_header_without_such_comments_is_read_as_cpp(read: Read) -> None:
    assert read("int answer() { return 42; }\n", "ptx-header").chunks[0].symbol == "answer"


def test_a_comment_that_never_ends_is_no_overload(read: Read) -> None:
    text = HEADER + "/*\n// lost.b32 d; // PTX ISA 80, SM_90\n__device__ void lost(int a);\n"
    assert not any("lost" in chunk.text for chunk in read(text, "ptx-header").chunks)
