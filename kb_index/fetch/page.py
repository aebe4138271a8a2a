"""A single web page: requested with its ETag, limited in size, type and time, and cached."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import ssl
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

import httpx2

from avo.kb_index.fetch.fetch import Reach, Unreachable, replace

KINDS = ("text/html", "application/xhtml+xml", "application/pdf")
"""Accepted content types."""
SILENCE = 30.0
"""Seconds without a byte after which a request ends."""
MOVED, MOST_REDIRECTS = (301, 302, 303, 307, 308), 10
"""HTTP statuses of a redirect, and the largest number of redirects."""
ERROR_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


@dataclass(frozen=True)
class Page:
    """A page in the cache."""

    url: str
    """The final address, after redirects."""
    kind: str
    """Content type: text/html, application/xhtml+xml or application/pdf."""
    sha256: str
    size: int
    """Size in bytes."""
    etag: str
    modified: str
    """The header Last-Modified."""
    at: float
    """Time of the download, in seconds since 1970."""
    file: str
    note: str = ""
    fetched: bool = False
    """True if it was requested just now."""

    def content(self) -> bytes:
        """Return the bytes of the page."""
        return Path(self.file).read_bytes()


def get(address: str, reach: Reach, largest: int, prefix: str = "") -> Page:
    """Return the page, from the cache unless it has to be requested again. Raises Unreachable.

    largest: limit in bytes. prefix: redirects to addresses that do not begin so are refused.
    """
    base = reach.cache / "url" / hashlib.sha256(address.encode()).hexdigest()[:24]
    kept = _kept(base)
    if kept and (reach.offline or not reach.ask):
        return kept
    if reach.offline:
        raise Unreachable(f"{address} is not in the cache, and nothing is fetched offline")
    try:
        return _download(address, base, kept, largest, prefix, reach.seconds)
    except Unreachable as error:
        if kept:
            return Page(**asdict(kept) | {"note": f"the copy in the cache had to do: {error}"})
        raise


def _kept(base: Path) -> Page | None:
    """Return the cached page; None if it is missing or damaged."""
    try:
        page = Page(**json.loads(base.with_suffix(".json").read_bytes()), file=str(base.with_suffix(".body")))
        whole = hashlib.sha256(page.content()).hexdigest() == page.sha256
    except (OSError, ValueError, TypeError):
        return None
    return page if whole else None


def _download(address: str, base: Path, kept: Page | None, largest: int, prefix: str, seconds: float) -> Page:
    headers = {"User-Agent": "avo", "Accept": ", ".join(KINDS), "Accept-Encoding": "identity"}
    if kept and kept.etag:
        headers["If-None-Match"] = kept.etag
    if kept and kept.modified:
        headers["If-Modified-Since"] = kept.modified
    try:
        # the system's certificates, not those of a package; proxies as the environment says
        with httpx2.Client(headers=headers, timeout=SILENCE, verify=ssl.create_default_context()) as client:
            url, answer = _arrive(client, address, prefix)
            with contextlib.closing(answer):
                if answer.status_code == 304 and kept:
                    return Page(**asdict(kept) | {"fetched": True})
                if not answer.is_success:
                    raise Unreachable(f"{address}: HTTP {answer.status_code} {answer.reason_phrase}")
                return _keep(url, answer, base, largest, seconds)
    except httpx2.TimeoutException as error:
        raise Unreachable(f"{address}: no byte within {SILENCE:.0f} s") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, ValueError) as error:  # ImportError: a SOCKS proxy
        raise Unreachable(f"{address}: {ERROR_NUMBER.sub('', str(error)) or type(error).__name__}") from error


def _arrive(client: httpx2.Client, address: str, prefix: str) -> tuple[str, httpx2.Response]:
    """Follow redirects and return the final address and response; not from https to http, and not out of the prefix."""
    url = address
    for _ in range(MOST_REDIRECTS + 1):
        answer = client.send(client.build_request("GET", url), stream=True)
        place = answer.headers.get("Location", "")
        if answer.status_code not in MOVED or not place:
            return url, answer
        answer.close()
        leads = urldefrag(urljoin(url, place)).url
        if not leads.startswith(prefix):
            raise Unreachable(f"{url} leads away to {leads}")
        if not leads.startswith(("https:", "http:")):
            raise Unreachable(f"{url} leads to {leads}, which is not allowed")
        if url.startswith("https:") and leads.startswith("http:"):
            raise Unreachable(f"{url} leads away from https")
        url = leads
    raise Unreachable(f"{address} leads from page to page, {MOST_REDIRECTS} times")


def _keep(url: str, answer: httpx2.Response, base: Path, largest: int, seconds: float) -> Page:
    kind = answer.headers.get("Content-Type", "text/plain").partition(";")[0].strip().lower()
    if kind not in KINDS:
        raise Unreachable(f"{url} is {kind}, not a page or a PDF")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Unreachable(f"{url} comes compressed though nobody asked for that")
    content, until = bytearray(), time.monotonic() + seconds
    try:
        for piece in answer.iter_raw():
            content += piece
            if len(content) > largest:
                raise Unreachable(f"{url} is larger than {largest >> 20} MB")
            if time.monotonic() > until:
                raise Unreachable(f"{url} was not there within {seconds:.0f} s")
    except httpx2.RemoteProtocolError as error:
        length = answer.headers.get("Content-Length", "an unknown number of")
        raise Unreachable(f"{url} broke off after {len(content)} of {length} bytes") from error
    if kind != "application/pdf" and b"<" not in content[:4096]:
        raise Unreachable(f"{url} says it is HTML and is not")
    facts: dict[str, Any] = {
        "url": url, "kind": kind, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
        "etag": answer.headers.get("ETag", ""), "modified": answer.headers.get("Last-Modified", ""), "at": time.time(),
    }  # fmt: skip
    replace(base.with_suffix(".body"), bytes(content))
    replace(base.with_suffix(".json"), json.dumps(facts).encode())
    return Page(**facts, file=str(base.with_suffix(".body")), fetched=True)
