"""Generated MLIR op modules: docstring and operands of every op, as text about the underlying instruction."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from avo.kb_index.chunkers import python
from avo.kb_index.chunkers.pieces import Stretch, assemble, by_paragraph, decoded, one_line
from avo.kb_index.index.chunk import Document, Parsed

LINK = re.compile(r"https?://[^\s)\]>]+")
NOT_OPERANDS = {"self", "results", "loc", "ip"}


def parse(document: Document) -> Parsed:
    """Return chunks of kind op, without adaptors and helpers; a module without ops is read as Python."""
    text = decoded(document)
    tree = python.syntax(text)
    lines = text.split("\n")
    found = list(ops(tree)) if tree is not None else []
    if not found:
        return python.parse(document)
    return Parsed(text, assemble(document, lines, found, by_paragraph(lines)))


def ops(tree: ast.Module) -> Iterator[Stretch]:
    """Yield one stretch per op: the lines of its docstring, under a line with its name and operands."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.endswith("Adaptor"):
            continue
        name = operation(node)
        if not name:
            continue
        head = f"{name}({', '.join(operands(node))})"
        first = node.body[0]
        start, end = node.lineno, node.lineno
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            start, end = first.lineno, first.end_lineno or first.lineno
        says = (ast.get_docstring(node) or "").strip()
        links = LINK.findall(says[max(0, says.rfind("For more information")) :])
        title = one_line(f"{name}: {' '.join(says.split())}" if says else name, 120)
        whole = (node.lineno, node.end_lineno or node.lineno)
        yield Stretch(start, end, title, "op", node.name, whole, links[0] if links else "", head)


def operation(node: ast.ClassDef) -> str:
    """Return the op's name in MLIR; empty for a class that is no op."""
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="OPERATION_NAME")], value=ast.Constant(value=str() as name)):
                return name
    return ""


def operands(node: ast.ClassDef) -> list[str]:
    """Return the constructor's operands, attributes and result types; optional ones end in a question mark."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            given = statement.args
            needed = [argument.arg for argument in [*given.posonlyargs, *given.args]]
            optional = [
                f"{argument.arg}?" if default is not None else argument.arg
                for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
            ]
            return [name for name in [*needed, *optional] if name.removesuffix("?") not in NOT_OPERANDS]
    return []
