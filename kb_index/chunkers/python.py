"""Python by its syntax tree: functions and methods whole, class headers separately, long functions cut."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import PurePosixPath

from avo.kb_index.chunkers.outline import Language, Named, stretches
from avo.kb_index.chunkers.pieces import assemble, by_indentation, decoded, one_line
from avo.kb_index.chunkers.plain import without_structure
from avo.kb_index.index.chunk import LONGEST, Document, Parsed

LARGEST_TREE = 4 << 20
"""Length in characters above which no tree is built: it needs some hundred times as many bytes."""
MOST_ARGUMENTS = 8
"""Number of arguments in the signature of a title."""

PYTHON = Language(
    filler=re.compile(
        r"(?:try|else|finally|except\b.*|if\b.*|elif\b.*|with\b.*):(?:\s*#.*)?|pass|#.{0,60}|\.\.\.|@overload"
    ),
    names=re.compile(r"(\w+)\s*(?::[^=]+)?=(?!=)"),
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def parse(document: Document) -> Parsed:
    """Return the chunks of a module; a text that is no Python is read as plain code."""
    text = decoded(document)
    tree = syntax(text)
    if tree is None:
        return without_structure(document, text, "code")
    lines = text.split("\n")
    comments = {number for number, line in enumerate(lines, 1) if line.lstrip().startswith("#")}
    found = stretches(lines, named(tree), comments, PYTHON, PurePosixPath(document.path).name)
    return Parsed(text, assemble(document, lines, found, by_indentation(lines), LONGEST // 2))


def syntax(text: str) -> ast.Module | None:
    """Return the syntax tree; None if the text is no Python, too large, or too deeply nested."""
    if len(text) > LARGEST_TREE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def named(tree: ast.Module) -> Iterator[Named]:
    """Yield functions, methods and classes, also under an if or a try; nested functions belong to the outer one."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        parent, scope = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, Definition):
                symbol = f"{scope}{node.name}"
                start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                is_class = isinstance(node, ast.ClassDef)
                yield Named(start, node.end_lineno or node.lineno, symbol, title(node, symbol), is_class)
                if is_class:
                    waiting.append((node, symbol + "."))
            elif isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
                waiting.append((node, scope))


def title(node: Definition, symbol: str) -> str:
    """Return the signature with argument names only, and the first paragraph of the docstring."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases[:MOST_ARGUMENTS])
        head = f"class {symbol}({bases})" if bases else f"class {symbol}"
    else:
        given = node.args
        names = [argument.arg for argument in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
        names = names[1:] if names[:1] in (["self"], ["cls"]) else names
        more = ["…"] if len(names) > MOST_ARGUMENTS else []
        head = f"{symbol}({', '.join(names[:MOST_ARGUMENTS] + more)})"
    says = (ast.get_docstring(node) or "").strip().split("\n\n")[0]
    return one_line(f"{head}: {says}" if says else head)
