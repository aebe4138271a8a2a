"""Web pages as sources: a single page, or those linked from it below its folder; cached with their ETags."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from avo.kb_index.chunkers.html import DEEPEST, deeper_than
from avo.kb_index.fetch.fetch import Fetched, Reach, Unreachable
from avo.kb_index.fetch.page import Page, get
from avo.kb_index.fetch.selection import LARGEST_PAGE, Skipped, below
from avo.kb_index.fetch.sources import Url

FAILURES = 5
"""Number of consecutive failed pages that ends a crawl."""
PAUSE = 0.05
"""Seconds between two requests to a host."""


def pages(source: Url, reach: Reach) -> Fetched:
    """Return the page; with `crawl`, also the pages below its folder that it links to.

    Raises Unreachable if the first page fails.
    """
    prefix = source.url.rpartition("/")[0] + "/"
    skipped = Skipped()
    if source.crawl:
        first = get(source.url, reach, LARGEST_PAGE, prefix)
        found = {_path(source.url, prefix): first} | _crawl(source, first, prefix, reach, skipped)
    else:
        first = get(source.url, reach, LARGEST_PAGE)
        found = {_name(source.url, first.kind): first}
    notes = sorted({page.note for page in found.values() if page.note})

    def files() -> Iterator[tuple[str, bytes, str]]:
        for path, page in found.items():
            yield path, page.content(), page.url

    return Fetched(_version(first), files, first.url, first.sha256, skipped, "; ".join(notes[:1]))


def _crawl(source: Url, first: Page, prefix: str, reach: Reach, skipped: Skipped) -> dict[str, Page]:
    """Fetch linked pages breadth first, one after the other, within the limits of the source."""
    assert source.crawl
    found: dict[str, Page] = {}
    seen, waiting = {first.url, source.url}, _links(first, prefix)
    size, failures = first.size, 0
    while waiting:
        address = waiting.pop(0)
        path = _path(address, prefix)
        if address in seen or below(source, path) is None:
            continue
        seen.add(address)
        if len(found) + 1 >= source.crawl.max_pages:
            skipped.add(path, f"beyond max_pages = {source.crawl.max_pages}")
            break
        try:
            page = get(address, reach, min(LARGEST_PAGE, source.crawl.max_bytes), prefix)
        except Unreachable as error:
            skipped.add(path, str(error))
            failures += 1
            if failures >= FAILURES:
                break
            continue
        failures = 0
        if size + page.size > source.crawl.max_bytes:
            skipped.add(path, f"beyond max_bytes = {source.crawl.max_bytes}")
            break
        size += page.size
        found[path] = page
        seen.add(page.url)
        waiting += _links(page, prefix)
        if page.fetched:
            time.sleep(PAUSE)
    return found


def _links(page: Page, prefix: str) -> list[str]:
    """Return the page's distinct links below the prefix, in order, without queries; none if it is nested too deeply."""
    from selectolax.lexbor import LexborHTMLParser

    if page.kind == "application/pdf":
        return []
    source = page.content().decode("utf-8", "replace")
    if deeper_than(source, DEEPEST):
        return []
    addresses = []
    for anchor in LexborHTMLParser(source).css("a[href]"):
        try:
            address = urldefrag(urljoin(page.url, anchor.attributes["href"] or "")).url
        except ValueError:
            continue
        endings = (".html", ".htm", "/")
        if address.startswith(prefix) and "?" not in address and address.endswith(endings):
            addresses.append(address + "index.html" if address.endswith("/") else address)
    return list(dict.fromkeys(addresses))


def _path(address: str, prefix: str) -> str:
    return unquote(address.removeprefix(prefix)) or "index.html"


def _name(address: str, kind: str) -> str:
    """Return a single page's path: its last folder and its name, with the ending of its type."""
    parts = [unquote(part) for part in urlsplit(address).path.split("/") if part and part not in (".", "..")]
    if address.endswith("/"):
        parts.append("index.html")
    name = "/".join(parts[-2:]) or "index.html"
    ending = ".pdf" if kind == "application/pdf" else ".html"
    return name if name.lower().endswith((ending, ".htm", ".xhtml")) else name + ending


def _version(page: Page) -> str:
    """Return the version number in the page's title, else the date of its last change."""
    if page.kind != "application/pdf":
        title = re.search(rb"<title[^>]*>(.*?)</title>", page.content()[:65536], re.I | re.S)
        number = (
            re.search(r"\s[vr]?(\d+\.\d+(?:\.\d+)?)\b", title[1].decode("utf-8", "replace").strip()) if title else None
        )
        if number:
            return number[1]
    try:
        day = parsedate_to_datetime(page.modified) if page.modified else datetime.fromtimestamp(page.at, UTC)
    except ValueError:
        day = datetime.fromtimestamp(page.at, UTC)
    return day.date().isoformat()
