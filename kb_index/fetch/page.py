"""A web page as a source: limited in size, type and time, and cached."""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from avo.kb_index.fetch.fetch import Fetched, Reach, Unreachable
from avo.kb_index.fetch.selection import LARGEST_PAGE
from avo.kb_index.fetch.sources import Url

ENDINGS = {"text/html": ".html", "application/xhtml+xml": ".html", "application/pdf": ".pdf"}
"""Accepted content types -> file ending."""
SILENCE = 30.0
"""Seconds without a byte after which a request ends."""
MOST_REDIRECTS = 10
NUMBER = re.compile(rb"<title[^>]*>\s*\S+[^<]*?\s[vr]?(\d+\.\d+(?:\.\d+)?)\b", re.I)
"""A version number in a page's title, behind its first word."""


def page(source: Url, reach: Reach) -> Fetched:
    """Return the page as its only file. Raises Unreachable."""
    place = reach.cache / "url" / hashlib.sha256(source.url.encode()).hexdigest()[:24]
    kept, note = reach.kept(place, source.url, partial(_download, source.url, reach.seconds), moves=True)
    found = NUMBER.search(kept.read_bytes()[:65536])
    version = found[1].decode() if found else datetime.fromtimestamp(kept.stat().st_mtime, UTC).date().isoformat()
    name = "/".join([part for part in urlsplit(source.url).path.split("/") if part.strip(".")][-2:] or ["index"])
    file = (name.removesuffix(kept.suffix) + kept.suffix, lambda: kept.open("rb"), source.url)
    return Fetched(version, lambda: [file], note=note)


def _download(address: str, seconds: float, scratch: Path) -> Path:
    headers = {"User-Agent": "avo", "Accept": ", ".join(ENDINGS), "Accept-Encoding": "identity"}
    try:
        # the system's certificates, not those of a package; proxies as the environment says
        with (
            httpx2.Client(
                headers=headers, timeout=SILENCE, verify=ssl.create_default_context(), follow_redirects=True,
                max_redirects=MOST_REDIRECTS,
            ) as client,
            client.stream("GET", address) as answer,
        ):  # fmt: skip
            return _keep(answer, address, time.monotonic() + seconds, scratch)
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, ValueError) as error:  # ImportError: a SOCKS proxy
        raise Unreachable(f"{address}: {str(error) or type(error).__name__}") from error


def _keep(answer: httpx2.Response, address: str, until: float, scratch: Path) -> Path:
    """Write the answer into the scratch folder, unless it is no page or PDF within the limits."""
    if address.startswith("https:") and any(hop.url.scheme != "https" for hop in (*answer.history, answer)):
        raise Unreachable(f"{address} leads away from https")
    if not answer.is_success:
        raise Unreachable(f"{address}: HTTP {answer.status_code} {answer.reason_phrase}")
    kind = answer.headers.get("Content-Type", "text/plain").partition(";")[0].strip().lower()
    if kind not in ENDINGS:
        raise Unreachable(f"{address} is {kind}, not a page or a PDF")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Unreachable(f"{address} comes compressed though nobody asked for that")
    content = bytearray()
    for piece in answer.iter_raw():
        content += piece
        if len(content) > LARGEST_PAGE:
            raise Unreachable(f"{address} is larger than {LARGEST_PAGE >> 20} MB")
        if time.monotonic() > until:
            raise Unreachable(f"{address} took too long")
    file = scratch / f"page{ENDINGS[kind]}"
    file.write_bytes(content)
    return file
