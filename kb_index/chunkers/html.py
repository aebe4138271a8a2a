"""HTML manuals, such as Sphinx's: sections with anchors, code, tables by rows; navigation is dropped."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from avo.kb_index.chunkers.markdown import IN_FENCE
from avo.kb_index.chunkers.pieces import Stretch, Unreadable, assemble, by_paragraph, decoded, one_line
from avo.kb_index.chunkers.sections import Heading, in_sections
from avo.kb_index.index.chunk import Document, Parsed

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode as Node

IS_HTML = re.compile(r"<(?:html|body|section|div|p|h[1-6]|table|article|main)\b", re.IGNORECASE)
MAIN = ("article.bd-article", "[itemprop=articleBody]", "[role=main]", "main", "article", "div.body", "body")
"""Selectors of a page's main text, the narrowest first."""
DROPPED = {
    "script", "style", "nav", "aside", "footer", "form", "button", "svg", "noscript", "template", "iframe", "select",
    "head", "object", "video", "audio", "canvas", "input", "textarea",
}  # fmt: skip
DROPPED_CLASSES = {
    "headerlink", "toctree-wrapper", "sphinxsidebar", "wy-nav-side", "wy-breadcrumbs", "related", "contents", "linenos",
    "rst-footer-buttons", "prev-next-area", "prev-next-footer", "breadcrumb", "copybtn", "sr-only", "bd-header-article",
    "bd-sidebar", "bd-sidebar-primary", "bd-sidebar-secondary", "bd-footer", "bd-footer-article", "edit-this-page",
}  # fmt: skip
DROPPED_ROLES = {"navigation", "search", "banner", "contentinfo"}
BLOCKS = {
    "p", "div", "section", "article", "main", "body", "ul", "ol", "li", "dl", "dt", "dd", "table", "blockquote",
    "figure", "figcaption", "caption", "hr", "header", "details", "summary", "tr", "thead", "tbody", "pre",
}  # fmt: skip
CLOSE = {"li", "dt", "tr", "thead", "tbody", "caption"}
"""Blocks without a blank line after them."""
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
UNCLOSED = {
    "html", "head", "body", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "option",
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "path",
    "rect", "circle", "line", "polygon", "polyline", "use", "stop",
}  # fmt: skip
"""Elements whose end tag is often missing."""
DEEPEST = 2000
"""Largest nesting depth of elements; parsing time grows with its square."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
WIDTH = 120
"""Longest line of text, in characters, unless a word is longer."""


def parse(document: Document) -> Parsed:
    """Return chunks of kind doc, each with the page's address and the anchor of its section.

    Raises Unreadable for text that is no HTML, or has no content without its scripts.
    """
    from selectolax.lexbor import LexborHTMLParser

    source = decoded(document)
    if not IS_HTML.search(source, 0, 1 << 20):
        raise Unreadable(f"{document.path}: is no HTML")
    if deeper_than(source, DEEPEST):
        raise Unreadable(f"{document.path}: more than {DEEPEST} HTML elements inside each other")
    tree = LexborHTMLParser(source)
    page = Page()
    for selector in MAIN:
        if (root := tree.css_first(selector)) is not None:
            page = Page()
            page.read(root)
            if any(page.lines):
                break
    while page.lines and not page.lines[-1]:
        page.lines.pop()
    if not page.lines:
        raise Unreadable(f"{document.path}: holds no text to read")
    named = tree.css_first("title")
    title = page.headings[0].text if page.headings else one_line(named.text() if named else "")
    by_line = by_paragraph(page.lines)
    costs = [0] + [
        by_line(number) + (IN_FENCE if number in page.code else 0) for number in range(2, len(page.lines) + 1)
    ]
    chunks = in_sections(document, page.lines, page.headings, costs, title or PurePosixPath(document.path).name)
    return Parsed("\n".join(page.lines), chunks or whole(document, page.lines, title))


def whole(document: Document, lines: list[str], title: str) -> tuple[Any, ...]:
    """Return the chunks of a page that consists only of headings."""
    return assemble(document, lines, [Stretch(1, len(lines), title, "doc")], by_paragraph(lines))


class Page:
    """The readable text of a page, built element by element."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.headings: list[Heading] = []
        self.code: set[int] = set()
        """Lines before which a cut would part a block of code."""
        self.inline: list[str] = []
        """Text since the last block."""
        self.row: list[str] | None = None
        """The cells of the table row under way."""
        self.sections: list[str] = []
        """The anchors of the sections under way."""
        self.bullet = ""

    def read(self, root: Node) -> None:
        """Traverse a tree without recursion, so that its depth is not limited."""
        waiting: list[tuple[Node, bool]] = [(root, False)]
        while waiting:
            node, done = waiting.pop()
            if done:
                self.leave(node)
            elif node.is_text_node:
                self.inline.append(node.text_content or "")
            elif node.is_element_node and not dropped(node) and self.enter(node):
                waiting.append((node, True))
                children = []
                child = node.child
                while child is not None:
                    children.append(child)
                    child = child.next
                waiting += [(child, False) for child in reversed(children)]
        self.flush()

    def enter(self, node: Node) -> bool:
        """Begin an element. Return True if its children have to be read."""
        tag = node.tag
        if tag == "br":
            self.inline.append("\n")
            return False
        if self.row is not None and tag != "tr":
            self.inline.append(" " if tag in BLOCKS or tag in ("td", "th") else "")
            return True
        if tag in BLOCKS or tag in HEADINGS:
            self.flush()
        if tag == "pre":
            self.preformatted(node.text())
            return False
        if tag == "tr":
            self.row = []
        elif tag == "li":
            self.bullet = "- "
        elif is_section(node):
            self.sections.append(node.attributes.get("id") or "")
        return True

    def leave(self, node: Node) -> None:
        """End an element."""
        tag = node.tag
        if self.row is not None:
            if tag in ("td", "th"):
                self.row.append(" ".join("".join(self.inline).split()))
                self.inline.clear()
            elif tag == "tr":
                row, self.row = self.row, None
                if any(row):
                    self.lines.append(" | ".join(row))
                self.inline.clear()
            return
        if tag in HEADINGS:
            self.heading(HEADINGS[tag], node.attributes.get("id") or "")
        elif tag in BLOCKS:
            self.flush(blank=tag not in CLOSE)
            if is_section(node) and self.sections:
                self.sections.pop()

    def heading(self, level: int, anchor: str) -> None:
        """Add a heading from the collected text; without an id it gets its section's anchor, and the depth as level."""
        text = " ".join("".join(self.inline).split())
        self.inline.clear()
        if not text:
            return
        if self.sections and not anchor:
            level, anchor = len(self.sections), self.sections[-1]
        self.lines.append(f"{'#' * min(level, 6)} {text}")
        self.headings.append(Heading(len(self.lines), level, text, anchor))
        self.lines.append("")

    def preformatted(self, text: str) -> None:
        """Add a block of code unchanged, between fences."""
        body = text.strip("\n").split("\n")
        self.lines += ["```", *(line.rstrip() for line in body), "```", ""]
        self.code |= set(range(len(self.lines) - len(body) - 1, len(self.lines)))

    def flush(self, blank: bool = False) -> None:
        """Write the collected text in lines of WIDTH characters, then a blank line if `blank`."""
        words = "".join(self.inline).split()
        self.inline.clear()
        line = self.bullet if words else ""
        if words:
            self.bullet = ""
        for word in words:
            if line.strip() and len(line) + len(word) > WIDTH:
                self.lines.append(line.rstrip())
                line = ""
            line += word + " "
        if line:
            self.lines.append(line.rstrip())
        if blank and self.lines and self.lines[-1]:
            self.lines.append("")


def deeper_than(source: str, limit: int) -> bool:
    """Return True if tags are nested more than `limit` deep."""
    depth = 0
    for match in TAG.finditer(source):
        if match[2].lower() not in UNCLOSED:
            depth = max(0, depth - 1) if match[1] else depth + 1
            if depth > limit:
                return True
    return False


def dropped(node: Node) -> bool:
    """Return True if an element is navigation or holds no text."""
    if node.tag in DROPPED:
        return True
    attributes = node.attributes
    classes = attributes.get("class")
    return (
        attributes.get("role") in DROPPED_ROLES
        or "hidden" in attributes
        or bool(classes and not DROPPED_CLASSES.isdisjoint(classes.split()))
    )


def is_section(node: Node) -> bool:
    """Return True if an element is a section as Sphinx writes it, in old or new versions."""
    return node.tag == "section" or (node.tag == "div" and "section" in (node.attributes.get("class") or "").split())
