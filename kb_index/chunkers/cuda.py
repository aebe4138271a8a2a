"""CUDA and C++ by tree-sitter: each function whole, with template head and comments; class headers separately."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from avo.kb_index.chunkers.outline import Language, Named, stretches
from avo.kb_index.chunkers.pieces import assemble, by_indentation, decoded, one_line
from avo.kb_index.chunkers.plain import without_structure
from avo.kb_index.index.chunk import LONGEST, Document, Parsed

if TYPE_CHECKING:
    from tree_sitter import Node

PATIENCE = 5.0
"""Seconds that parsing may take: some texts that are no code take very long."""
DEEPEST = 60
"""Nesting depth of blocks below which code belongs to the enclosing block."""
SLICE = 1 << 16
"""Bytes that the parser reads at a time."""

CUDA = Language(
    filler=re.compile(
        r"[\s{}();]*(?://.{0,60}|/\*.{0,60}\*/|/{2,}|/\*[^\w]*\*/)?|#\s*(?:if|ifdef|ifndef|elif|else|endif|pragma)\b.*"
        r"|(?:public|private|protected)\s*:|namespace\b[\w:\s]*\{?|extern \"C\"\s*\{?"
    ),
    names=re.compile(
        r"\s*(?:#\s*define\s+(\w+)|using\s+(\w+)\s*=|enum\s+(?:class\s+|struct\s+)?(\w+)"
        r"|(?:static\s+|inline\s+)*constexpr\s+[\w:<>]+\s+(\w+)|typedef\b.*?(\w+)\s*;)"
    ),
)  # fmt: skip

CLASSES = {"class_specifier", "struct_specifier", "union_specifier"}
BLOCKS = {
    "translation_unit", "linkage_specification", "declaration_list", "template_declaration",
    "field_declaration_list", "preproc_if", "preproc_ifdef", "preproc_else", "preproc_elif", "preproc_elifdef",
    "declaration", "field_declaration", "type_definition", "friend_declaration", "ERROR",
}  # fmt: skip
CARRIERS = {"template_declaration", "declaration", "field_declaration", "type_definition", "friend_declaration"}
"""Nodes that may enclose a class or a function and are part of it."""
NAMES = {
    "identifier", "field_identifier", "type_identifier", "qualified_identifier", "operator_name", "destructor_name",
    "operator_cast", "template_function", "template_type",
}  # fmt: skip


def parse(document: Document) -> Parsed:
    """Return the chunks of a source or header; one that cannot be parsed in time is read as plain code."""
    text = decoded(document)
    root = syntax(text.encode())
    if root is None:
        return without_structure(document, text, "code")
    lines = text.split("\n")
    found = stretches(lines, named(root), comments(lines), CUDA, PurePosixPath(document.path).name)
    return Parsed(text, assemble(document, lines, found, by_indentation(lines), LONGEST // 2))


def syntax(source: bytes) -> Node | None:
    """Return the root of the syntax tree, with errors as nodes; None if parsing exceeds PATIENCE."""
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser
    from tree_sitter_cuda import language

    started = time.process_time()
    try:
        tree = Parser(Grammar(language())).parse(
            lambda offset, _: source[offset : offset + SLICE],
            progress_callback=lambda *_: time.process_time() - started > PATIENCE,
        )
    except ValueError:
        return None
    return tree.root_node if tree else None


def comments(lines: Sequence[str]) -> set[int]:
    """Return the numbers of the lines that begin with a comment, or are inside one that does."""
    found, inside = set(), False
    for number, line in enumerate(lines, 1):
        inside = inside or line.lstrip().startswith("/*")
        if inside or line.lstrip().startswith("//"):
            found.add(number)
        inside = inside and "*/" not in line
    return found


def named(root: Node) -> Iterator[Named]:
    """Yield function definitions and classes with a body, template heads included."""
    waiting: list[tuple[Node, str, int, int]] = [(root, "", 0, 0)]
    while waiting:
        node, scope, head, depth = waiting.pop()
        start = head or node.start_point.row + 1
        if node.type == "function_definition":
            yield function(node, scope, start)
            continue
        inner, passed_on = scope, start if node.type in CARRIERS else 0
        if node.type in CLASSES:
            if node.child_by_field_name("body") is None:
                continue
            name = node.child_by_field_name("name")
            inner = f"{scope}{written(name)}::" if name else scope
            if name:
                kind = node.type.removesuffix("_specifier")
                symbol = inner.removesuffix("::")
                yield Named(start, node.end_point.row + 1, symbol, one_line(f"{kind} {symbol}"), is_class=True)
        elif node.type == "namespace_definition":
            name = node.child_by_field_name("name")
            inner = f"{scope}{written(name)}::" if name else scope
        elif node.type not in BLOCKS:
            continue
        if depth < DEEPEST:
            waiting += [(child, inner, passed_on, depth + 1) for child in node.named_children]


def function(node: Node, scope: str, start: int) -> Named:
    """Return a function with its qualified name; its title has the parameters."""
    name, parameters = "function", ""
    declarator = node.child_by_field_name("declarator")
    while declarator is not None:
        if declarator.type in NAMES:
            name = written(declarator)
            break
        if declarator.type == "function_declarator" and (given := declarator.child_by_field_name("parameters")):
            parameters = written(given)
        deeper = declarator.child_by_field_name("declarator")
        declarator = deeper or next((child for child in declarator.named_children if child.type in NAMES), None)
    symbol = scope + name
    return Named(start, node.end_point.row + 1, symbol, one_line(symbol + parameters))


def written(node: Node) -> str:
    """Return a node's text on one line."""
    return one_line((node.text or b"").decode(errors="replace"))
