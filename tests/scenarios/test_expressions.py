"""Expressions over dimensions: plain arithmetic has its value, everything else is refused in one line."""

from __future__ import annotations

import pytest

from avo.scenarios.expressions import LARGEST_EXPONENT, evaluate

DIMS = {"B": 2, "S": 7, "D": 16}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("B * S", 14), ("S / B", 3.5), ("S // B", 3), ("S % B", 1), ("-S + 1", -6), ("2 * (S - 1)", 12),
        ("D ** -0.5", 0.25), ("2 ** 3 ** 2", 512), ("1e3", 1000.0), ("S # rows", 7), (f"1 ** {LARGEST_EXPONENT}", 1),
    ],
)  # fmt: skip
def test_arithmetic_has_the_value_that_python_gives_it(text: str, value: float) -> None:
    assert evaluate(text, DIMS) == value


@pytest.mark.parametrize("number", [3, 0.5])
def test_a_number_stands_for_itself(number: float) -> None:
    assert evaluate(number, {}) == number


@pytest.mark.parametrize(
    "text",
    [
        "abs(S)", "__import__('os').getpid()", "S.real", "().__class__", "[S][0]", "{'a': 1}['a']", "'S'", "True",
        "None", "1j", "lambda: 1", "S if B else D", "S and B", "S < B", "S << 2", "~S", "+S", "not S", "(S := 3)",
        "f'{S}'", "[x for x in (1, 2)]",
    ],
)  # fmt: skip
def test_anything_but_arithmetic_is_not_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is not allowed: use numbers"):
        evaluate(text, DIMS)


def test_an_unknown_name_is_answered_with_the_dimensions() -> None:
    with pytest.raises(ValueError, match=r"^'K' is not a dimension; there are: B, S, D$"):
        evaluate("2 * K", DIMS)


@pytest.mark.parametrize("text", ["2 ** 65", "2 ** -65", "2 ** (S * 100)", "9 ** 9 ** 9", "9 ** 1e400"])
def test_a_huge_exponent_is_refused_before_it_is_computed(text: str) -> None:
    with pytest.raises(ValueError, match="is larger than 64"):
        evaluate(text, DIMS)


@pytest.mark.parametrize("text", ["", "S +", "S S", "(S", "import os", "S = 3", "S; B"])
def test_what_is_no_expression_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not an expression"):
        evaluate(text, DIMS)


@pytest.mark.parametrize("text", ["S / (B - 2)", "S // 0", "S % 0", "0 ** -1", "1e300 ** 2"])
def test_a_value_that_does_not_exist_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="has no value here"):
        evaluate(text, DIMS)


# These four surfaced as another error, or as a value that no one can compare, when this test was written.
@pytest.mark.parametrize("text", ["(0 - S) ** 0.5", "1e400", "1e400 - 1e400", "+".join(["S"] * 5000)])
def test_a_value_that_cannot_be_measured_with_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        evaluate(text, DIMS)
