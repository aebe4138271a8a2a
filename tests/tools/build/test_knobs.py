"""Knobs: declared in the source next to what they set, changed without touching anything else."""

from __future__ import annotations

import pytest

from avo.tools.build.knobs import knobs_of, settings_of, with_settings
from avo.types import ToolError

SOURCES = {
    "a.cpp": b"// avo:knob TILE {32, 64,128}\nconstexpr int TILE = 32;  // keys; TILE = 99\nint TILES = TILE;\n"
    b"  // avo:knob EXP {0, 1}  which exponential\n  static constexpr int EXP=1 ;\n",
    "b.h": b"// avo:knob KIND {float, std::size_t}\n#define KIND float // TILE\n",
}


def test_knobs_are_found_with_their_values_and_what_stands() -> None:
    found = knobs_of(SOURCES)
    assert {name: (knob.file, knob.values, knob.value) for name, knob in found.items()} == {
        "TILE": ("a.cpp", ("32", "64", "128"), "32"),
        "EXP": ("a.cpp", ("0", "1"), "1"),
        "KIND": ("b.h", ("float", "std::size_t"), "float"),
    }
    assert settings_of(SOURCES) == {"TILE": "32", "EXP": "1", "KIND": "float"}


def test_setting_a_knob_changes_its_value_and_nothing_else() -> None:
    changed = with_settings(SOURCES, {"TILE": "128", "KIND": "std::size_t", "EXP": "0"})
    assert changed["a.cpp"] == (SOURCES["a.cpp"].replace(b"TILE = 32;", b"TILE = 128;").replace(b"EXP=1 ;", b"EXP=0 ;"))
    assert changed["b.h"] == SOURCES["b.h"].replace(b"KIND float", b"KIND std::size_t")
    assert settings_of({"a.cpp": changed["a.cpp"]}) == {"TILE": "128", "EXP": "0"}
    assert with_settings(SOURCES, {}) == SOURCES


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"TIEL": "32"}, "no knob 'TIEL'; there are: TILE, EXP, KIND"),
        ({"TILE": "48"}, "knob TILE takes 32, 64, 128, not 48"),
        ({"TILE": "32; int x"}, "knob TILE takes"),
    ],
)
def test_an_unknown_knob_or_value_is_answered_with_those_there_are(settings: dict[str, str], answer: str) -> None:
    with pytest.raises(ToolError, match=answer):
        with_settings(SOURCES, settings)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("// avo:knob A {1, 2}\nint b = 3;\n", "knob A: the line below its declaration does not set it: 'int b = 3;'"),
        ("// avo:knob A {}\nint A = 3;\n", "knob A in x.h has no values"),
        ("// avo:knob A {1}\nint A = 1;\n// avo:knob A {1}\nint A = 1;\n", "knob A is declared twice"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_told(text: str, answer: str) -> None:
    files = {"x.h": text.encode()}
    with pytest.raises(ToolError, match=answer):
        knobs_of(files)
    assert settings_of(files) == {}


def test_sources_without_knobs_have_none() -> None:
    assert knobs_of({"a.cpp": b"// a knob: avo:knobs are fun {1}\nint a = 1;"}) == {}
    with pytest.raises(ToolError, match="no knob 'A'; there are: none"):
        with_settings({"a.cpp": b"int A = 1;"}, {"A": "1"})


def test_a_knob_beside_bytes_that_are_no_text_can_be_set() -> None:
    # Surfaced as UnicodeDecodeError when this was written.
    files = {"a.cpp": b"// \xff\n// avo:knob A {1, 2}\nint A = 1;\n"}
    assert with_settings(files, {"A": "2"})["a.cpp"] == files["a.cpp"].replace(b"A = 1", b"A = 2")
