"""PDF by pypdf, page by page; words hyphenated at line ends are joined."""

from __future__ import annotations

import io
import logging
import re
from pathlib import PurePosixPath

from avo.kb_index.chunkers.pieces import CONTROL, Stretch, Unreadable, assemble, by_paragraph, one_line
from avo.kb_index.index.chunk import Document, Parsed

HYPHEN = re.compile(r"(?<=[a-z])-\n[ \t]*(?=[a-z])")


def parse(document: Document) -> Parsed:
    """Return chunks of kind doc, none across pages; the text has a line `[page n]` above each page.

    Raises Unreadable for a file that is encrypted, broken, no PDF, or without text.
    """
    title, pages = read(document)
    lines: list[str] = []
    stretches = []
    for number, page in enumerate(pages, 1):
        body = tidy(page)
        if not body:
            continue
        lines.append(f"[page {number}]")
        lines += body
        start, end = len(lines) - len(body) + 1, len(lines)
        url = f"{document.url.partition('#')[0]}#page={number}" if document.url else ""
        stretches.append(
            Stretch(start, end, one_line(f"{title}, page {number}"), "doc", f"page {number}", (start, end), url)
        )
        lines.append("")
    if not stretches:
        raise Unreadable(f"{document.path}: no page of the PDF holds text")
    return Parsed("\n".join(lines), assemble(document, lines, stretches, by_paragraph(lines)))


def read(document: Document) -> tuple[str, list[str]]:
    """Return the title and the text of each page. Raises Unreadable for any error of pypdf, which raises many kinds."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(document.content))
        title = str(reader.metadata.title or "") if reader.metadata else ""
        pages = [page.extract_text() for page in reader.pages]
    except Exception as error:
        said = one_line(str(error), 80) or type(error).__name__
        raise Unreadable(f"{document.path}: a PDF that is broken or encrypted ({said})") from error
    return title.strip() or PurePosixPath(document.path).name, pages


def tidy(page: str) -> list[str]:
    """Return the lines of a page without hyphenation, control characters and blank edges."""
    text = page.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").translate(CONTROL).strip()
    return [line.rstrip() for line in HYPHEN.sub("", text.encode("utf-8", "replace").decode()).split("\n") if text]
