"""HTML manuals, such as Sphinx's: sections with anchors, code, tables by rows; navigation is dropped."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from avo.kb_index.chunkers.pieces import Unreadable, decoded, one_line
from avo.kb_index.chunkers.sections import Heading, in_sections
from avo.kb_index.index.chunk import Document, Parsed

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode as Node

IS_HTML = re.compile(r"<(?:html|body|section|div|p|h[1-6]|table|article|main)\b", re.IGNORECASE)
MAIN = ("article.bd-article", "[itemprop=articleBody]", "[role=main]", "main", "article", "div.body", "body")
"""Selectors of a page's main text, the narrowest first."""
DROPPED = (
    ":is(script, style, nav, aside, footer, form, button, svg, noscript, template, iframe, select, head, object, video,"
    " audio, canvas, input, textarea, .headerlink, .toctree-wrapper, .sphinxsidebar, .wy-nav-side, .wy-breadcrumbs,"
    " .related, .contents, .linenos, .rst-footer-buttons, .prev-next-area, .prev-next-footer, .breadcrumb, .copybtn,"
    " .sr-only, .bd-header-article, .bd-sidebar, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-footer,"
    " .bd-footer-article, .edit-this-page, [role=navigation], [role=search], [role=banner], [role=contentinfo],"
    " [hidden])"
)
"""Selector of navigation, and of what holds no text; one selector, so that each element is found once."""
BLOCKS = {
    "p", "div", "section", "article", "main", "body", "ul", "ol", "li", "dl", "dt", "dd", "table", "blockquote",
    "figure", "figcaption", "caption", "hr", "header", "details", "summary", "thead", "tbody",
}  # fmt: skip
CLOSE = {"li", "dt", "thead", "tbody", "caption"}
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
    named = tree.css_first("title")
    page = Page()
    for root in filter(None, map(tree.css_first, MAIN)):
        for node in reversed(root.css(DROPPED)):  # those inside others first
            if node.mem_id != root.mem_id:
                node.decompose()
        page.read(root)
        if any(page.lines):
            break
    else:
        raise Unreadable(f"{document.path}: holds no text to read")
    title = "" if page.headings or named is None else one_line(named.text())
    return Parsed("\n".join(page.lines), in_sections(document, page.lines, page.headings, page.code, title))


class Page:
    """The readable text of a page, built element by element."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.headings: list[Heading] = []
        self.code: set[int] = set()
        """Lines before which a cut would part a block of code."""
        self.inline: list[str] = []
        """Text since the last block."""
        self.sections: list[str] = []
        """The anchors of the sections under way."""
        self.bullet = ""

    def read(self, root: Node) -> None:
        """Traverse a tree without recursion, so that its depth is not limited."""
        waiting: list[tuple[Node, bool]] = [(root, False)]
        while waiting:
            node, done = waiting.pop()
            if done:
                self.flush(blank=node.tag not in CLOSE)
                if is_section(node):
                    self.sections.pop()
            elif node.is_text_node:
                self.inline.append(node.text_content or "")
            elif node.is_element_node and self.enter(node):
                if node.tag in BLOCKS:
                    waiting.append((node, True))
                waiting += [(child, False) for child in reversed([*node.iter(include_text=True)])]
        self.flush(blank=False)

    def enter(self, node: Node) -> bool:
        """Begin an element. Return True if its children have to be read."""
        tag = node.tag
        if tag == "br":
            self.inline.append("\n")
            return False
        if tag in BLOCKS or tag in HEADINGS or tag in ("pre", "tr"):
            self.flush(blank=False)
        if tag in HEADINGS:
            self.heading(HEADINGS[tag], flat(node), node.attributes.get("id") or "")
        elif tag == "pre":
            self.preformatted(node.text())
        elif tag == "tr":
            self.lines.append(" | ".join(flat(cell) for cell in node.iter()))
        elif tag == "li":
            self.bullet = "- "
        elif is_section(node):
            self.sections.append(node.attributes.get("id") or "")
        return tag not in HEADINGS and tag not in ("pre", "tr")

    def heading(self, level: int, text: str, anchor: str) -> None:
        """Add a heading; without an id it gets its section's anchor, and the depth as level."""
        if self.sections and not anchor:
            level, anchor = len(self.sections), self.sections[-1]
        if text:
            self.lines += [f"{'#' * min(level, 6)} {text}", ""]
            self.headings.append(Heading(len(self.lines) - 1, level, text, anchor))

    def preformatted(self, text: str) -> None:
        """Add a block of code unchanged, between fences."""
        body = text.strip("\n").split("\n")
        self.lines += ["```", *(line.rstrip() for line in body), "```", ""]
        self.code |= set(range(len(self.lines) - len(body) - 1, len(self.lines)))

    def flush(self, blank: bool) -> None:
        """Write the collected text in lines of WIDTH characters, then a blank line if `blank`."""
        text = " ".join("".join(self.inline).split())
        self.inline.clear()
        if text:
            self.lines += textwrap.wrap(self.bullet + text, WIDTH, break_long_words=False, break_on_hyphens=False)
            self.bullet = ""
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


def flat(node: Node) -> str:
    """Return an element's text with single spaces."""
    return " ".join(node.text().split())


def is_section(node: Node) -> bool:
    """Return True if an element is a section as Sphinx writes it, in old or new versions."""
    return node.tag == "section" or (node.tag == "div" and "section" in (node.attributes.get("class") or "").split())
