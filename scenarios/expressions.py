"""Arithmetic over a case's dimensions, evaluated on the syntax tree: never by eval."""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}
LARGEST_EXPONENT, LARGEST_BASE = 64, 1e9
"""Limits on the operands of **, against excessive computation."""


def evaluate(text: str | float, names: Mapping[str, float]) -> float:
    """Return the value of an expression of numbers, the names given, + - * / // % ** and parentheses.

    Raises ValueError for anything else, and for a value that is not finite and real.
    """
    if not isinstance(text, str):
        return text
    try:
        value = _value(_parsed(text), names)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"'{text[:80]}' is not an expression") from error
    except (ZeroDivisionError, OverflowError) as error:
        raise ValueError(f"'{text}' has no value here: {error}") from error
    if isinstance(value, complex) or not math.isfinite(value):
        raise ValueError(f"'{text}' has no finite real value here")
    return value


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _value(node: ast.AST, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            if name not in names:
                raise ValueError(f"'{name}' is not a dimension; there are: {', '.join(names)}")
            return names[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            first, second = _value(left, names), _value(right, names)
            if isinstance(op, ast.Pow) and abs(second) > LARGEST_EXPONENT:
                raise ValueError(f"exponent {second} is larger than {LARGEST_EXPONENT}")
            if isinstance(op, ast.Pow) and abs(first) > LARGEST_BASE:
                raise ValueError(f"{first} ** {second} has no value here: the base is larger than {LARGEST_BASE:g}")
            result: float = OPERATORS[type(op)](first, second)
            return result
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
    raise ValueError(f"'{ast.unparse(node)}' is not allowed: use numbers, dimensions and + - * / // % **")
